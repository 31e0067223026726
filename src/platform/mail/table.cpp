#include "platform/mail/table.hpp"

#include "platform/db/rows.hpp"

#include <boost/describe/class.hpp>

namespace kit::mail {

BOOST_DESCRIBE_STRUCT(
    Claimed,
    (),
    (id, kind, message_id, recipient, subject, text, html, sealed, attempts, refusals, created_at, expires_at)
)

namespace table {

BOOST_DESCRIBE_STRUCT(Counts, (), (queued, dead))
BOOST_DESCRIBE_STRUCT(Newest, (), (id, message_id, recipient, subject, text, html, sealed, created_at))

constexpr db::Query insert{"mail.insert", KIT_MAIL_INSERT};

namespace {

// Senders on several connections of PostgreSQL step around each other's row locks; SQLite has one writer.
#define KIT_MAIL_CLAIM(lock)                                                                    \
    "UPDATE mail_outbox SET lease_owner = $1, due_at = $3, attempts = attempts + 1 WHERE id = " \
    "(SELECT id FROM mail_outbox WHERE state = 'queued' AND due_at <= $2 AND expires_at > $2 "  \
    "AND (attempts = 0 OR $4) ORDER BY due_at, id LIMIT 1" lock                                 \
    ") RETURNING id, kind, message_id, recipient, subject, text, html, sealed, attempts, "      \
    "refusals, created_at, expires_at"

constexpr db::Query claim_postgres{"mail.claim", KIT_MAIL_CLAIM(" FOR UPDATE SKIP LOCKED")};
constexpr db::Query claim_sqlite{"mail.claim", KIT_MAIL_CLAIM("")};

#undef KIT_MAIL_CLAIM

// `attempts` tells this lease from every other one of the message.
#define KIT_MAIL_HELD " WHERE id = $1 AND attempts = $2 AND state = 'queued'"

// One-time links do not outlive their sending.
#define KIT_MAIL_ERASE                                                                          \
    "text = CASE WHEN sealed THEN '' ELSE text END, html = CASE WHEN sealed THEN '' ELSE html " \
    "END, lease_owner = NULL"

constexpr db::Query mark_sent{
    "mail.settle_sent",
    "UPDATE mail_outbox SET state = 'sent', settled_at = $3, last_error = NULL, " KIT_MAIL_ERASE KIT_MAIL_HELD
};

constexpr db::Query mark_dead{
    "mail.settle_dead",
    "UPDATE mail_outbox SET state = 'dead', settled_at = $3, last_error = $4, " KIT_MAIL_ERASE KIT_MAIL_HELD
};

constexpr db::Query move_due{
    "mail.postpone",
    "UPDATE mail_outbox SET due_at = $3, last_error = $4, refusals = refusals + $5, "
    "lease_owner = NULL" KIT_MAIL_HELD
};

constexpr db::Query find_due{
    .name = "mail.any_due",
    .sql =
        "SELECT id FROM mail_outbox WHERE state = 'queued' AND due_at <= $1 AND expires_at > $1 "
        "ORDER BY due_at, id LIMIT 1",
    .brief = true
};

constexpr db::Query mark_expired{
    "mail.expire",
    "UPDATE mail_outbox SET state = 'dead', settled_at = $1, last_error = coalesce(last_error, "
    "'expired'), " KIT_MAIL_ERASE " WHERE state = 'queued' AND due_at <= $1 AND expires_at <= $1"
};

#undef KIT_MAIL_ERASE
#undef KIT_MAIL_HELD

constexpr db::Query delete_settled{
    "mail.purge",
    "DELETE FROM mail_outbox WHERE id IN (SELECT id FROM mail_outbox WHERE state IN ('sent', 'dead') "
    "AND settled_at < $1 LIMIT $2)"
};

constexpr db::Query count_states{
    "mail.count",
    "SELECT (SELECT count(*) FROM mail_outbox WHERE state = 'queued') AS queued, "
    "(SELECT count(*) FROM mail_outbox WHERE state = 'dead') AS dead"
};

constexpr db::Query list_newest{
    "mail.newest",
    "SELECT id, message_id, recipient, subject, text, html, sealed, created_at FROM mail_outbox "
    "ORDER BY id DESC LIMIT $1"
};

}  // namespace

Task<std::optional<Claimed>> claim(db::Session& session, Claim claim)
{
    const auto& query = session.engine() == db::Engine::postgres ? claim_postgres : claim_sqlite;
    auto rows =
        co_await session.query<Claimed>(query, claim.owner, claim.now, claim.leased_until, claim.retries);
    if (rows.empty()) {
        co_return std::nullopt;
    }
    co_return std::move(rows.front());
}

Task<bool> settle_sent(db::Session& session, const Claimed& claimed, Timestamp now)
{
    co_return co_await session.execute(mark_sent, claimed.id, claimed.attempts, now) == 1;
}

Task<bool> settle_dead(db::Session& session, const Claimed& claimed, std::string_view error, Timestamp now)
{
    co_return co_await session.execute(mark_dead, claimed.id, claimed.attempts, now, error) == 1;
}

Task<bool> postpone(db::Session& session, const Claimed& claimed, Postponement postponement)
{
    const auto changed = co_await session.execute(
        move_due,
        claimed.id,
        claimed.attempts,
        postponement.due_at,
        postponement.error,
        postponement.refused ? 1 : 0
    );
    co_return changed == 1;
}

Task<bool> any_due(db::Session& session, Timestamp now)
{
    const auto rows = co_await session.query<std::int64_t>(find_due, now);
    co_return !rows.empty();
}

Task<std::int64_t> expire(db::Session& session, Timestamp now)
{
    co_return co_await session.execute(mark_expired, now);
}

Task<std::int64_t> purge(db::Session& session, Timestamp before, std::int64_t rows_max)
{
    co_return co_await session.execute(delete_settled, before, rows_max);
}

Task<Counts> count(db::Session& session)
{
    const auto rows = co_await session.query<Counts>(count_states);
    co_return rows.front();
}

Task<std::vector<Newest>> newest(db::Session& session, std::int64_t rows_max)
{
    co_return co_await session.query<Newest>(list_newest, rows_max);
}

}  // namespace table

}  // namespace kit::mail
