#include "modules/auth/auth_id_token_service.hpp"

#include "platform/crypto/claims_reader.hpp"
#include "platform/crypto/hash.hpp"
#include "platform/crypto/jwk_set.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace kit::auth {

namespace {

// OpenID Connect Core 1.0 section 2: at most 255 ASCII characters. The column has room for no more.
constexpr std::size_t subject_bytes_max = 255;

// NumericDate values beyond 9999-12-31T23:59:59Z are nonsense, and would overflow a Timestamp.
constexpr std::int64_t seconds_max = 253'402'300'799;

struct Payload {
    Claims claims;
    std::string issuer;
    std::vector<std::string> audiences;
    std::string authorized_party;
    std::string nonce;
    std::optional<Timestamp> expires_at;
    std::optional<Timestamp> issued_at;
    std::optional<Timestamp> not_before;
};

bool read_time(jwt::ClaimsReader& reader, std::optional<Timestamp>& time)
{
    std::int64_t seconds = 0;
    if (!reader.read_integer(seconds) || seconds > seconds_max || seconds < 0) {
        return false;
    }
    time = Timestamp(std::chrono::seconds(seconds));
    return true;
}

// A text or null: some providers write null for what they do not know.
bool read_text(jwt::ClaimsReader& reader, std::string& text)
{
    std::string_view value;
    if (!reader.read_value(value)) {
        return false;
    }
    if (value == "null") {
        return true;
    }
    std::string document = R"({"value":)";
    document.append(value).append("}");
    jwt::ClaimsReader inner(document);
    std::string_view name;
    return inner.next(name) && inner.read_string(text);
}

// A boolean; some providers write it as a text.
bool read_boolean(jwt::ClaimsReader& reader, std::optional<bool>& boolean)
{
    std::string_view value;
    if (!reader.read_value(value)) {
        return false;
    }
    if (value == "true" || value == R"("true")") {
        boolean = true;
    } else if (value == "false" || value == R"("false")") {
        boolean = false;
    } else {
        return value == "null";
    }
    return true;
}

bool read_other(jwt::ClaimsReader& reader)
{
    std::string_view unread;
    return reader.read_value(unread);
}

bool read_person(jwt::ClaimsReader& reader, std::string_view name, Claims& claims)
{
    if (name == "sub") {
        return reader.read_string(claims.subject);
    }
    if (name == "email") {
        return read_text(reader, claims.email);
    }
    if (name == "email_verified") {
        return read_boolean(reader, claims.email_verified);
    }
    if (name == "name") {
        return read_text(reader, claims.name);
    }
    if (name == "picture") {
        return read_text(reader, claims.picture);
    }
    return read_other(reader);
}

bool read_claim(jwt::ClaimsReader& reader, std::string_view name, Payload& payload)
{
    if (name == "iss") {
        return reader.read_string(payload.issuer);
    }
    if (name == "aud") {
        return reader.read_string_or_strings(payload.audiences);
    }
    if (name == "azp") {
        return reader.read_string(payload.authorized_party);
    }
    if (name == "nonce") {
        return reader.read_string(payload.nonce);
    }
    if (name == "exp") {
        return read_time(reader, payload.expires_at);
    }
    if (name == "iat") {
        return read_time(reader, payload.issued_at);
    }
    if (name == "nbf") {
        return read_time(reader, payload.not_before);
    }
    return read_person(reader, name, payload.claims);
}

bool is_subject(std::string_view text)
{
    return !text.empty() && text.size() <= subject_bytes_max &&
           std::ranges::all_of(text, [](char byte) { return byte >= ' ' && byte < '\x7f'; });
}

std::optional<Payload> read_payload(std::string_view text)
{
    jwt::ClaimsReader reader(text);
    Payload payload;
    for (std::string_view name; reader.next(name);) {
        if (!read_claim(reader, name, payload)) {
            return std::nullopt;
        }
    }
    const bool whole = reader.finished() && payload.expires_at && payload.issued_at;
    return whole && is_subject(payload.claims.subject) ? std::optional(std::move(payload)) : std::nullopt;
}

// In the order of OpenID Connect Core 1.0 section 3.1.3.7.
std::optional<IdTokenFault> find_fault(const Payload& payload, const ExpectedToken& expected)
{
    const bool alias = !expected.issuer_alias.empty() && payload.issuer == expected.issuer_alias;
    if (payload.issuer != expected.issuer && !alias) {
        return IdTokenFault::wrong_issuer;
    }
    const auto& audiences = payload.audiences;
    if (std::ranges::find(audiences, expected.client_id) == audiences.end()) {
        return IdTokenFault::wrong_audience;
    }
    // Steps 4 and 5: a token for several parties says for whom of them it was made, and that is us.
    const bool named = !payload.authorized_party.empty();
    if ((audiences.size() > 1 && !named) || (named && payload.authorized_party != expected.client_id)) {
        return IdTokenFault::wrong_party;
    }
    if (expected.now >= *payload.expires_at + clock_skew_max) {
        return IdTokenFault::expired;
    }
    if (*payload.issued_at > expected.now + clock_skew_max ||
        (payload.not_before && *payload.not_before > expected.now + clock_skew_max)) {
        return IdTokenFault::not_yet_valid;
    }
    if (!constant_time_equal(payload.nonce, expected.nonce)) {
        return IdTokenFault::wrong_nonce;
    }
    return std::nullopt;
}

}  // namespace

std::string_view to_string(IdTokenFault fault)
{
    switch (fault) {
        case IdTokenFault::malformed:
            return "malformed";
        case IdTokenFault::unknown_key:
            return "unknown key";
        case IdTokenFault::bad_signature:
            return "bad signature";
        case IdTokenFault::wrong_issuer:
            return "wrong issuer";
        case IdTokenFault::wrong_audience:
            return "wrong audience";
        case IdTokenFault::wrong_party:
            return "wrong authorized party";
        case IdTokenFault::wrong_nonce:
            return "wrong nonce";
        case IdTokenFault::expired:
            return "expired";
        case IdTokenFault::not_yet_valid:
            return "not yet valid";
    }
    std::unreachable();
}

std::expected<Claims, IdTokenFault> verify_id_token(
    const jwt::SignedToken& token, const jwt::KeySet& keys, const ExpectedToken& expected
)
{
    const auto* const key = keys.find(token.key_id, token.algorithm);
    if (key == nullptr) {
        return std::unexpected(IdTokenFault::unknown_key);
    }
    if (!key->verify(token.signed_text, token.signature)) {
        return std::unexpected(IdTokenFault::bad_signature);
    }
    auto payload = read_payload(token.payload);
    if (!payload) {
        return std::unexpected(IdTokenFault::malformed);
    }
    if (const auto fault = find_fault(*payload, expected)) {
        return std::unexpected(*fault);
    }
    return std::move(payload->claims);
}

std::optional<Claims> read_userinfo(std::string_view document)
{
    jwt::ClaimsReader reader(document);
    Claims claims;
    for (std::string_view name; reader.next(name);) {
        if (!read_person(reader, name, claims)) {
            return std::nullopt;
        }
    }
    return reader.finished() && is_subject(claims.subject) ? std::optional(std::move(claims)) : std::nullopt;
}

}  // namespace kit::auth
