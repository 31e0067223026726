// What a provider says of somebody: in its ID token, and at its userinfo endpoint.
#pragma once

#include "platform/core/timestamp.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace kit::jwt {
class KeySet;
struct SignedToken;
}  // namespace kit::jwt

namespace kit::auth {

// Absent texts are empty.
struct Claims {
    std::string subject;
    std::string email;
    std::optional<bool> email_verified;
    std::string name;
    std::string picture;
};

// Why an ID token was refused: for the log and tests. Clients learn none of it.
enum class IdTokenFault : std::uint8_t {
    malformed,
    unknown_key,
    bad_signature,
    wrong_issuer,
    wrong_audience,
    wrong_party,
    wrong_nonce,
    expired,
    not_yet_valid,
};

std::string_view to_string(IdTokenFault fault);

struct ExpectedToken {
    std::string_view issuer;
    std::string_view issuer_alias;  // empty: none
    std::string_view client_id;
    std::string_view nonce;
    Timestamp now;
};

// How far a provider's clock may be from ours.
inline constexpr std::chrono::seconds clock_skew_max{60};

// The claims of a token that one of the keys has signed, and that was made for this very sign-in: OpenID
// Connect Core 1.0 section 3.1.3.7.
std::expected<Claims, IdTokenFault> verify_id_token(
    const jwt::SignedToken& token, const jwt::KeySet& keys, const ExpectedToken& expected
);

// The answer of a userinfo endpoint; nothing where it is no JSON object with a `sub`.
std::optional<Claims> read_userinfo(std::string_view document);

}  // namespace kit::auth
