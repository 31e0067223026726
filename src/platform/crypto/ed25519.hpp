// Signatures with Ed25519 (RFC 8032), as tokens carry them (RFC 8037).
#pragma once

#include "platform/crypto/hash.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace kit::jwt {

// Thread-safe.
class Ed25519Signer {
public:
    // The key pair is a function of the seed. Throws std::runtime_error where libsodium is broken.
    explicit Ed25519Signer(const Digest& seed);
    Ed25519Signer(const Ed25519Signer&) = delete;
    Ed25519Signer& operator=(const Ed25519Signer&) = delete;
    ~Ed25519Signer();  // wipes the key

    // The token over `claims_json`, a JSON object.
    std::string sign(std::string_view claims_json) const;

    // The public key as a JWK, with the `kid` that the tokens' headers have.
    const std::string& jwk() const { return jwk_; }

private:
    std::array<unsigned char, 64> secret_;
    std::string header_;  // as tokens begin, encoded
    std::string jwk_;
};

}  // namespace kit::jwt
