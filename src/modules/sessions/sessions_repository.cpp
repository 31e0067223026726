#include "modules/sessions/sessions.hpp"
#include "platform/db/database.hpp"
#include "platform/db/rows.hpp"
#include "platform/mail/mail.hpp"

#include <boost/describe/class.hpp>

#include <array>
#include <vector>

namespace kit::sessions {

BOOST_DESCRIBE_STRUCT(
    Session,
    (),
    (id,
     user_id,
     family_id,
     token_id,
     generation,
     refresh_token_hash,
     previous_token_hash,
     created_at,
     rotated_at,
     expires_at,
     revoked_at)
)
BOOST_DESCRIBE_STRUCT(Listed, (), (id, family_id, user_agent, ip, created_at, rotated_at, expires_at))
BOOST_DESCRIBE_STRUCT(RecentEnd, (), (family_id, revoked_reason))

namespace {

constexpr db::Query insert_session{
    "sessions.insert",
    "INSERT INTO sessions (user_id, family_id, token_id, generation, refresh_token_hash, user_agent, ip, "
    "rotated_at, expires_at, "
    "created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8, $8)"
};

constexpr db::Query record_login{
    "sessions.record_login", "UPDATE users SET last_login_at = $2 WHERE id = $1"
};

// A statement of its own after the user is locked: it sees what whoever held that lock has committed.
constexpr db::Query insert_session_at_login{
    "sessions.insert_at_login",
    "INSERT INTO sessions (user_id, family_id, token_id, generation, refresh_token_hash, user_agent, ip, "
    "rotated_at, expires_at, created_at, updated_at) SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $8, $8 "
    "WHERE $10 = '' OR EXISTS (SELECT 1 FROM local_credentials WHERE user_id = $1 AND password_hash = $10)"
};

constexpr db::Query insert_notice{
    "sessions.insert_notice",
    KIT_MAIL_INSERT
    " WHERE EXISTS (SELECT 1 FROM sessions WHERE refresh_token_hash = $10) "
    "AND ($11 OR EXISTS (SELECT 1 FROM sessions WHERE user_id = $12 AND refresh_token_hash <> $10)) "
    "AND NOT EXISTS (SELECT 1 FROM sessions WHERE user_id = $12 AND refresh_token_hash <> $10 "
    "AND user_agent = $13 AND ip = $14)"
};

constexpr db::Query rotate_session{
    "sessions.rotate",
    "UPDATE sessions SET parent_token_id = token_id, token_id = $3, generation = $4, previous_token_hash = "
    "refresh_token_hash, "
    "refresh_token_hash = $5, user_agent = $6, ip = $7, rotated_at = $8, expires_at = $9, updated_at = $8 "
    "WHERE family_id = $2 AND user_id = $1 AND refresh_token_hash = $10 AND generation = $4 - 1 "
    "AND revoked_at IS NULL AND expires_at > $8 AND created_at > $11 AND rotated_at > $12 "
    "AND EXISTS (SELECT 1 FROM users u WHERE u.id = sessions.user_id AND u.status = 'active') RETURNING id"
};

// Only where the sign-in or rotation took effect: the new hash is in no row otherwise.
constexpr db::Query record_effect{
    "sessions.record_effect",
    KIT_AUDIT_INSERT " WHERE EXISTS (SELECT 1 FROM sessions WHERE refresh_token_hash = $14)"
};

constexpr db::Query find_session{
    .name = "sessions.find",
    .sql =
        "SELECT id, user_id, family_id, token_id, generation, refresh_token_hash, previous_token_hash, "
        "created_at, rotated_at, expires_at, "
        "revoked_at FROM sessions WHERE family_id = $1",
    .brief = true
};

constexpr db::Query lock_user{"sessions.lock_user", "UPDATE users SET updated_at = updated_at WHERE id = $1"};

constexpr db::Query revoke_sessions_of_user{
    "sessions.revoke_all",
    "UPDATE sessions SET revoked_at = $3, revoked_reason = $2, updated_at = $3 WHERE user_id = $1 AND "
    "revoked_at IS NULL "
    "RETURNING family_id"
};

constexpr db::Query revoke_session{
    "sessions.revoke",
    "UPDATE sessions SET revoked_at = $3, revoked_reason = $2, updated_at = $3, "
    "reuse_detected_at = CASE WHEN $4 THEN $3 ELSE reuse_detected_at END "
    "WHERE family_id = $1 AND revoked_at IS NULL RETURNING family_id"
};

constexpr db::Query list_revoked{
    .name = "sessions.revoked_since",
    .sql = "SELECT family_id, revoked_reason FROM sessions WHERE revoked_at > $1",
    .brief = true
};

constexpr db::Query list_active_sessions{
    .name = "sessions.list_active",
    .sql =
        "SELECT id, family_id, user_agent, ip, created_at, rotated_at, expires_at FROM sessions "
        "WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2 AND created_at > $3 AND rotated_at > "
        "$4 ORDER BY created_at DESC, id DESC LIMIT $5",
    .brief = true
};

constexpr db::Query revoke_owned_session{
    "sessions.revoke_owned",
    "UPDATE sessions SET revoked_at = $4, revoked_reason = $3, updated_at = $4 "
    "WHERE user_id = $1 AND id = $2 AND revoked_at IS NULL RETURNING family_id"
};

constexpr db::Query find_owned_session{
    "sessions.find_owned", "SELECT id FROM sessions WHERE user_id = $1 AND id = $2"
};

constexpr db::Query find_active_session{
    "sessions.find_active",
    "SELECT id FROM sessions WHERE user_id = $1 AND family_id = $2 AND revoked_at IS NULL AND expires_at > $3"
};

constexpr db::Query revoke_other_sessions{
    "sessions.revoke_others",
    "UPDATE sessions SET revoked_at = $4, revoked_reason = $3, updated_at = $4 "
    "WHERE user_id = $1 AND id <> $2 AND revoked_at IS NULL RETURNING family_id"
};

constexpr db::Query purge_sessions{
    "sessions.purge",
    "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < $1 ORDER BY expires_at "
    "LIMIT $2)"
};

struct FamilyId {
    std::string family_id;
};
BOOST_DESCRIBE_STRUCT(FamilyId, (), (family_id))

struct RowId {
    std::int64_t id;
};
BOOST_DESCRIBE_STRUCT(RowId, (), (id))

std::array<db::Value, 9> columns(const Generation& session)
{
    return {
        session.user_id,
        session.family_id,
        session.token_id,
        session.generation,
        session.refresh_token_hash,
        session.device.user_agent,
        session.device.ip,
        session.now,
        session.expires_at
    };
}

std::vector<std::string> family_ids(std::vector<FamilyId> rows)
{
    std::vector<std::string> ids;
    ids.reserve(rows.size());
    for (auto& row : rows) {
        ids.push_back(std::move(row.family_id));
    }
    return ids;
}

}  // namespace

Task<void> Repository::insert(db::Transaction& transaction, const Generation& session)
{
    const auto values = columns(session);
    co_await transaction.run({&insert_session, values});
}

Task<Repository::Insertion> Repository::insert_at_login(
    db::Database& database, const Generation& session, const audit::Entry& entry, const Login& login
)
{
    const std::array<db::Value, 2> user{session.user_id, session.now};
    const auto row = columns(session);
    std::vector<db::Value> values(row.begin(), row.end());
    values.emplace_back(login.proof.password_hash);
    auto event = audit::Repository::values(entry);
    event.emplace_back(session.refresh_token_hash);
    // The user's row first: the insert then finds it locked by this very transaction, and two logins of one
    // user wait for each other instead of dead-locking; so do a login and a new password.
    std::vector<db::Statement> statements{
        {&record_login, user}, {&insert_session_at_login, values}, {&record_effect, event}
    };
    std::vector<db::Value> notice;
    if (login.proof.notice != nullptr) {
        const auto letter = mail::Outbox::values(*login.proof.notice);
        notice.assign(letter.begin(), letter.end());
        notice.insert(
            notice.end(),
            {session.refresh_token_hash,
             login.used_before,
             session.user_id,
             session.device.user_agent,
             session.device.ip}
        );
        statements.push_back({&insert_notice, notice});
    }
    const auto results = co_await database.run_atomically(statements);
    co_return Insertion{
        .made = results[1].affected() == 1,
        .noticed = results.back().affected() == 1 && login.proof.notice != nullptr
    };
}

Task<Repository::Rotation> Repository::rotate(
    db::Database& database,
    const Generation& next,
    std::string_view current_hash,
    const AliveSince& alive,
    const audit::Entry& entry
)
{
    const std::array<db::Value, 12> values{
        next.user_id,
        next.family_id,
        next.token_id,
        next.generation,
        next.refresh_token_hash,
        next.device.user_agent,
        next.device.ip,
        next.now,
        next.expires_at,
        current_hash,
        alive.created,
        alive.refreshed
    };
    const std::array<db::Value, 1> user{next.user_id};
    auto event = audit::Repository::values(entry);
    event.emplace_back(next.refresh_token_hash);
    const std::array<db::Statement, 3> statements{
        {{&rotate_session, values}, {&record_effect, event}, {&users::Repository::find_by_id_query(), user}}
    };
    const auto results = co_await database.run_atomically(statements);
    co_return Rotation{.rotated = !results[0].empty(), .user = users::Repository::from_rows(results[2])};
}

Task<std::optional<Session>> Repository::find(db::Database& database, std::string_view family_id)
{
    auto rows = co_await database.query<Session>(find_session, family_id);
    if (rows.empty()) {
        co_return std::nullopt;
    }
    co_return std::move(rows.front());
}

Task<std::vector<std::string>> Repository::revoke_all(
    db::Database& database, std::int64_t user_id, const Revocation& revocation, const audit::Entry& entry
)
{
    const std::array<db::Value, 3> values{user_id, revocation.reason, revocation.now};
    const auto event = audit::Repository::values(entry);
    const std::array<db::Statement, 2> statements{
        {{&revoke_sessions_of_user, values}, {&audit::Repository::insert_query(), event}}
    };
    const auto results = co_await database.run_atomically(statements);
    co_return family_ids(db::map_rows<FamilyId>(revoke_sessions_of_user, results[0]));
}

Task<std::vector<std::string>> Repository::revoke_all(
    db::Transaction& transaction, std::int64_t user_id, const Revocation& revocation
)
{
    const std::array<db::Value, 1> user{user_id};
    const std::array<db::Value, 3> values{user_id, revocation.reason, revocation.now};
    const std::array<db::Statement, 2> statements{{{&lock_user, user}, {&revoke_sessions_of_user, values}}};
    const auto results = co_await transaction.run_all(statements);
    co_return family_ids(db::map_rows<FamilyId>(revoke_sessions_of_user, results[1]));
}

Task<std::vector<std::string>> Repository::revoke(
    db::Database& database,
    std::string_view family_id,
    const Revocation& revocation,
    const audit::Entry& entry
)
{
    const bool reused = revocation.reason == reason::reuse_detected;
    const std::array<db::Value, 4> values{family_id, revocation.reason, revocation.now, reused};
    const auto event = audit::Repository::values(entry);
    const std::array<db::Statement, 2> statements{
        {{&revoke_session, values}, {&audit::Repository::insert_query(), event}}
    };
    const auto results = co_await database.run_atomically(statements);
    co_return family_ids(db::map_rows<FamilyId>(revoke_session, results[0]));
}

Task<std::vector<RecentEnd>> Repository::revoked_since(db::Database& database, Timestamp since)
{
    co_return co_await database.query<RecentEnd>(list_revoked, since);
}

Task<std::vector<Listed>> Repository::list_active(
    db::Database& database, std::int64_t user_id, const AliveSince& alive, Timestamp now
)
{
    co_return co_await database.query<Listed>(
        list_active_sessions, user_id, now, alive.created, alive.refreshed, listed_max
    );
}

Task<std::optional<std::string>> Repository::revoke_owned(
    db::Transaction& transaction, const Owned& session, const Revocation& revocation
)
{
    auto ended = family_ids(co_await transaction.query<FamilyId>(
        revoke_owned_session, session.user_id, session.id, revocation.reason, revocation.now
    ));
    if (ended.empty()) {
        co_return std::nullopt;
    }
    co_return std::move(ended.front());
}

Task<bool> Repository::exists(db::Transaction& transaction, const Owned& session)
{
    const auto rows = co_await transaction.query<RowId>(find_owned_session, session.user_id, session.id);
    co_return !rows.empty();
}

Task<std::optional<std::int64_t>> Repository::find_active_id(
    db::Transaction& transaction, std::int64_t user_id, std::string_view family_id, Timestamp now
)
{
    const auto rows = co_await transaction.query<RowId>(find_active_session, user_id, family_id, now);
    co_return rows.empty() ? std::nullopt : std::optional(rows.front().id);
}

Task<std::vector<std::string>> Repository::revoke_others(
    db::Transaction& transaction, const Owned& kept, const Revocation& revocation
)
{
    co_return family_ids(co_await transaction.query<FamilyId>(
        revoke_other_sessions, kept.user_id, kept.id, revocation.reason, revocation.now
    ));
}

Task<std::int64_t> Repository::purge(db::Database& database, Timestamp expired_before, std::int64_t rows_max)
{
    co_return co_await database.execute(purge_sessions, expired_before, rows_max);
}

}  // namespace kit::sessions
