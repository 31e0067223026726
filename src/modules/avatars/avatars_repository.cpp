#include "modules/avatars/avatars.hpp"
#include "platform/db/database.hpp"
#include "platform/db/rows.hpp"

#include <boost/describe/class.hpp>

namespace kit::avatars {

BOOST_DESCRIBE_STRUCT(Row, (), (id, object_key, state, attempts))

namespace {

constexpr db::Query insert_row{
    "avatars.insert",
    "INSERT INTO avatars (user_id, link, object_key, state, created_at, due_at) "
    "SELECT id, $2, $3, 'pending', $4, $5 FROM users WHERE id = $1"
};

constexpr db::Query replace_current{
    "avatars.replace",
    "UPDATE avatars SET state = 'doomed', due_at = $2 WHERE user_id = $1 AND state = 'current'"
};

constexpr db::Query settle_pending{
    "avatars.settle", "UPDATE avatars SET state = 'current' WHERE object_key = $1 AND state = 'pending'"
};

constexpr db::Query doom_row{
    "avatars.doom", "UPDATE avatars SET state = 'doomed', due_at = $2 WHERE object_key = $1"
};

constexpr db::Query find_row{
    .name = "avatars.find",
    .sql = "SELECT id, object_key, state, attempts FROM avatars WHERE object_key = $2 AND user_id = $1",
    .brief = true
};

constexpr db::Query find_current{
    .name = "avatars.find_by_link",
    .sql = "SELECT object_key FROM avatars WHERE link = $1 AND state = 'current'",
    .brief = true
};

// Nodes on several connections of PostgreSQL step around each other's row locks; SQLite has one writer. Also
// the pictures of users who are gone.
#define KIT_AVATAR_CLAIM(lock)                                                                \
    "UPDATE avatars SET state = 'doomed', due_at = $2, attempts = attempts + 1 WHERE id = "   \
    "(SELECT id FROM avatars WHERE (state <> 'current' OR user_id IS NULL) AND due_at <= $1 " \
    "ORDER BY due_at, id LIMIT 1" lock ") RETURNING id, object_key, state, attempts"

constexpr db::Query claim_postgres{"avatars.claim", KIT_AVATAR_CLAIM(" FOR UPDATE SKIP LOCKED")};
constexpr db::Query claim_sqlite{"avatars.claim", KIT_AVATAR_CLAIM("")};

#undef KIT_AVATAR_CLAIM

constexpr db::Query any_due{
    .name = "avatars.any_due",
    .sql =
        "SELECT id FROM avatars WHERE (state <> 'current' OR user_id IS NULL) AND due_at <= $1 "
        "ORDER BY due_at, id LIMIT 1",
    .brief = true
};

constexpr db::Query delete_doomed{
    "avatars.forget", "DELETE FROM avatars WHERE object_key = $1 AND state = 'doomed'"
};

}  // namespace

Task<bool> Repository::insert(db::Session& session, const NewRow& row)
{
    co_return co_await session.execute(
        insert_row, row.user_id, row.link, row.object_key, row.now, row.due_at
    ) == 1;
}

Task<void> Repository::replace(db::Session& session, std::int64_t user_id, Timestamp now)
{
    co_await session.execute(replace_current, user_id, now);
}

Task<bool> Repository::settle(db::Session& session, std::string_view object_key)
{
    co_return co_await session.execute(settle_pending, object_key) == 1;
}

Task<void> Repository::doom(db::Session& session, std::string_view object_key, Timestamp due_at)
{
    co_await session.execute(doom_row, object_key, due_at);
}

Task<std::optional<Row>> Repository::find(
    db::Session& session, std::int64_t user_id, std::string_view object_key
)
{
    auto rows = co_await session.query<Row>(find_row, user_id, object_key);
    co_return rows.empty() ? std::nullopt : std::optional(std::move(rows.front()));
}

Task<std::optional<std::string>> Repository::find_by_link(db::Session& session, std::string_view link)
{
    auto rows = co_await session.query<std::string>(find_current, link);
    co_return rows.empty() ? std::nullopt : std::optional(std::move(rows.front()));
}

// Asks before it writes: mostly there is nothing.
Task<std::optional<Row>> Repository::claim(db::Session& session, Timestamp now, Timestamp leased_until)
{
    const auto due = co_await session.query<std::int64_t>(any_due, now);
    if (due.empty()) {
        co_return std::nullopt;
    }
    const auto& query = session.engine() == db::Engine::postgres ? claim_postgres : claim_sqlite;
    auto rows = co_await session.query<Row>(query, now, leased_until);
    co_return rows.empty() ? std::nullopt : std::optional(std::move(rows.front()));
}

Task<void> Repository::forget(db::Session& session, std::string_view object_key)
{
    co_await session.execute(delete_doomed, object_key);
}

}  // namespace kit::avatars
