// How many requests a worker takes at once. Beyond that it answers 503 while it is still cheap, rather than
// let everybody wait (docs/decisions/0021-overload.md).
//
// What a request took beyond the usual time of its route is time spent in queues: for a thread that hashes, a
// database connection, the writer, the processor. Where most requests of a window queued for too long, the
// limit falls; where they did not, it rises again.
#pragma once

#include "platform/core/clock.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <unordered_map>

namespace kit::http {

struct Route;

struct LoadLimitOptions {
    std::size_t concurrency_min = 64;     // never shed below
    std::size_t concurrency_max = 4'096;  // nor take more than
    std::chrono::milliseconds window{100};
    // Too long: beyond both of these.
    std::chrono::milliseconds queue_time_max{5};
    double queue_ratio_max = 2;  // of the route's usual time
};

// One worker's. Only its thread uses it; limit() and running() may be read from others.
class LoadLimit {
public:
    // Fewer requests than this tell nothing about a window.
    static constexpr std::size_t samples_min = 8;
    // A window's change of the limit.
    static constexpr double fall = 0.8;
    static constexpr double rise = 1.1;
    // By how much a route's usual time follows, in a second, what has become slower for good.
    static constexpr double usual_growth_per_second = 0.01;

    explicit LoadLimit(LoadLimitOptions options);

    LoadLimit(const LoadLimit&) = delete;
    LoadLimit& operator=(const LoadLimit&) = delete;

    // Whether the request may run; if so, leave() ends it.
    bool enter(SteadyTime now);

    // `answered`: the time it took is the time that its route takes.
    void leave(const Route& route, std::chrono::steady_clock::duration took, bool answered, SteadyTime now);

    std::size_t limit() const { return static_cast<std::size_t>(limit_.load(std::memory_order_relaxed)); }

    std::size_t running() const { return running_.load(std::memory_order_relaxed); }

private:
    using Seconds = std::chrono::duration<double>;

    bool has_queued(const Route& route, Seconds took, SteadyTime now);
    void close_window(SteadyTime now);

    struct Usual {
        Seconds time;
        SteadyTime as_of;
    };

    LoadLimitOptions options_;
    std::atomic<double> limit_;
    std::atomic<std::size_t> running_ = 0;
    std::unordered_map<const Route*, Usual> usual_;
    SteadyTime window_began_{};
    std::size_t peak_ = 0;  // of this window, as the three below
    std::size_t samples_ = 0;
    std::size_t queued_ = 0;
};

}  // namespace kit::http
