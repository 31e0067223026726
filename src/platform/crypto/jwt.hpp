// JSON Web Tokens (RFC 7519) in the forms that we issue: JWS compact serialisation, HS256, or a signature
// that others can check (signed_token.hpp). The algorithm belongs to the key, never to the token.
#pragma once

#include "platform/core/timestamp.hpp"
#include "platform/crypto/hash.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kit::jwt {

inline constexpr std::size_t token_bytes_max = 8192;

// Why a token was refused: for metrics and tests. Clients learn none of it.
enum class Failure : std::uint8_t {
    malformed,  // not three segments of canonical base64url, not a flat JSON object, a claim of the wrong
                // type, too large
    wrong_algorithm,  // a header that does not say HS256, or asks for what we do not do
    bad_signature,
    wrong_issuer,
    wrong_audience,
    wrong_type,
    missing_expiry,
    expired,
    not_yet_valid,
};

std::string_view to_string(Failure failure);

// The claims of a token that was accepted. Absent texts are empty; `permissions` is informational and not
// read back.
struct Claims {
    std::string subject;                     // sub
    std::string id;                          // jti
    std::string session;                     // sid
    std::optional<std::int64_t> generation;  // gen
    std::optional<Timestamp> issued_at;      // iat
    Timestamp expires_at;                    // exp
    std::vector<std::string> roles;
};

// Thread-safe.
class Signer {
public:
    // Throws std::invalid_argument if the key is empty.
    explicit Signer(std::string_view key);

    // The token over `claims_json`, a JSON object, under the header {"alg":"HS256","typ":"JWT"}.
    std::string sign(std::string_view claims_json) const;

private:
    HmacKey key_;
};

enum class Expiry : std::uint8_t {
    enforced,
    ignored,  // for asking whose token this was; `exp` must be there all the same
};

// Thread-safe.
class Verifier {
public:
    struct Expected {
        std::string issuer;
        std::string audience;
        std::string token_type;
    };

    // Throws std::invalid_argument if the key is empty.
    Verifier(std::string_view key, Expected expected);

    // The claims, if the token is signed with the key, is for us, of the right type and, without leeway, not
    // expired at `now`. Nothing in the payload is looked at before the signature has been found good.
    std::expected<Claims, Failure> verify(
        std::string_view token, Timestamp now, Expiry expiry = Expiry::enforced
    ) const;

    // The claims of a payload whose signature another key has proven good.
    std::expected<Claims, Failure> check(
        std::string_view payload, Timestamp now, Expiry expiry = Expiry::enforced
    ) const;

    // The payload's bytes, if the token is signed with the key. Says nothing about the claims.
    std::expected<std::string, Failure> verify_signature(std::string_view token) const;

private:
    HmacKey key_;
    Expected expected_;
};

}  // namespace kit::jwt
