// Copies in Redis of what nodes keep, so that one's work serves the others. Nothing depends on them: what is
// not there, does not come in time or was not written by us is made anew.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/core/task.hpp"
#include "platform/crypto/hash.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kit::redis {
class Client;
}  // namespace kit::redis

namespace kit::cache {

// A copy's name: it belongs to an epoch, so a change leaves it behind, to expire.
struct CopyName {
    std::string_view space;
    std::int64_t epoch;
    std::string_view key;
};

// "<prefix>:data:<space>:<epoch>:<SHA-256 of the key>".
std::string redis_key(std::string_view prefix, const CopyName& name);

// Thread-safe.
class Copies {
public:
    struct Options {
        std::string prefix;  // of all keys
        std::string secret;  // that our nodes share
    };

    Copies(redis::Client& client, Clock& clock, Options options);

    struct Copy {
        std::string value;
        std::chrono::microseconds age;
    };

    // Nothing where there is none. What does not prove to be written by one of our nodes under this very name
    // is none: copies say what users may do.
    Task<std::optional<Copy>> find(CopyName name) const;

    Task<void> keep(CopyName name, std::string value, std::chrono::milliseconds ttl) const;

private:
    std::string proof(std::string_view redis_key, std::string_view content) const;

    redis::Client& client_;
    Clock& clock_;
    std::string prefix_;
    HmacKey key_;
};

}  // namespace kit::cache
