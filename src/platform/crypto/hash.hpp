// SHA-256 and HMAC-SHA-256. Everything here is thread-safe and throws only std::bad_alloc, or
// std::runtime_error where the library itself is broken.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace kit {

using Digest = std::array<std::byte, 32>;

Digest sha256(std::string_view data);

// The same as 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view data);

// How secrets of low value to guess are kept at rest: lower-case hexadecimal SHA-256 of `secret ":" pepper`.
std::string peppered_hash(std::string_view secret, std::string_view pepper);

// Takes the same time wherever the first difference is. Different lengths are told apart at once: a length is
// no secret here.
bool constant_time_equal(std::string_view left, std::string_view right);

// An HMAC key (RFC 2104) with its two padded blocks already hashed, so that a short message costs two fewer
// compressions.
class HmacKey {
public:
    explicit HmacKey(std::string_view key);
    HmacKey(HmacKey&&) noexcept;
    HmacKey& operator=(HmacKey&&) noexcept;
    ~HmacKey();

    Digest mac(std::string_view data) const;

private:
    struct State;
    std::unique_ptr<const State> state_;
};

// SipHash-2-4: 64 bits that nobody who does not know the key can steer. For tables, not for proofs.
std::uint64_t short_hash(const std::array<std::byte, 16>& key, std::string_view data);

// For a key that is used once.
Digest hmac_sha256(std::string_view key, std::string_view data);

}  // namespace kit
