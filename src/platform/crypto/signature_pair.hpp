// What SignatureKey stands on: one pair of keys of one algorithm.
#pragma once

#include "platform/crypto/signature_key.hpp"

namespace kit {

class SignatureKey::Pair {
public:
    Pair() = default;
    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;
    virtual ~Pair() = default;

    virtual SignatureAlgorithm algorithm() const = 0;
    virtual bool can_sign() const = 0;
    virtual std::string private_bytes() const = 0;
    virtual std::string public_bytes() const = 0;
    virtual std::string sign(std::string_view text) const = 0;
    virtual bool verify(std::string_view text, std::string_view signature) const = 0;
};

// Null where the bytes are no such key.
std::shared_ptr<const SignatureKey::Pair> p256_from_private(std::string_view bytes);
std::shared_ptr<const SignatureKey::Pair> p256_from_public(std::string_view bytes);

}  // namespace kit
