// Public keys of others (RFC 7517), and tokens that these have signed: JWS compact serialisation (RFC 7515)
// under RS256, ES256 (RFC 7518) or EdDSA with Ed25519 (RFC 8037). A key serves one algorithm, whatever a
// token says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kit::jwt {

enum class Algorithm : std::uint8_t { rs256, es256, eddsa };

// Nothing for every other name: `none`, the symmetric ones, and those that nobody uses.
std::optional<Algorithm> parse_algorithm(std::string_view name);

// Thread-safe; cheap to copy.
class PublicKey {
public:
    static constexpr int rsa_bits_min = 2048;  // RFC 7518 section 3.3
    static constexpr int rsa_bits_max = 8192;
    static constexpr int rsa_exponent_bits_max = 64;  // a longer one makes each check as slow as a signature

    // One JWK. Nothing where it is none, is not meant for signatures, or is of a kind that we do not verify.
    static std::optional<PublicKey> parse(std::string_view jwk);

    const std::string& id() const { return id_; }  // `kid`; empty: none

    Algorithm algorithm() const { return algorithm_; }

    bool verify(std::string_view signed_text, std::string_view signature) const;

private:
    struct Key;

    PublicKey(Algorithm algorithm, std::string id, std::shared_ptr<const Key> key);

    Algorithm algorithm_;
    std::string id_;
    std::shared_ptr<const Key> key_;
};

// A JWK Set, RFC 7517 section 5. Keys that are of no use here are left out.
class KeySet {
public:
    static constexpr std::size_t keys_max = 64;  // of a document; one with more is refused

    static std::optional<KeySet> parse(std::string_view document);

    // The one key that the token's header can mean; without `kid` only where there is no choice (OpenID
    // Connect Core 1.0 section 10.1). Null where there is none.
    const PublicKey* find(std::string_view id, Algorithm algorithm) const;

    std::size_t size() const { return keys_.size(); }

private:
    std::vector<PublicKey> keys_;
};

// A token taken apart; nothing in it is proven.
struct SignedToken {
    static constexpr std::size_t bytes_max = 65'536;

    Algorithm algorithm = Algorithm::rs256;
    std::string key_id;
    std::string payload;
    std::string signed_text;
    std::string signature;

    // Nothing where it is malformed, asks for another algorithm, or for extensions (`crit`).
    static std::optional<SignedToken> parse(std::string_view token);
};

}  // namespace kit::jwt
