#include "modules/auth/auth.hpp"
#include "platform/db/database.hpp"
#include "platform/db/rows.hpp"

#include <boost/describe/class.hpp>

#include <array>

namespace kit::auth {

BOOST_DESCRIBE_STRUCT(Credential, (), (user_id, password_hash, email_verified))

namespace {

constexpr db::Query find_credential{
    .name = "auth.find_credential",
    .sql =
        "SELECT c.user_id, c.password_hash, c.email_verified FROM local_credentials c JOIN users u ON u.id = "
        "c.user_id "
        "WHERE u.email = $1",
    .brief = true
};

constexpr db::Query insert_credential_row{
    "auth.insert_credential",
    "INSERT INTO local_credentials (user_id, password_hash, email_verified, email_verified_at, created_at, "
    "updated_at) "
    "VALUES ($1, $2, $3, $4, $5, $5)"
};

constexpr db::Query replace_hash_row{
    "auth.replace_hash",
    "UPDATE local_credentials SET password_hash = $3, updated_at = $4 WHERE user_id = $1 AND password_hash = "
    "$2"
};

constexpr db::Query verify_email_row{
    "auth.verify_email",
    "UPDATE local_credentials SET email_verified = true, email_verified_at = $2, updated_at = $2 "
    "WHERE user_id = (SELECT id FROM users WHERE email = $1)"
};

}  // namespace

Task<Repository::Login> Repository::find_login(db::Database& database, std::string_view email)
{
    const std::array<db::Value, 1> values{email};
    const std::array<db::Statement, 2> statements{
        {{&find_credential, values}, {&users::Repository::find_by_email_query(), values}}
    };
    const auto results = co_await database.run_all(statements);
    auto credentials = db::map_rows<Credential>(find_credential, results[0]);
    Login login;
    if (!credentials.empty()) {
        login.credential = std::move(credentials.front());
    }
    login.user = users::Repository::from_rows(results[1]);
    co_return login;
}

Task<void> Repository::insert_credential(db::Session& session, const NewCredential& credential)
{
    const auto verified_at = credential.email_verified ? std::optional(credential.now) : std::nullopt;
    co_await session.execute(
        insert_credential_row,
        credential.user_id,
        credential.password_hash,
        credential.email_verified,
        verified_at,
        credential.now
    );
}

Task<bool> Repository::replace_hash(db::Session& session, const NewHash& hash)
{
    const auto touched =
        co_await session.execute(replace_hash_row, hash.user_id, hash.current, hash.next, hash.now);
    co_return touched > 0;
}

Task<bool> Repository::verify_email(db::Session& session, std::string_view email, Timestamp now)
{
    const auto touched = co_await session.execute(verify_email_row, email, now);
    co_return touched > 0;
}

}  // namespace kit::auth
