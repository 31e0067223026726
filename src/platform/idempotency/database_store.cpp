#include "platform/db/database.hpp"
#include "platform/db/rows.hpp"
#include "platform/idempotency/idempotency.hpp"

#include <boost/describe/class.hpp>

#include <array>

namespace kit::idempotency {

namespace {

// A row whose time is over is as good as none: its lease, while it is new, or the answer's TTL. PostgreSQL
// locks the row it finds either way, so the next statement of the same transaction sees it.
constexpr db::Query begin_row{
    "idempotency.begin",
    "INSERT INTO idempotency_records (scope, actor, idempotency_key, fingerprint_hash, holder, status, "
    "expires_at, created_at, updated_at) "
    "VALUES ($1, $2, $3, $4, $5, 'new', $6, $7, $7) "
    "ON CONFLICT (scope, actor, idempotency_key) DO UPDATE SET fingerprint_hash = excluded.fingerprint_hash, "
    "holder = excluded.holder, status = excluded.status, response_status = NULL, response_body = NULL, "
    "content_type = NULL, expires_at = excluded.expires_at, created_at = excluded.created_at, "
    "updated_at = excluded.updated_at "
    "WHERE idempotency_records.expires_at <= $7"
};

constexpr db::Query find_row{
    "idempotency.find",
    "SELECT holder, fingerprint_hash, status, response_status, response_body, content_type "
    "FROM idempotency_records WHERE scope = $1 AND actor = $2 AND idempotency_key = $3"
};

constexpr db::Query complete_row{
    "idempotency.complete",
    "UPDATE idempotency_records SET status = 'completed', response_status = $5, response_body = $6, "
    "content_type = $7, expires_at = $8, updated_at = $9 "
    "WHERE scope = $1 AND actor = $2 AND idempotency_key = $3 AND holder = $4 AND status = 'new'"
};

constexpr db::Query release_row{
    "idempotency.release",
    "DELETE FROM idempotency_records "
    "WHERE scope = $1 AND actor = $2 AND idempotency_key = $3 AND holder = $4 AND status = 'new'"
};

struct Row {
    std::string holder;
    std::string fingerprint_hash;
    std::string status;
    std::optional<std::int64_t> response_status;
    std::optional<std::string> response_body;
    std::optional<std::string> content_type;
};
BOOST_DESCRIBE_STRUCT(
    Row, (), (holder, fingerprint_hash, status, response_status, response_body, content_type)
)

Found judge(const Attempt& attempt, Row row)
{
    if (row.holder == attempt.holder) {
        return {.state = Found::State::begun};
    }
    if (!constant_time_equal(row.fingerprint_hash, attempt.fingerprint)) {
        return {.state = Found::State::reused};
    }
    if (row.status == "new") {
        return {.state = Found::State::in_progress};
    }
    return {
        .state = Found::State::completed,
        .answer =
            {.status = static_cast<int>(row.response_status.value_or(0)),
             .content_type = std::move(row.content_type).value_or(""),
             .body = std::move(row.response_body).value_or("")}
    };
}

class DatabaseStore final : public Store {
public:
    DatabaseStore(db::Database& database, Clock& clock, Times times)
        : database_(database), clock_(clock), times_(times)
    {
    }

    Task<Found> begin(const Attempt& attempt) override
    {
        const auto now = clock_.now();
        const std::array<db::Value, 7> row{
            attempt.scope,
            attempt.actor,
            attempt.key_hash,
            attempt.fingerprint,
            attempt.holder,
            Timestamp(now + times_.lease),
            now
        };
        const std::array<db::Value, 3> name{attempt.scope, attempt.actor, attempt.key_hash};
        const std::array<db::Statement, 2> statements{{{&begin_row, row}, {&find_row, name}}};
        const auto results = co_await database_.run_atomically(statements);
        auto rows = db::map_rows<Row>(find_row, results[1]);
        if (rows.empty()) {
            throw std::logic_error("an idempotency record written in this transaction is not there");
        }
        co_return judge(attempt, std::move(rows.front()));
    }

    bool is_transactional() const override { return true; }

    Task<bool> complete(const Attempt& attempt, http::Rendered answer) override
    {
        return complete_in(database_, attempt, std::move(answer));
    }

    Task<bool> complete(db::Transaction& transaction, const Attempt& attempt, http::Rendered answer) override
    {
        return complete_in(transaction, attempt, std::move(answer));
    }

    Task<void> release(const Attempt& attempt) override
    {
        co_await database_.execute(
            release_row, attempt.scope, attempt.actor, attempt.key_hash, attempt.holder
        );
    }

private:
    Task<bool> complete_in(db::Session& session, const Attempt& attempt, http::Rendered answer)
    {
        const auto now = clock_.now();
        const auto touched = co_await session.execute(
            complete_row,
            attempt.scope,
            attempt.actor,
            attempt.key_hash,
            attempt.holder,
            answer.status,
            std::as_bytes(std::span(answer.body)),
            answer.content_type,
            Timestamp(now + times_.ttl),
            now
        );
        co_return touched == 1;
    }

    db::Database& database_;
    Clock& clock_;
    Times times_;
};

}  // namespace

std::unique_ptr<Store> database_store(db::Database& database, Clock& clock, Times times)
{
    return std::make_unique<DatabaseStore>(database, clock, times);
}

}  // namespace kit::idempotency
