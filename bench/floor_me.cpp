#include "floor_me.hpp"

#include <libpq-fe.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sqlite3.h>

#include <poll.h>
#include <stdexcept>

namespace bench {

namespace {

enum Column : std::uint8_t {
    user_id,
    user_email,
    user_name,
    user_avatar_url,
    user_status,
    user_last_login_at,
    user_created_at,
    user_updated_at,
    role_id,
    role_name,
    role_description,
    role_created_at,
    role_updated_at,
    permission_id,
    permission_resource,
    permission_action,
    permission_created_at,
    permission_updated_at,
};

constexpr const char* find_user =
    "SELECT u.id, u.email, u.name, u.avatar_url, u.status, u.last_login_at, u.created_at, u.updated_at,"
    " r.id, r.name, r.description, r.created_at, r.updated_at,"
    " p.id, p.resource, p.action, p.created_at, p.updated_at"
    " FROM users u"
    " LEFT JOIN user_roles ur ON ur.user_id = u.id LEFT JOIN roles r ON r.id = ur.role_id"
    " LEFT JOIN role_permissions rp ON rp.role_id = r.id LEFT JOIN permissions p ON p.id = rp.permission_id"
    " WHERE u.id = $1 ORDER BY r.id, p.id";

// base64url of {"alg":"HS256","typ":"JWT"}: the algorithm is ours to choose, not the token's.
constexpr std::string_view token_head = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.";
constexpr std::size_t token_bytes_max = 2048;
constexpr std::size_t signature_bytes = 32;
constexpr std::string_view unset_time = "0001-01-01T00:00:00Z";

constexpr std::array<std::int8_t, 256> base64url_values()
{
    std::array<std::int8_t, 256> values{};
    values.fill(-1);
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (std::size_t i = 0; i < digits.size(); ++i) {
        values[static_cast<unsigned char>(digits[i])] = static_cast<std::int8_t>(i);
    }
    return values;
}

// The number of bytes written to `out` (3/4 of the text), or nothing if a character is not of the alphabet.
std::optional<std::size_t> decode_base64url(std::string_view text, char* out)
{
    static constexpr auto values = base64url_values();
    unsigned bits = 0;
    unsigned held = 0;
    std::size_t size = 0;
    for (const char digit : text) {
        const auto value = values[static_cast<unsigned char>(digit)];
        if (value < 0) {
            return std::nullopt;
        }
        held = (held << 6U) | static_cast<unsigned char>(value);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[size++] = static_cast<char>(held >> bits);
        }
    }
    return size;
}

std::optional<std::uint64_t> number_after(std::string_view text, std::string_view key)
{
    const auto at = text.find(key);
    std::uint64_t number = 0;
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    const char* begin = text.data() + at + key.size();
    return std::from_chars(begin, text.data() + text.size(), number).ec == std::errc{} ? std::optional(number)
                                                                                       : std::nullopt;
}

}  // namespace

TokenCheck::TokenCheck(const Expected& expected)
    : issuer_claim_(R"("iss":")" + expected.issuer + '"'),
      audience_claim_(R"("aud":[")" + expected.audience + R"("])")
{
    EVP_MAC* algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    mac_ = EVP_MAC_CTX_new(algorithm);
    EVP_MAC_free(algorithm);
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()
    };
    const auto* key = reinterpret_cast<const unsigned char*>(expected.secret.data());
    if (mac_ == nullptr || EVP_MAC_init(mac_, key, expected.secret.size(), parameters) != 1) {
        throw std::runtime_error("OpenSSL offers no HMAC-SHA256");
    }
}

TokenCheck::~TokenCheck()
{
    EVP_MAC_CTX_free(mac_);
}

bool TokenCheck::signed_by_us(std::string_view text, std::string_view signature) const
{
    std::array<unsigned char, signature_bytes> expected{};
    std::array<char, signature_bytes + 1> given{};
    std::size_t size = 0;
    // Without a key, init starts over with the digest states the key has already been through.
    return signature.size() == 43 && decode_base64url(signature, given.data()) == signature_bytes &&
           EVP_MAC_init(mac_, nullptr, 0, nullptr) == 1 &&
           EVP_MAC_update(mac_, reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1 &&
           EVP_MAC_final(mac_, expected.data(), &size, expected.size()) == 1 &&
           CRYPTO_memcmp(expected.data(), given.data(), expected.size()) == 0;
}

std::optional<std::uint64_t> TokenCheck::subject(std::string_view token, std::time_t now) const
{
    const auto dot = token.rfind('.');
    if (!token.starts_with(token_head) || token.size() > token_bytes_max || dot < token_head.size() ||
        !signed_by_us(token.substr(0, dot), token.substr(dot + 1))) {
        return std::nullopt;
    }
    std::array<char, token_bytes_max> decoded;
    const auto size =
        decode_base64url(token.substr(token_head.size(), dot - token_head.size()), decoded.data());
    if (!size) {
        return std::nullopt;
    }
    // The payload is compact JSON that we wrote ourselves: the signature says so.
    const std::string_view claims(decoded.data(), *size);
    const auto expiry = number_after(claims, "\"exp\":");
    if (!expiry || *expiry <= static_cast<std::uint64_t>(now) || !claims.contains(issuer_claim_) ||
        !claims.contains(audience_claim_) || !claims.contains(R"("token_type":"access")")) {
        return std::nullopt;
    }
    return number_after(claims, R"("sub":")");
}

void UserJson::quoted(std::string_view text)
{
    out_ << "\"";
    for (std::size_t start = 0; start < text.size();) {
        std::size_t end = start;
        while (end < text.size() && static_cast<unsigned char>(text[end]) >= 0x20 && text[end] != '"' &&
               text[end] != '\\') {
            ++end;
        }
        out_ << text.substr(start, end - start);
        if (end < text.size()) {
            constexpr std::string_view hex = "0123456789abcdef";
            const auto byte = static_cast<unsigned char>(text[end]);
            out_ << "\\u00" << hex.substr(byte >> 4U, 1) << hex.substr(byte & 15U, 1);
            ++end;
        }
        start = end;
    }
    out_ << "\"";
}

// Both PostgreSQL's text form in UTC and SQLite's ISO 8601 become RFC 3339 without trailing zeros.
void UserJson::time(std::string_view text)
{
    out_ << "\"";
    if (text.size() < 19) {
        out_ << unset_time << "\"";
        return;
    }
    auto fraction = text.substr(19, text.find_first_of("+Z", 19) - 19);
    fraction = fraction.substr(0, fraction.find_last_not_of("0.") + 1);
    out_ << text.substr(0, 10) << "T" << text.substr(11, 8) << fraction << "Z\"";
}

void UserJson::open_role(const Row& row)
{
    out_ << (any_role_ ? ",{\"id\":" : R"(,"roles":[{"id":)") << row[role_id] << ",\"name\":";
    any_role_ = true;
    any_permission_ = false;
    quoted(row[role_name]);
    out_ << ",\"description\":";
    quoted(row[role_description]);

    // The row may be gone when the role closes.
    row[role_id].copy(role_id_.data(), role_id_.size());
    UserJson times(role_times_.data());
    times.out_ << ",\"created_at\":";
    times.time(row[role_created_at]);
    times.out_ << ",\"updated_at\":";
    times.time(row[role_updated_at]);
    role_times_size_ = times.out_.view().size();
}

void UserJson::close_role()
{
    if (any_role_) {
        out_ << (any_permission_ ? "]" : "") << std::string_view(role_times_.data(), role_times_size_) << "}";
    }
}

void UserJson::add(const Row& row)
{
    std::size_t bytes = 512;  // keys and punctuation
    for (const auto cell : row) {
        bytes += 6 * cell.size();
    }
    too_long_ = too_long_ || out_.view().size() + bytes > user_bytes_max;
    if (too_long_) {
        return;
    }
    if (!any_row_) {
        any_row_ = true;
        out_ << "{\"id\":" << row[user_id];
        constexpr std::array texts = {
            std::pair{",\"email\":", user_email},
            std::pair{",\"name\":", user_name},
            std::pair{",\"avatar_url\":", user_avatar_url},
            std::pair{",\"status\":", user_status}
        };
        for (const auto& [key, column] : texts) {
            out_ << key;
            quoted(row[column]);
        }
        out_ << ",\"last_login_at\":";
        time(row[user_last_login_at]);
        out_ << ",\"created_at\":";
        time(row[user_created_at]);
        out_ << ",\"updated_at\":";
        time(row[user_updated_at]);
    }
    if (row[role_id].data() == nullptr) {
        return;
    }
    if (!any_role_ || row[role_id] != std::string_view(role_id_.data())) {
        close_role();
        role_id_.fill('\0');
        open_role(row);
    }
    if (row[permission_id].data() != nullptr) {
        out_ << (any_permission_ ? ",{\"id\":" : R"(,"permissions":[{"id":)") << row[permission_id]
             << ",\"resource\":";
        any_permission_ = true;
        quoted(row[permission_resource]);
        out_ << ",\"action\":";
        quoted(row[permission_action]);
        out_ << ",\"created_at\":";
        time(row[permission_created_at]);
        out_ << ",\"updated_at\":";
        time(row[permission_updated_at]);
        out_ << "}";
    }
}

std::string_view UserJson::finish()
{
    if (!any_row_ || too_long_) {
        return {};
    }
    close_role();
    out_ << (any_role_ ? "]}" : "}");
    return out_.view();
}

PostgresUsers::PostgresUsers(const std::string& url) : connection_(PQconnectdb(url.c_str()))
{
    const auto prepared = [this] {
        PGresult* zone = PQexec(connection_, "SET timezone = 'UTC'");
        PGresult* result = PQprepare(connection_, "find_user", find_user, 1, nullptr);
        const bool ok =
            PQresultStatus(zone) == PGRES_COMMAND_OK && PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(zone);
        PQclear(result);
        return ok;
    };
    if (PQstatus(connection_) != CONNECTION_OK || !prepared() || PQsetnonblocking(connection_, 1) != 0 ||
        PQenterPipelineMode(connection_) != 1) {
        throw std::runtime_error(PQerrorMessage(connection_));
    }
}

PostgresUsers::~PostgresUsers()
{
    PQfinish(connection_);
}

int PostgresUsers::socket() const
{
    return PQsocket(connection_);
}

void PostgresUsers::ask(int connection, std::uint64_t user)
{
    std::array<char, 24> text{};
    std::to_chars(text.data(), text.data() + text.size() - 1, user);
    const char* values[] = {text.data()};
    if (PQsendQueryPrepared(connection_, "find_user", 1, values, nullptr, nullptr, 0) != 1) {
        throw std::runtime_error(PQerrorMessage(connection_));
    }
    asked_[(first_asked_ + asked_count_++) % asked_.size()] = connection;
    ++answers_due_;
    unsent_ = true;
}

void PostgresUsers::end_of_turn()
{
    if (!unsent_) {
        return;
    }
    unsent_ = false;
    ++answers_due_;
    if (PQpipelineSync(connection_) != 1) {
        throw std::runtime_error(PQerrorMessage(connection_));
    }
    while (PQflush(connection_) == 1) {
        pollfd writable{.fd = socket(), .events = POLLOUT, .revents = 0};
        poll(&writable, 1, -1);
    }
}

void PostgresUsers::readable(const OnUser& on_user)
{
    if (PQconsumeInput(connection_) != 1) {
        throw std::runtime_error(PQerrorMessage(connection_));
    }
    std::array<char, user_bytes_max> json;
    while (answers_due_ > 0 && PQisBusy(connection_) == 0) {
        PGresult* result = PQgetResult(connection_);
        if (result == nullptr) {  // the end of one question's results
            continue;
        }
        --answers_due_;
        if (PQresultStatus(result) == PGRES_TUPLES_OK) {
            UserJson user(json.data());
            for (int i = 0; i < PQntuples(result); ++i) {
                UserJson::Row row;
                for (int column = 0; column < static_cast<int>(row.size()); ++column) {
                    if (PQgetisnull(result, i, column) == 0) {
                        row[column] = {
                            PQgetvalue(result, i, column),
                            static_cast<std::size_t>(PQgetlength(result, i, column))
                        };
                    }
                }
                user.add(row);
            }
            const int connection = asked_[first_asked_];
            first_asked_ = (first_asked_ + 1) % asked_.size();
            --asked_count_;
            on_user(connection, user.finish());
        } else if (PQresultStatus(result) != PGRES_PIPELINE_SYNC) {
            throw std::runtime_error(PQresultErrorMessage(result));
        }
        PQclear(result);
    }
}

SqliteUsers::SqliteUsers(const std::string& file)
{
    if (sqlite3_open_v2(file.c_str(), &database_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr) !=
            SQLITE_OK ||
        sqlite3_prepare_v3(database_, find_user, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr) !=
            SQLITE_OK) {
        throw std::runtime_error(sqlite3_errmsg(database_));
    }
}

SqliteUsers::~SqliteUsers()
{
    sqlite3_finalize(statement_);
    sqlite3_close(database_);
}

std::string_view SqliteUsers::find(std::uint64_t user, char* buffer)
{
    sqlite3_bind_int64(statement_, 1, static_cast<sqlite3_int64>(user));
    UserJson json(buffer);
    int step = 0;
    while ((step = sqlite3_step(statement_)) == SQLITE_ROW) {
        UserJson::Row row;
        for (int column = 0; column < static_cast<int>(row.size()); ++column) {
            const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
            if (text != nullptr) {
                row[column] = {text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
            }
        }
        json.add(row);
    }
    sqlite3_reset(statement_);
    if (step != SQLITE_DONE) {
        throw std::runtime_error(sqlite3_errmsg(database_));
    }
    return json.finish();
}

}  // namespace bench
