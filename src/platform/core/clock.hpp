// Time and randomness come in through these two; nothing outside platform/core asks the system.
#pragma once

#include "platform/core/task.hpp"
#include "platform/core/timestamp.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace kit {

// Monotonic time, for deadlines and durations.
using SteadyTime = std::chrono::steady_clock::time_point;

// Thread-safe.
class Clock {
public:
    Clock() = default;
    Clock(const Clock&) = delete;
    Clock& operator=(const Clock&) = delete;
    virtual ~Clock() = default;

    virtual Timestamp now() const = 0;
    virtual SteadyTime steady_now() const = 0;

    // Suspends the caller until `when`. Ends early, with Cancelled, when the caller is cancelled.
    virtual Task<void> sleep_until(SteadyTime when) = 0;

    Task<void> sleep_for(std::chrono::steady_clock::duration duration)
    {
        return sleep_until(steady_now() + duration);
    }
};

// The system's clocks and Asio's timers.
class SystemClock final : public Clock {
public:
    Timestamp now() const override;
    SteadyTime steady_now() const override;
    Task<void> sleep_until(SteadyTime when) override;
};

// Thread-safe.
class Random {
public:
    Random() = default;
    Random(const Random&) = delete;
    Random& operator=(const Random&) = delete;
    virtual ~Random() = default;

    virtual void fill(std::span<std::byte> bytes) = 0;

    // A version 4 UUID, RFC 9562 section 5.4, in its 36-character text form.
    std::string uuid_v4();

    // `size` random bytes as unpadded base64url.
    std::string token(std::size_t size);

    std::uint64_t number();
};

// The kernel's generator (getrandom). Throws Unavailable if that fails.
class SystemRandom final : public Random {
public:
    void fill(std::span<std::byte> bytes) override;
};

}  // namespace kit
