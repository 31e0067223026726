#include "modules/auth/auth.hpp"
#include "platform/db/database.hpp"
#include "platform/db/rows.hpp"

#include <boost/describe/class.hpp>

#include <array>

namespace kit::auth {

BOOST_DESCRIBE_STRUCT(Holder, (), (user_id, email, name, password_hash, email_verified))
BOOST_DESCRIBE_STRUCT(TokenRequest, (), (id, purpose, email, created_at))

namespace {

constexpr db::Query insert_request_row{
    "auth.insert_token_request", "INSERT INTO token_requests (purpose, email, created_at) VALUES ($1, $2, $3)"
};

constexpr db::Query list_requests{
    .name = "auth.list_token_requests",
    .sql = "SELECT id, purpose, email, created_at FROM token_requests ORDER BY id LIMIT $1",
    .brief = true
};

constexpr db::Query delete_request{"auth.take_token_request", "DELETE FROM token_requests WHERE id = $1"};

// A disabled user cannot act: neither gets he a token, nor counts one that he has.
#define KIT_HOLDER                                                                             \
    "SELECT u.id AS user_id, u.email, u.name, c.password_hash, c.email_verified FROM users u " \
    "JOIN local_credentials c ON c.user_id = u.id "

constexpr db::Query find_holder_by_id{
    .name = "auth.find_holder", .sql = KIT_HOLDER "WHERE u.id = $1 AND u.status = 'active'", .brief = true
};

constexpr db::Query find_holder_by_email{
    .name = "auth.find_holder_by_email",
    .sql = KIT_HOLDER "WHERE u.email = $1 AND u.status = 'active'",
    .brief = true
};

constexpr db::Query find_holder_by_token{
    .name = "auth.find_holder_by_token",
    .sql = KIT_HOLDER
    "JOIN verification_tokens t ON t.user_id = u.id WHERE t.token_hash = $1 AND t.purpose = $2 "
    "AND t.used_at IS NULL AND t.expires_at > $3 AND u.status = 'active'",
    .brief = true
};

#undef KIT_HOLDER

constexpr db::Query lock_credential_row{
    "auth.lock_credential",
    "UPDATE local_credentials SET updated_at = updated_at WHERE user_id = $1 RETURNING email_verified"
};

struct Locked {
    bool email_verified;
};
BOOST_DESCRIBE_STRUCT(Locked, (), (email_verified))

constexpr db::Query supersede_tokens{
    "auth.supersede_tokens",
    "UPDATE verification_tokens SET used_at = $3, updated_at = $3 "
    "WHERE user_id = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3"
};

constexpr db::Query insert_token{
    "auth.insert_token",
    "INSERT INTO verification_tokens (user_id, purpose, token_hash, expires_at, created_at, updated_at) "
    "VALUES ($1, $2, $3, $4, $5, $5)"
};

#define KIT_OF_TOKEN                                                                                 \
    "WHERE user_id = (SELECT t.user_id FROM verification_tokens t JOIN users u ON u.id = t.user_id " \
    "WHERE t.token_hash = $1 AND t.purpose = $2 AND t.used_at IS NULL AND t.expires_at > $3 "        \
    "AND u.status = 'active')"

constexpr db::Query verify_email_by_token{
    "auth.verify_email_by_token",
    "UPDATE local_credentials SET email_verified = true, email_verified_at = $3, updated_at = "
    "$3 " KIT_OF_TOKEN
};

constexpr db::Query set_hash_by_token{
    "auth.set_hash_by_token", "UPDATE local_credentials SET password_hash = $4, updated_at = $3 " KIT_OF_TOKEN
};

#undef KIT_OF_TOKEN

constexpr db::Query consume_token{
    "auth.consume_token",
    "UPDATE verification_tokens SET used_at = $3, updated_at = $3 "
    "WHERE token_hash = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3"
};

constexpr db::Query purge_tokens{
    "auth.purge_tokens",
    "DELETE FROM verification_tokens WHERE id IN "
    "(SELECT id FROM verification_tokens WHERE expires_at < $1 OR used_at < $1 LIMIT $2)"
};

std::array<db::Value, 3> values_of(const ShownToken& token)
{
    return {token.hash, to_string(token.purpose), token.now};
}

std::optional<Holder> first(std::vector<Holder> rows)
{
    return rows.empty() ? std::nullopt : std::optional(std::move(rows.front()));
}

// The statements that take note of a request, with what they refer to.
class NoteOfRequest {
public:
    NoteOfRequest(const TokensRepository::NewRequest& request, const audit::Entry& entry)
        : values_{to_string(request.purpose), request.email, request.now},
          event_(audit::Repository::values(entry)),
          statements_{{{&insert_request_row, values_}, {&audit::Repository::insert_query(), event_}}}
    {
    }

    NoteOfRequest(const NoteOfRequest&) = delete;
    NoteOfRequest& operator=(const NoteOfRequest&) = delete;
    ~NoteOfRequest() = default;

    std::span<const db::Statement> statements() const { return statements_; }

private:
    std::array<db::Value, 3> values_;
    std::vector<db::Value> event_;
    std::array<db::Statement, 2> statements_;
};

}  // namespace

Task<std::optional<Holder>> Repository::find_holder(db::Session& session, std::int64_t user_id)
{
    co_return first(co_await session.query<Holder>(find_holder_by_id, user_id));
}

Task<std::optional<Holder>> Repository::find_holder(db::Session& session, std::string_view email)
{
    co_return first(co_await session.query<Holder>(find_holder_by_email, email));
}

Task<void> TokensRepository::note_request(
    db::Session& session, const NewRequest& request, const audit::Entry& entry
)
{
    const NoteOfRequest note(request, entry);
    co_await session.run_all(note.statements());
}

Task<void> TokensRepository::insert_request(
    db::Database& database, const NewRequest& request, const audit::Entry& entry
)
{
    const NoteOfRequest note(request, entry);
    co_await database.run_atomically(note.statements());
}

Task<std::vector<TokenRequest>> TokensRepository::requests(db::Session& session, std::int64_t rows_max)
{
    co_return co_await session.query<TokenRequest>(list_requests, rows_max);
}

Task<bool> TokensRepository::take_request(db::Session& session, std::int64_t id)
{
    const auto taken = co_await session.execute(delete_request, id);
    co_return taken > 0;
}

Task<std::optional<bool>> TokensRepository::lock_credential(
    db::Transaction& transaction, std::int64_t user_id
)
{
    const auto rows = co_await transaction.query<Locked>(lock_credential_row, user_id);
    co_return rows.empty() ? std::nullopt : std::optional(rows.front().email_verified);
}

Task<void> TokensRepository::insert(db::Transaction& transaction, const NewToken& token)
{
    const auto purpose = to_string(token.purpose);
    const std::array<db::Value, 3> older{token.user_id, purpose, token.now};
    const std::array<db::Value, 5> row{token.user_id, purpose, token.hash, token.expires_at, token.now};
    const std::array<db::Statement, 2> statements{{{&supersede_tokens, older}, {&insert_token, row}}};
    co_await transaction.run_all(statements);
}

Task<std::optional<Holder>> TokensRepository::find_holder(db::Session& session, const ShownToken& token)
{
    const auto values = values_of(token);
    const auto rows = co_await session.run({&find_holder_by_token, values});
    co_return first(db::map_rows<Holder>(find_holder_by_token, rows));
}

Task<bool> TokensRepository::verify_email(db::Transaction& transaction, const ShownToken& token)
{
    const auto values = values_of(token);
    const auto touched = co_await transaction.run({&verify_email_by_token, values});
    co_return touched.affected() > 0;
}

Task<bool> TokensRepository::set_hash(
    db::Transaction& transaction, const ShownToken& token, std::string_view password_hash
)
{
    const auto touched = co_await transaction.execute(
        set_hash_by_token, token.hash, to_string(token.purpose), token.now, password_hash
    );
    co_return touched > 0;
}

Task<bool> TokensRepository::consume(db::Transaction& transaction, const ShownToken& token)
{
    const auto values = values_of(token);
    const auto used = co_await transaction.run({&consume_token, values});
    co_return used.affected() > 0;
}

Task<std::int64_t> TokensRepository::purge(db::Session& session, Timestamp cutoff, std::int64_t rows_max)
{
    co_return co_await session.execute(purge_tokens, cutoff, rows_max);
}

}  // namespace kit::auth
