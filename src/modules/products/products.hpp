// Products: the sample resource, and the room that `./dev new` copies.
#pragma once

#include "modules/audit/audit.hpp"
#include "platform/core/clock.hpp"
#include "platform/core/error.hpp"
#include "platform/core/listing.hpp"
#include "platform/core/task.hpp"
#include "platform/core/timestamp.hpp"
#include "platform/telemetry/metrics.hpp"
#include "platform/telemetry/repository_operations.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kit::db {
class Database;
class Session;
class Transaction;
}  // namespace kit::db

namespace kit::http {
class PageTokens;
struct Route;
}  // namespace kit::http

namespace kit::products {

inline constexpr std::size_t name_characters_min = 3;
inline constexpr std::size_t name_characters_max = 120;
inline constexpr std::size_t description_characters_max = 500;

struct Product {
    std::int64_t id = 0;
    std::string name;
    std::string description;
    double price = 0;
    Timestamp created_at{};
    Timestamp updated_at{};
};

struct NewProduct {
    std::string name;
    std::string description;
    double price = 0;
};

// What is absent stays as it is.
struct ProductChange {
    std::optional<std::string> name;
    std::optional<std::string> description;
    std::optional<double> price;
};

using Page = PageOf<Product>;  // the newest first

class Repository {
public:
    static Task<Product> insert(db::Session& session, const NewProduct& product, Timestamp now);
    static Task<std::optional<Product>> find(db::Session& session, std::int64_t id);

    // One round trip.
    static Task<Page> page(db::Session& session, const Slice& slice, Total total);

    // The row after the change; nothing where there is none.
    static Task<std::optional<Product>> update(
        db::Session& session, std::int64_t id, const ProductChange& change, Timestamp now
    );

    // False where there is none.
    static Task<bool> remove(db::Session& session, std::int64_t id);
};

// Every effect commits together with its audit row.
class Service {
public:
    struct Deps {
        db::Database& database;
        Clock& clock;
        telemetry::Registry& metrics;
        audit::Service& audit;
    };

    // Who changes something, for the audit trail.
    struct Actor {
        std::int64_t user_id;
        audit::Origin origin;
    };

    explicit Service(Deps deps);

    Task<Result<Page>> list(Slice slice, Total total);

    // not_found.
    Task<Result<Product>> find(std::int64_t id);

    // invalid_input.
    Task<Result<Product>> create(NewProduct product, Actor actor);

    // invalid_input (also where nothing is to change), not_found.
    Task<Result<Product>> update(std::int64_t id, ProductChange change, Actor actor);

    // not_found.
    Task<Result<void>> remove(std::int64_t id, Actor actor);

private:
    template <class T>
    Task<Result<T>> measured(std::string_view operation, Task<Result<T>> call);

    Task<Result<Page>> try_list(Slice slice, Total total);
    Task<Result<Product>> try_find(std::int64_t id);
    Task<Result<Product>> try_create(NewProduct product, Actor actor);
    Task<Result<Product>> try_update(std::int64_t id, ProductChange change, Actor actor);
    Task<Result<void>> try_remove(std::int64_t id, Actor actor);

    struct Update {
        std::int64_t id;
        const ProductChange& change;
    };

    // In the transaction of the effect; `entry` is the audit row that went with it.
    Task<Product> create_in(
        db::Transaction& transaction,
        const NewProduct& product,
        const Actor& actor,
        std::optional<audit::Entry>& entry
    );
    Task<std::optional<Product>> update_in(
        db::Transaction& transaction, Update update, const Actor& actor, std::optional<audit::Entry>& entry
    );
    Task<bool> remove_in(db::Transaction& transaction, std::int64_t id, const audit::Entry& entry);

    Deps deps_;
    telemetry::RepositoryOperations operations_;
    telemetry::Counter events_;
    telemetry::Histogram duration_;
};

std::vector<http::Route> routes(Service& service, const http::PageTokens& tokens);

}  // namespace kit::products
