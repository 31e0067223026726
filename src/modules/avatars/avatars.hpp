// Pictures of users: uploaded, checked, kept in the store of objects, and followed by the user's avatar_url.
//
// A row of `avatars` exists before its object does, and goes only after it: whatever fails or dies in
// between, the clean-up finds the object by its row and removes both (docs/decisions/0033-avatars.md).
#pragma once

#include "modules/audit/audit.hpp"
#include "modules/avatars/avatars_image_service.hpp"
#include "modules/users/users.hpp"
#include "platform/core/clock.hpp"
#include "platform/core/error.hpp"
#include "platform/core/task.hpp"
#include "platform/core/timestamp.hpp"
#include "platform/telemetry/metrics.hpp"
#include "platform/telemetry/repository_operations.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kit::blob {
class Store;
struct Object;
}  // namespace kit::blob

namespace kit::db {
class Database;
class Session;
class Transaction;
}  // namespace kit::db

namespace kit::http {
struct Route;
}  // namespace kit::http

namespace kit::telemetry {
class Logger;
}  // namespace kit::telemetry

namespace kit::avatars {

inline constexpr std::size_t file_bytes_max = 5UL * 1024 * 1024;
inline constexpr std::size_t body_bytes_max = 6UL * 1024 * 1024;  // the form around it included
inline constexpr std::chrono::seconds upload_time_max{60};        // for the body to arrive
inline constexpr std::size_t declared_type_characters_max = 100;  // of what the audit trail keeps of it

// A checked picture.
struct Image {
    ImageType type;
    std::string bytes;
    std::string declared_type;  // what the client called it
};

struct Uploaded {
    std::string avatar_url;  // good for a while
    std::size_t file_size = 0;
    std::string object_key;
    Timestamp uploaded_at{};
};

// Where an object is and what became of it.
struct Row {
    std::int64_t id = 0;
    std::string object_key;
    std::string state;
    std::int64_t attempts = 0;  // to remove it, this one included
};

// States of a row: `pending` until the object is stored, `current` while it is the user's picture, `doomed`
// once it is to be removed. The clean-up takes what is not current and due, and what is pending for too long.
class Repository {
public:
    struct NewRow {
        std::int64_t user_id;
        std::string_view link;  // by which everybody finds it
        std::string_view object_key;
        Timestamp now;
        Timestamp due_at;
    };

    // False where there is no such user.
    static Task<bool> insert(db::Session& session, const NewRow& row);

    // The user's current row, if any, is doomed.
    static Task<void> replace(db::Session& session, std::int64_t user_id, Timestamp now);

    // False where the clean-up was faster.
    static Task<bool> settle(db::Session& session, std::string_view object_key);

    static Task<void> doom(db::Session& session, std::string_view object_key, Timestamp due_at);

    // The user's row of that object.
    static Task<std::optional<Row>> find(
        db::Session& session, std::int64_t user_id, std::string_view object_key
    );

    // The object's key, while it is somebody's picture.
    static Task<std::optional<std::string>> find_by_link(db::Session& session, std::string_view link);

    // The one that is due longest, which is then the caller's until `leased_until`, on all nodes.
    static Task<std::optional<Row>> claim(db::Session& session, Timestamp now, Timestamp leased_until);

    // The end of a doomed row, once its object is gone.
    static Task<void> forget(db::Session& session, std::string_view object_key);
};

// Who may hold the bytes of an upload in memory. Thread-safe.
class UploadSlots {
public:
    static constexpr std::size_t uploads_max = 32;  // of the process
    static constexpr std::size_t uploads_per_user_max = 2;

    class Slot {
    public:
        Slot(UploadSlots& slots, std::int64_t user_id);  // throws Overloaded
        Slot(const Slot&) = delete;
        Slot& operator=(const Slot&) = delete;
        ~Slot();

    private:
        UploadSlots& slots_;
        std::int64_t user_id_;
    };

private:
    std::mutex mutex_;
    std::size_t taken_ = 0;
    std::map<std::int64_t, std::size_t> by_user_;
};

class Service {
public:
    struct Deps {
        db::Database& database;
        blob::Store& store;
        Clock& clock;
        Random& random;
        telemetry::Logger& logger;
        telemetry::Registry& metrics;
        audit::Service& audit;
        cache::Epochs& epochs;
        users::Service& users;
    };

    // Who changes something, for the audit trail.
    struct Actor {
        std::int64_t user_id;
        audit::Origin origin;
    };

    static constexpr std::chrono::minutes upload_lease{2};    // longer than an upload to the store takes
    static constexpr std::chrono::seconds removal_lease{30};  // longer than a removal
    static constexpr std::chrono::seconds clean_interval{2};
    static constexpr std::chrono::seconds retry_first{2};  // doubled with every failure
    static constexpr std::chrono::minutes retry_longest{10};

    // `base_url`: before the path of links; empty makes them relative.
    Service(Deps deps, std::string base_url);

    // Goes on to its end even where the caller is cancelled. not_found: there is no such user; unavailable:
    // the store failed.
    Task<Result<Uploaded>> upload(Image image, Actor actor);

    // Also where there is no such object. invalid_input, forbidden: it is not the user's; unavailable: the
    // store failed, and the clean-up goes on trying.
    Task<Result<void>> remove(std::string object_key, Actor actor);

    // Where the picture behind a link is for now. not_found.
    Task<Result<std::string>> address(std::string link);

    // Removes one object that is due: false where none is. Throws Unavailable where the database is away.
    Task<bool> clean_one();

    // Does so again and again until it is cancelled.
    Task<void> keep();

    UploadSlots& slots() { return slots_; }

    Clock& clock() { return deps_.clock; }

    // user.profile.events
    void count(std::string_view outcome) const { deps_.users.count_profile(outcome); }

private:
    Task<Result<Uploaded>> upload_here(Image image, Actor actor);
    Task<Result<void>> remove_here(std::string object_key, Actor actor);
    Task<bool> put(blob::Object object);
    Task<bool> remove_object(std::string object_key);
    Task<void> give_up(std::string object_key);

    struct Settlement {
        std::string_view link;
        std::string_view object_key;
        const audit::Entry& entry;
    };

    // True where the picture is the user's now.
    Task<bool> settle_in(
        db::Transaction& transaction,
        std::int64_t user_id,
        const Settlement& settlement,
        cache::Epochs::Raised& raised
    );
    // True where there was something to remove.
    Task<bool> remove_in(
        db::Transaction& transaction,
        std::int64_t user_id,
        const Settlement& settlement,
        cache::Epochs::Raised& raised
    );

    Deps deps_;
    std::string base_url_;
    UploadSlots slots_;
    telemetry::RepositoryOperations operations_;
    telemetry::Counter cleaned_;
    bool database_away_ = false;
};

inline constexpr std::string_view link_path = "/api/v1/avatars/";

std::vector<http::Route> routes(Service& service);

}  // namespace kit::avatars
