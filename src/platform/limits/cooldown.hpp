// Who failed too often waits, longer each time. Counters of failures, each under a name.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/core/task.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace kit::redis {
class Client;
}  // namespace kit::redis

namespace kit::limits {

struct CooldownSettings {
    int free_attempts = 3;
    std::chrono::milliseconds base{2'000};
    double multiplier = 2.0;
    std::chrono::milliseconds max{300'000};
    std::chrono::milliseconds window{1'800'000};  // without a failure for longer: forgotten
};

// What the n-th failure costs: nothing while it is free, then base * multiplier^(n - free - 1), at most max.
std::chrono::milliseconds cooldown_after(const CooldownSettings& settings, std::int64_t failures);

// What is counted where: the counter of whom the attempt is about, and that of where it comes from, which
// knows whose failures it counts. An empty name counts nowhere.
struct Attempt {
    std::string own;
    std::string shared;
};

// Thread-safe. The Redis side throws RedisUnavailable.
class Cooldowns {
public:
    Cooldowns() = default;
    Cooldowns(const Cooldowns&) = delete;
    Cooldowns& operator=(const Cooldowns&) = delete;
    virtual ~Cooldowns() = default;

    // How long the attempt has to wait: the longer of both counters' cooldowns.
    virtual Task<std::chrono::milliseconds> remaining(Attempt attempt, Timestamp now) = 0;

    // Counts a failure in both; the longer of the cooldowns that it starts.
    virtual Task<std::chrono::milliseconds> fail(Attempt attempt, Timestamp now) = 0;

    // Ends its own counter, and takes what it has counted, and nothing else, out of the shared one.
    virtual Task<void> forgive(Attempt attempt, Timestamp now) = 0;

    // Failures of different attempts that a shared counter tells apart; those of others stay in it.
    static constexpr std::size_t attempts_apart_max = 64;
};

// Counters in this process. At most `counters_max`: then the one whose last failure is oldest is forgotten.
std::unique_ptr<Cooldowns> make_memory_cooldowns(
    const CooldownSettings& settings, std::size_t counters_max = 100'000
);

// Counters in Redis, shared by all nodes: hashes named `prefix` ":" name.
std::unique_ptr<Cooldowns> make_redis_cooldowns(
    const CooldownSettings& settings, redis::Client& client, std::string prefix
);

}  // namespace kit::limits
