// How many requests each route had and how long they took, in windows of the last quarter of an hour: what
// this process says of itself without any other server.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/core/task.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace kit::telemetry {

// Thread-safe. Recording takes no lock, and memory only for a thread's first request of a route.
class RouteWindows {
public:
    static constexpr std::chrono::seconds window_time{10};
    static constexpr std::size_t windows_max = 90;
    static constexpr std::size_t bytes_max = 2UL * 1024 * 1024;  // of closed windows; beyond: the oldest go

    // Requests are recorded under the index of their route's name.
    RouteWindows(std::vector<std::string> routes, std::size_t workers);
    RouteWindows(const RouteWindows&) = delete;
    RouteWindows& operator=(const RouteWindows&) = delete;
    ~RouteWindows();

    void record(std::size_t route, std::chrono::nanoseconds took, bool failed);

    // Closes the current window.
    void rotate(Timestamp now);

    // Rotates for as long as the process runs.
    Task<void> keep(Clock& clock);

    struct Summary {
        std::string route;
        std::uint64_t count = 0;
        std::uint64_t errors = 0;
        double p50_ms = 0;  // within an eighth of the true value
        double p90_ms = 0;
        double p99_ms = 0;
    };

    // Of the routes that were asked for in the windows that ended after `since`, and in the current one; the
    // busiest first.
    std::vector<Summary> summarize(Timestamp since) const;

private:
    // Four buckets for each power of two microseconds, up to a minute.
    static constexpr std::size_t bucket_count = 104;

    struct Cell {
        std::array<std::atomic<std::uint32_t>, bucket_count> buckets{};
        std::atomic<std::uint32_t> errors{0};
    };

    struct Numbers {
        std::array<std::uint32_t, bucket_count> buckets{};
        std::uint32_t errors = 0;
    };

    // What one route had in one window: few of the buckets are ever used.
    struct Entry {
        std::size_t route;
        std::uint32_t errors;
        std::vector<std::pair<std::uint8_t, std::uint32_t>> buckets;

        std::size_t bytes() const { return sizeof(Entry) + buckets.size() * sizeof(buckets.front()); }
    };

    struct Window {
        Timestamp end;
        std::vector<Entry> entries;
    };

    static std::size_t bucket(std::chrono::nanoseconds took);
    static double percentile_ms(const Numbers& numbers, std::uint64_t count, double share);
    Cell& cell(std::size_t route);
    Entry current(std::size_t route) const;
    static void add(Numbers& numbers, const Entry& entry);
    static Summary summary(const std::string& route, const Numbers& numbers);

    std::vector<std::string> routes_;
    std::size_t workers_;
    std::unique_ptr<std::atomic<Cell*>[]> cells_;
    mutable std::mutex mutex_;
    std::vector<std::unique_ptr<Numbers>>
        closed_;  // of each route: what is in closed windows, since the start
    std::deque<Window> windows_;
    std::size_t bytes_ = 0;
};

}  // namespace kit::telemetry
