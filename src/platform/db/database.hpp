// SQL for both engines: queries with names, rows into described structs, transactions.
//
// Repositories write the SQL that SQLite 3.40 and PostgreSQL 15 share: $1 parameters, RETURNING, ON CONFLICT,
// integer ids. Every statement has a deadline. A database that cannot be reached throws Unavailable, one that
// does not answer DeadlineExceeded; a violated constraint throws ConstraintViolation (prefer ON CONFLICT … DO
// NOTHING RETURNING, which answers with no row).
#pragma once

#include "platform/core/error.hpp"
#include "platform/core/task.hpp"
#include "platform/core/timestamp.hpp"

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace kit::db {

enum class Engine : std::uint8_t { sqlite, postgres };

// A named statement. A constexpr object of static storage: drivers prepare it once per connection and know it
// by its address.
struct Query {
    std::string_view name;  // "users.find_by_id": for metrics, traces and errors
    std::string_view sql;
    // A read of a few rows by an index: SQLite runs it on the calling worker, without a hop to another
    // thread, unless it turns out to be long; PostgreSQL sends those of one loop turn as one batch. Only for
    // a SELECT.
    bool brief = false;
};

// A bound parameter. Text and bytes are views: they must outlive the awaited call.
class Value {
public:
    using Storage = std::variant<
        std::monostate,
        bool,
        std::int64_t,
        double,
        std::string_view,
        std::span<const std::byte>,
        Timestamp>;

    Value(std::nullopt_t) {}

    Value(bool value) : storage_(value) {}

    template <std::integral I>
        requires(!std::same_as<I, bool>)
    Value(I value) : storage_(static_cast<std::int64_t>(value))
    {
    }

    Value(double value) : storage_(value) {}

    Value(std::string_view value) : storage_(value) {}

    Value(const std::string& value) : storage_(std::string_view(value)) {}

    Value(const char* value) : storage_(std::string_view(value)) {}

    Value(std::span<const std::byte> value) : storage_(value) {}

    Value(Timestamp value) : storage_(value) {}

    template <class T>
    Value(const std::optional<T>& value)
    {
        if (value) {
            storage_ = Value(*value).storage();
        }
    }

    const Storage& storage() const { return storage_; }

private:
    Storage storage_;
};

// One value of a result, in one representation for both engines.
struct Cell {
    enum class Kind : std::uint8_t { null, integer, real, text, blob, timestamp };

    Kind kind = Kind::null;
    std::int64_t integer = 0;  // integers, booleans (0 or 1), timestamps (microseconds since 1970)
    double real = 0;
    std::string_view text{};  // text and blobs
};

// The names of a result's columns. Drivers make one per statement, so equal pointers mean equal columns.
using Columns = std::shared_ptr<const std::vector<std::string>>;

// A result. Cells' texts live as long as it does.
class Rows {
public:
    Rows() = default;

    Rows(Columns columns, std::vector<Cell> cells, std::shared_ptr<const void> owner, std::int64_t affected)
        : columns_(std::move(columns)),
          cells_(std::move(cells)),
          owner_(std::move(owner)),
          affected_(affected)
    {
    }

    std::size_t size() const { return cells_.empty() ? 0 : cells_.size() / columns_->size(); }

    bool empty() const { return cells_.empty(); }

    const Columns& columns() const { return columns_; }  // null when the statement returns no rows at all

    const Cell& cell(std::size_t row, std::size_t column) const
    {
        return cells_[row * columns_->size() + column];
    }

    // Rows that an INSERT, UPDATE or DELETE touched.
    std::int64_t affected() const { return affected_; }

private:
    Columns columns_;
    std::vector<Cell> cells_;
    std::shared_ptr<const void> owner_;
    std::int64_t affected_ = 0;
};

// One statement with its parameters.
struct Statement {
    const Query* query;
    std::span<const Value> values;
};

class ConstraintViolation final : public std::runtime_error {
public:
    enum class Kind : std::uint8_t { unique, foreign_key, check, not_null };

    ConstraintViolation(Kind kind, const std::string& what) : std::runtime_error(what), kind_(kind) {}

    Kind kind() const noexcept { return kind_; }

private:
    Kind kind_;
};

// A statement that the database refuses for another reason (a wrong name, a type): a broken invariant, 500.
class QueryFailed final : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// Whatever runs statements: the database itself, each statement its own transaction, or an open transaction.
class Session {
public:
    Session() = default;
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    virtual ~Session() = default;

    virtual Engine engine() const = 0;

    // Runs one statement.
    virtual Task<Rows> run(Statement statement) = 0;

    // Runs several, sent together (one round trip on PostgreSQL). On Database they are independent of each
    // other, and the first failure is thrown after all have ended; in a Transaction the first failure ends
    // it.
    virtual Task<std::vector<Rows>> run_all(std::span<const Statement> statements) = 0;

    // Rows as described structs (see rows.hpp for the mapping). Include "platform/db/rows.hpp" to use it.
    template <class Row, class... Parameters>
    Task<std::vector<Row>> query(const Query& query, Parameters&&... parameters);

    // The number of rows touched.
    template <class... Parameters>
    Task<std::int64_t> execute(const Query& query, Parameters&&... parameters);
};

// An open transaction. A body awaits its statements and nothing else: on SQLite the body runs on the writer's
// thread.
class Transaction : public Session {
public:
    // Runs any number of statements without parameters and drops their rows: migrations. May take up to
    // script_time_max.
    virtual Task<void> run_script(std::string_view sql) = 0;

    static constexpr std::chrono::minutes script_time_max{10};
};

struct DatabaseLoad {
    std::size_t used = 0;     // connections with something to do; SQLite: the writer
    std::size_t idle = 0;     // open ones without
    std::size_t waiting = 0;  // statements and transactions that wait for one
};

// Thread-safe; called from workers. PostgreSQL keeps each worker's connections apart.
class Database : public Session {
public:
    // Runs `body` in a transaction and commits, or rolls back when it throws or yields an error. After a
    // serialisation failure or deadlock the whole body runs again, at most `transaction_attempts_max` times
    // in all: it must have no effect outside the database. T is a Result<…> or a plain value. `body` is an
    // ordinary callable that returns Task<T>; what it refers to outlives the call.
    template <class Body>
    auto transaction(Body body) -> std::invoke_result_t<Body&, Transaction&>;

    // Runs several statements as one transaction, sent together: one round trip on PostgreSQL (an implicit
    // transaction: one Sync at the end), one visit to the writer on SQLite. All take effect or none; the
    // first failure is thrown. After a serialisation failure or deadlock they run again, as `transaction`
    // does.
    virtual Task<std::vector<Rows>> run_atomically(std::span<const Statement> statements) = 0;

    // Calls `receive` with every message that anybody sends on the channel (PostgreSQL's NOTIFY), on the
    // caller's thread, until it is cancelled. A connection that is lost is made anew; what is sent meanwhile
    // is missed, so whoever must know asks besides. Returns at once where the engine has no messages. The
    // channel is a plain lower-case name.
    virtual Task<void> listen(std::string channel, std::function<void(std::string_view)> receive) = 0;

    // Answers once the database has answered; throws as a statement would.
    virtual Task<void> ping() = 0;

    // How busy its connections are: of all workers, at about this moment.
    virtual DatabaseLoad load() const = 0;

    // Stops taking statements, waits for the running ones and closes. Blocks; not on a worker.
    virtual void close() = 0;

    static constexpr int transaction_attempts_max = 3;

protected:
    // The body, reduced to what a driver needs: true to commit, false to roll back; exceptions roll back too.
    using TransactionBody = std::function<Task<bool>(Transaction&)>;
    virtual Task<void> run_transaction(const TransactionBody& body) = 0;
};

// Options that both drivers take from the settings.
struct DatabaseOptions {
    std::chrono::milliseconds query_time_max{2'000
    };  // for a statement, from call to answer, waiting included
    std::size_t connections_per_worker_max = 4;  // PostgreSQL
    std::size_t reader_threads_max = 4;          // SQLite, for reads that are not brief
    std::size_t queue_max = 1'024;  // SQLite's writer and readers: waiting jobs; beyond: Overloaded
    bool synchronous_full = false;  // SQLite: fsync at every commit instead of at checkpoints
};

namespace detail {

template <class T>
constexpr bool commits(const T&)
{
    return true;
}

template <class T>
bool commits(const Result<T>& result)
{
    return result.has_value();
}

}  // namespace detail

template <class Body>
auto Database::transaction(Body body) -> std::invoke_result_t<Body&, Transaction&>
{
    using T = typename std::invoke_result_t<Body&, Transaction&>::value_type;
    std::optional<T> result;

    struct Attempt {
        static Task<bool> run(Body& work, std::optional<T>& out, Transaction& transaction)
        {
            out.reset();
            out.emplace(co_await work(transaction));
            co_return detail::commits(*out);
        }
    };

    const TransactionBody attempt = [&body, &result](Transaction& transaction) {
        return Attempt::run(body, result, transaction);
    };
    co_await run_transaction(attempt);
    co_return std::move(*result);
}

}  // namespace kit::db
