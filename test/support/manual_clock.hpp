// Time and chance that a test decides.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/core/error.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>

#include <atomic>
#include <mutex>
#include <random>

namespace kit::test {

// The calendar stands still until it is moved. Steady time runs: deadlines guard the test itself.
class ManualClock final : public Clock {
public:
    explicit ManualClock(Timestamp start = std::chrono::sys_days(std::chrono::year(2026) / 3 / 1))
        : now_(start.time_since_epoch().count())
    {
    }

    void advance(std::chrono::microseconds by) { now_ += by.count(); }

    Timestamp now() const override { return Timestamp(std::chrono::microseconds(now_.load())); }

    SteadyTime steady_now() const override { return std::chrono::steady_clock::now(); }

    Task<void> sleep_until(SteadyTime when) override { return real_.sleep_until(when); }

private:
    SystemClock real_;
    std::atomic<std::int64_t> now_;
};

class SeededRandom final : public Random {
public:
    explicit SeededRandom(std::uint64_t seed = 1) : engine_(seed) {}

    void fill(std::span<std::byte> bytes) override
    {
        const std::lock_guard lock(mutex_);
        for (auto& byte : bytes) {
            byte = static_cast<std::byte>(engine_());
        }
    }

private:
    std::mutex mutex_;
    std::mt19937_64 engine_;
};

}  // namespace kit::test
