// Encryption at rest: XChaCha20-Poly1305 with random nonces.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/crypto/hash.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace kit {

// A key of its own for each purpose that one secret serves: HKDF-SHA-256 (RFC 5869), one block, no salt.
Digest derive_key(std::string_view secret, std::string_view purpose);

// Thread-safe. Throws std::runtime_error where libsodium is broken.
class Sealer {
public:
    Sealer(std::string_view secret, std::string_view purpose);
    Sealer(const Sealer&) = delete;
    Sealer& operator=(const Sealer&) = delete;
    ~Sealer();  // wipes the key

    // Unpadded base64url. `place` says where it belongs; at another it does not open.
    std::string seal(std::string_view plain, std::string_view place, Random& random) const;

    // Nothing where it was sealed with another key or for another place, or was changed.
    std::optional<std::string> open(std::string_view sealed, std::string_view place) const;

private:
    Digest key_;
};

}  // namespace kit
