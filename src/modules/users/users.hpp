// People. The User entity with what it holds: roles and their permissions as the contract nests them.
#pragma once

#include "modules/audit/audit.hpp"
#include "platform/cache/list_cache.hpp"
#include "platform/core/clock.hpp"
#include "platform/core/error.hpp"
#include "platform/core/listing.hpp"
#include "platform/core/task.hpp"
#include "platform/core/timestamp.hpp"
#include "platform/telemetry/repository_operations.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kit::db {
class Database;
class Rows;
class Session;
class Transaction;
struct Query;
}  // namespace kit::db

namespace kit::http {
class PageTokens;
struct Route;
}  // namespace kit::http

namespace kit::users {

struct Permission {
    std::int64_t id = 0;
    std::string resource;
    std::string action;
    Timestamp created_at{};
    Timestamp updated_at{};
};

struct Role {
    std::int64_t id = 0;
    std::string name;
    std::string description;
    std::optional<std::vector<Permission>> permissions;  // absent when there are none
    Timestamp created_at{};
    Timestamp updated_at{};
};

struct User {
    std::int64_t id = 0;
    std::string email;
    std::string name;
    std::string avatar_url;
    std::string status = "active";
    Timestamp last_login_at = never;
    Timestamp created_at{};
    Timestamp updated_at{};
    std::optional<std::vector<Role>> roles;  // absent when there are none
};

inline constexpr std::string_view active_status = "active";
inline constexpr std::string_view disabled_status = "disabled";

// The names of the user's roles, in the order of the roles.
std::vector<std::string> role_names(const User& user);

// The union of resource:action over the user's roles, sorted.
std::vector<std::string> permission_names(const User& user);

// A user to be inserted; the address is normalised already.
struct NewUser {
    std::string email;
    std::string name;
    Timestamp now;
};

// What administrators ask of the list of users. Empty texts ask for nothing.
struct ListFilter {
    std::string email;   // the beginning of the address
    std::string status;  // exactly
    std::string role;    // the name of one, exactly
};

inline constexpr std::array<std::string_view, 7> list_fields{
    "id", "created_at", "updated_at", "email", "name", "status", "last_login_at"
};

struct ListQuery {
    std::string key;  // of the cache: who asks, and what
    Paging paging;
    Order order;
    ListFilter filter;
    PageLinks links{};
};

struct ListView {
    Order order;
    Slice slice;
    Total total = Total::exact;
};

using Page = PageOf<User>;  // roles without their permissions

Place place_of(const User& user, std::size_t field);

// Statements on the users table, and the one join that every answer with a User needs. Each takes the session
// it runs in, so that callers can compose them into a transaction.
class Repository {
public:
    // Nothing if the address is taken.
    static Task<std::optional<std::int64_t>> insert(db::Session& session, const NewUser& user);

    struct Status {
        std::int64_t user_id;
        std::string status;
    };

    // By the normalised address; its row is locked until the transaction ends.
    static Task<std::optional<Status>> lock_status(db::Transaction& transaction, std::string_view email);
    static Task<void> update_status(db::Transaction& transaction, const Status& status, Timestamp now);

    // The user's row is locked until the transaction ends.
    static Task<void> lock(db::Transaction& transaction, std::int64_t id);

    // False where there is no such user.
    static Task<bool> update_avatar(
        db::Transaction& transaction, std::int64_t id, std::string_view url, Timestamp now
    );

    // One round trip: the user with roles and permissions.
    static Task<std::optional<User>> find(db::Session& session, std::int64_t id);

    // The statements behind it, for callers who send them together with others: $1 is the id or the address.
    static const db::Query& find_by_id_query();
    static const db::Query& find_by_email_query();
    static std::optional<User> from_rows(const db::Rows& rows);

    // One round trip, and one before where a role is asked for.
    static Task<Page> page(db::Session& session, const ListFilter& filter, const ListView& view);
};

class Service {
public:
    struct Deps {
        db::Database& database;
        Clock& clock;
        telemetry::Registry& metrics;
        audit::Service& audit;
        cache::Epochs& epochs;
    };

    static constexpr std::string_view list_namespace = "admin.users.list";

    Service(Deps deps, cache::ListCache::Options list_cache);

    // The user with roles and permissions. not_found where there is none.
    Task<Result<User>> find(std::int64_t id);

    struct StatusChange {
        std::string email;  // normalised
        std::string status;
        std::optional<std::int64_t> actor;  // unset: a command
    };

    // Active or disabled: false where the user was already. A disabled user's sessions end with it, on all
    // nodes, and he cannot sign in; active again, he can. invalid_input, not_found.
    Task<Result<bool>> set_status(StatusChange change, audit::Origin origin);

    // As JSON, from the cache where it is there. Raise `list_space()` with every change that it shows.
    Task<cache::ListBodyPtr> list(ListQuery query);

    cache::Namespace list_space() const { return lists_.space(); }

    const cache::ListCache& lists() const { return lists_; }

    // user.profile.events: what users did with their own profile, and how it ended.
    void count_profile(std::string_view outcome) const { profile_events_.add({outcome}); }

    const telemetry::Histogram& list_duration() const { return list_duration_; }

private:
    Task<Result<bool>> change_status(
        db::Transaction& transaction,
        const StatusChange& change,
        const audit::Origin& origin,
        std::optional<audit::Entry>& entry,
        cache::Epochs::Raised& raised
    );
    Task<cache::ListBodyPtr> read_list(const ListQuery& query);

    Deps deps_;
    telemetry::RepositoryOperations operations_;
    telemetry::Histogram page_sizes_;
    telemetry::Histogram list_duration_;
    telemetry::Counter profile_events_;
    cache::ListCache lists_;
};

std::vector<http::Route> routes(Service& service, const http::PageTokens& tokens);

}  // namespace kit::users
