#include "modules/auth/auth_oidc_repository.hpp"

#include "platform/db/database.hpp"
#include "platform/db/rows.hpp"

#include <boost/describe/class.hpp>

#include <array>

namespace kit::auth {

BOOST_DESCRIBE_STRUCT(OidcAccount, (), (user_id, name, avatar_url))

namespace {

struct Row {
    std::int64_t id;
};
BOOST_DESCRIBE_STRUCT(Row, (), (id))

constexpr db::Query insert_state{
    "auth.use_oauth_state",
    "INSERT INTO used_oauth_states (state_hash, expires_at) VALUES ($1, $2) ON CONFLICT (state_hash) DO "
    "NOTHING"
};

constexpr db::Query delete_states{
    "auth.purge_oauth_states",
    "DELETE FROM used_oauth_states WHERE state_hash IN "
    "(SELECT state_hash FROM used_oauth_states WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)"
};

constexpr db::Query find_account{
    .name = "auth.find_oauth_account",
    .sql =
        "SELECT user_id, name, avatar_url FROM o_auth_accounts WHERE provider = $1 AND provider_user_id = $2",
    .brief = true
};

constexpr db::Query insert_account{
    "auth.insert_oauth_account",
    "INSERT INTO o_auth_accounts (user_id, provider, provider_user_id, email_verified, name, avatar_url, "
    "created_at, updated_at) VALUES ($1, $2, $3, true, $4, $5, $6, $6) "
    "ON CONFLICT (provider, provider_user_id) DO NOTHING"
};

constexpr db::Query update_account{
    "auth.update_oauth_account",
    "UPDATE o_auth_accounts SET name = $3, avatar_url = $4, updated_at = $5 "
    "WHERE provider = $1 AND provider_user_id = $2"
};

// A registration that needs no verification marks the address as verified in the same moment; a link does so
// later.
constexpr db::Query find_proof{
    "auth.address_proven",
    "SELECT u.id FROM users u WHERE u.id = $1 AND ("
    "EXISTS (SELECT 1 FROM local_credentials c WHERE c.user_id = u.id AND c.email_verified = true "
    "AND ($2 OR c.email_verified_at > c.created_at)) "
    "OR EXISTS (SELECT 1 FROM o_auth_accounts a WHERE a.user_id = u.id AND a.email_verified = true))"
};

// '!' is no hash: every password fails against it.
constexpr db::Query void_password_row{
    "auth.void_password",
    "UPDATE local_credentials SET password_hash = '!', email_verified = true, email_verified_at = $2, "
    "updated_at = $2 WHERE user_id = $1"
};

constexpr db::Query supersede_tokens{
    "auth.void_tokens",
    "UPDATE verification_tokens SET used_at = $2, updated_at = $2 WHERE user_id = $1 AND used_at IS NULL"
};

constexpr db::Query update_user_profile{
    "auth.update_user_profile", "UPDATE users SET name = $2, avatar_url = $3, updated_at = $4 WHERE id = $1"
};

}  // namespace

Task<bool> OidcRepository::use_state(db::Session& session, std::string_view state_hash, Timestamp expires_at)
{
    co_return co_await session.execute(insert_state, state_hash, expires_at) > 0;
}

Task<std::int64_t> OidcRepository::purge_states(db::Session& session, Timestamp now, std::int64_t rows_max)
{
    co_return co_await session.execute(delete_states, now, rows_max);
}

Task<std::optional<OidcAccount>> OidcRepository::find(db::Session& session, const Key& key)
{
    auto rows = co_await session.query<OidcAccount>(find_account, key.provider, key.subject);
    co_return rows.empty() ? std::nullopt : std::optional(std::move(rows.front()));
}

Task<bool> OidcRepository::insert(
    db::Transaction& transaction, const Key& key, const OidcAccount& account, Timestamp now
)
{
    const auto inserted = co_await transaction.execute(
        insert_account, account.user_id, key.provider, key.subject, account.name, account.avatar_url, now
    );
    co_return inserted > 0;
}

Task<void> OidcRepository::update_profile(
    db::Transaction& transaction, const Key& key, const OidcAccount& account, Timestamp now
)
{
    co_await transaction.execute(
        update_account, key.provider, key.subject, account.name, account.avatar_url, now
    );
}

Task<bool> OidcRepository::address_proven(db::Session& session, std::int64_t user_id, bool unproven_counts)
{
    const auto rows = co_await session.query<Row>(find_proof, user_id, unproven_counts);
    co_return !rows.empty();
}

Task<void> OidcRepository::void_password(db::Transaction& transaction, std::int64_t user_id, Timestamp now)
{
    const std::array<db::Value, 2> values{user_id, now};
    const std::array<db::Statement, 2> statements{{{&void_password_row, values}, {&supersede_tokens, values}}
    };
    co_await transaction.run_all(statements);
}

Task<void> OidcRepository::set_profile(
    db::Transaction& transaction, std::int64_t user_id, const Profile& profile, Timestamp now
)
{
    co_await transaction.execute(update_user_profile, user_id, profile.name, profile.avatar_url, now);
}

}  // namespace kit::auth
