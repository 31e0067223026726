#include "platform/crypto/jwt.hpp"

#include "platform/core/encoding.hpp"
#include "platform/crypto/claims_reader.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

namespace kit::jwt {

namespace {

// base64url of {"alg":"HS256","typ":"JWT"}
constexpr std::string_view own_header = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

// NumericDate values beyond 9999-12-31T23:59:59Z are nonsense, and would overflow a Timestamp.
constexpr std::int64_t seconds_max = 253'402'300'799;

std::string_view non_empty(std::string_view key)
{
    if (key.empty()) {
        throw std::invalid_argument("an empty key signs nothing");
    }
    return key;
}

std::string signature_of(const HmacKey& key, std::string_view signed_text)
{
    return base64url_encode(as_text(key.mac(signed_text)));
}

// Is this JOSE header one that asks for exactly what we do? Other parameters (`kid`, …) pass unread, as RFC
// 7515 section 4 wants; a `jwk` or another nested value is malformed to the reader.
std::optional<Failure> check_header(std::string_view segment)
{
    if (segment == own_header) {
        return std::nullopt;
    }
    const auto header = base64url_decode(segment);
    if (!header) {
        return Failure::malformed;
    }
    ClaimsReader reader(*header);
    std::string algorithm;
    std::string type = "JWT";
    bool critical = false;
    for (std::string_view name; reader.next(name);) {
        if (name == "alg") {
            reader.read_string(algorithm);
        } else if (name == "typ") {
            reader.read_string(type);
        } else {
            critical = critical || name == "crit";  // RFC 7515 section 4.1.11: we understand no extension
            reader.skip();
        }
    }
    if (!reader.finished()) {
        return Failure::malformed;
    }
    if (algorithm != "HS256" || critical || !equal_ignoring_case(type, "JWT")) {
        return Failure::wrong_algorithm;
    }
    return std::nullopt;
}

struct Payload {
    Claims claims;
    std::string issuer;
    std::string token_type;
    std::vector<std::string> audiences;
    bool has_expiry = false;
    Timestamp not_before = Timestamp::min();
};

bool read_time(ClaimsReader& reader, Timestamp& time)
{
    std::int64_t seconds = 0;
    if (!reader.read_integer(seconds) || seconds > seconds_max || seconds < -seconds_max) {
        return false;
    }
    time = Timestamp(std::chrono::seconds(seconds));
    return true;
}

bool read_claim(ClaimsReader& reader, std::string_view name, Payload& payload)
{
    auto& claims = payload.claims;
    if (name == "iss") {
        return reader.read_string(payload.issuer);
    }
    if (name == "sub") {
        return reader.read_string(claims.subject);
    }
    if (name == "aud") {
        return reader.read_string_or_strings(payload.audiences);
    }
    if (name == "exp") {
        payload.has_expiry = true;
        return read_time(reader, claims.expires_at);
    }
    if (name == "nbf") {
        return read_time(reader, payload.not_before);
    }
    if (name == "iat") {
        return read_time(reader, claims.issued_at.emplace());
    }
    if (name == "jti") {
        return reader.read_string(claims.id);
    }
    if (name == "sid") {
        return reader.read_string(claims.session);
    }
    if (name == "gen") {
        return reader.read_integer(claims.generation.emplace());
    }
    if (name == "roles") {
        return reader.read_strings(claims.roles);
    }
    if (name == "token_type") {
        return reader.read_string(payload.token_type);
    }
    return reader.skip();
}

std::optional<Payload> read_payload(std::string_view text)
{
    ClaimsReader reader(text);
    Payload payload;
    for (std::string_view name; reader.next(name);) {
        if (!read_claim(reader, name, payload)) {
            return std::nullopt;
        }
    }
    if (!reader.finished()) {
        return std::nullopt;
    }
    return payload;
}

}  // namespace

std::string_view to_string(Failure failure)
{
    switch (failure) {
        case Failure::malformed:
            return "malformed";
        case Failure::wrong_algorithm:
            return "wrong_algorithm";
        case Failure::bad_signature:
            return "bad_signature";
        case Failure::wrong_issuer:
            return "wrong_issuer";
        case Failure::wrong_audience:
            return "wrong_audience";
        case Failure::wrong_type:
            return "wrong_type";
        case Failure::missing_expiry:
            return "missing_expiry";
        case Failure::expired:
            return "expired";
        case Failure::not_yet_valid:
            return "not_yet_valid";
    }
    return "unknown";
}

Signer::Signer(std::string_view key) : key_(non_empty(key)) {}

std::string Signer::sign(std::string_view claims_json) const
{
    std::string token(own_header);
    token += '.';
    token += base64url_encode(claims_json);
    const auto signature = signature_of(key_, token);
    token += '.';
    token += signature;
    return token;
}

Verifier::Verifier(std::string_view key, Expected expected)
    : key_(non_empty(key)), expected_(std::move(expected))
{
}

std::expected<std::string, Failure> Verifier::verify_signature(std::string_view token) const
{
    const auto first = token.find('.');
    const auto last = token.rfind('.');
    if (token.size() > token_bytes_max || first == last || token.find('.', first + 1) != last) {
        return std::unexpected(Failure::malformed);
    }
    if (const auto failure = check_header(token.substr(0, first))) {
        return std::unexpected(*failure);
    }
    // Comparing the text and not its bytes refuses every other spelling of the same signature.
    if (!constant_time_equal(token.substr(last + 1), signature_of(key_, token.substr(0, last)))) {
        return std::unexpected(Failure::bad_signature);
    }
    auto payload = base64url_decode(token.substr(first + 1, last - first - 1));
    if (!payload) {
        return std::unexpected(Failure::malformed);
    }
    return *std::move(payload);
}

std::expected<Claims, Failure> Verifier::verify(std::string_view token, Timestamp now, Expiry expiry) const
{
    const auto text = verify_signature(token);
    if (!text) {
        return std::unexpected(text.error());
    }
    return check(*text, now, expiry);
}

std::expected<Claims, Failure> Verifier::check(std::string_view text, Timestamp now, Expiry expiry) const
{
    auto payload = read_payload(text);
    if (!payload) {
        return std::unexpected(Failure::malformed);
    }
    if (payload->issuer != expected_.issuer) {
        return std::unexpected(Failure::wrong_issuer);
    }
    if (std::ranges::find(payload->audiences, expected_.audience) == payload->audiences.end()) {
        return std::unexpected(Failure::wrong_audience);
    }
    if (payload->token_type != expected_.token_type) {
        return std::unexpected(Failure::wrong_type);
    }
    if (!payload->has_expiry) {
        return std::unexpected(Failure::missing_expiry);
    }
    if (now < payload->not_before) {
        return std::unexpected(Failure::not_yet_valid);
    }
    if (expiry == Expiry::enforced && now >= payload->claims.expires_at) {
        return std::unexpected(Failure::expired);
    }
    return std::move(payload->claims);
}

}  // namespace kit::jwt
