// Signatures that others can check with a public key: Ed25519 (RFC 8032) and ECDSA over P-256 with SHA-256
// (FIPS 186-5), in the byte forms of JOSE (RFC 7518 section 3.4, RFC 8037).
#pragma once

#include "platform/core/clock.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace kit {

enum class SignatureAlgorithm : std::uint8_t { eddsa, es256 };

// As a token's header names it.
std::string_view to_string(SignatureAlgorithm algorithm);
std::optional<SignatureAlgorithm> parse_signature_algorithm(std::string_view name);

// A pair of keys, or its public half. Thread-safe; cheap to copy. Throws std::runtime_error where a library
// is broken.
class SignatureKey {
public:
    static SignatureKey make(SignatureAlgorithm algorithm, Random& random);

    // Nothing where the bytes are no such key: a private one of 32 bytes; a public one of 32 bytes, or for
    // ES256 of 65, the uncompressed point.
    static std::optional<SignatureKey> from_private(SignatureAlgorithm algorithm, std::string_view bytes);
    static std::optional<SignatureKey> from_public(SignatureAlgorithm algorithm, std::string_view bytes);

    SignatureAlgorithm algorithm() const;

    // Whether the private half is there: what the next two are for.
    bool can_sign() const;
    std::string private_bytes() const;
    std::string sign(std::string_view text) const;  // 64 bytes

    std::string public_bytes() const;
    bool verify(std::string_view text, std::string_view signature) const;

    class Pair;  // of one algorithm

private:
    explicit SignatureKey(std::shared_ptr<const Pair> pair) : pair_(std::move(pair)) {}

    std::shared_ptr<const Pair> pair_;
};

}  // namespace kit
