#include "platform/telemetry/route_windows.hpp"

#include "platform/core/workers.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>

namespace kit::telemetry {

namespace {

constexpr auto relaxed = std::memory_order_relaxed;

struct Bounds {
    double low;
    double width;
};

// In microseconds.
Bounds bounds(std::size_t bucket)
{
    if (bucket < 4) {
        return {.low = static_cast<double>(bucket), .width = 1};
    }
    const auto shift = bucket / 4 - 1;
    return {
        .low = std::ldexp(4.0 + static_cast<double>(bucket % 4), static_cast<int>(shift)),
        .width = std::ldexp(1.0, static_cast<int>(shift))
    };
}

}  // namespace

RouteWindows::RouteWindows(std::vector<std::string> routes, std::size_t workers)
    : routes_(std::move(routes)),
      workers_(workers),
      cells_(std::make_unique<std::atomic<Cell*>[]>(routes_.size() * (workers + 1))),
      closed_(routes_.size())
{
}

RouteWindows::~RouteWindows()
{
    for (std::size_t index = 0; index < routes_.size() * (workers_ + 1); ++index) {
        delete cells_[index].load(relaxed);
    }
}

std::size_t RouteWindows::bucket(std::chrono::nanoseconds took)
{
    const auto micros = static_cast<std::uint64_t>(std::max<std::int64_t>(0, took.count() / 1'000));
    if (micros < 4) {
        return micros;
    }
    const auto power = static_cast<std::size_t>(std::bit_width(micros)) - 1;
    return std::min(4 * (power - 1) + ((micros >> (power - 2)) & 3U), bucket_count - 1);
}

// A thread that is no worker shares its cell with others: the first to come makes it.
RouteWindows::Cell& RouteWindows::cell(std::size_t route)
{
    const auto shard = std::min(Workers::current(), workers_);
    auto& place = cells_[shard * routes_.size() + route];
    if (auto* const made = place.load(std::memory_order_acquire)) {
        return *made;
    }
    auto fresh = std::make_unique<Cell>();
    Cell* expected = nullptr;
    if (place.compare_exchange_strong(expected, fresh.get(), std::memory_order_acq_rel)) {
        return *fresh.release();
    }
    return *expected;
}

void RouteWindows::record(std::size_t route, std::chrono::nanoseconds took, bool failed)
{
    auto& numbers = cell(route);
    numbers.buckets[bucket(took)].fetch_add(1, relaxed);
    if (failed) {
        numbers.errors.fetch_add(1, relaxed);
    }
}

// What came since the last window was closed. Numbers wrap around, their differences do not.
RouteWindows::Entry RouteWindows::current(std::size_t route) const
{
    Numbers numbers;
    for (std::size_t shard = 0; shard <= workers_; ++shard) {
        const auto* const cell = cells_[shard * routes_.size() + route].load(std::memory_order_acquire);
        if (cell == nullptr) {
            continue;
        }
        for (std::size_t index = 0; index < bucket_count; ++index) {
            numbers.buckets[index] += cell->buckets[index].load(relaxed);
        }
        numbers.errors += cell->errors.load(relaxed);
    }
    const auto* const closed = closed_[route].get();
    Entry entry{
        .route = route, .errors = numbers.errors - (closed == nullptr ? 0 : closed->errors), .buckets = {}
    };
    for (std::size_t index = 0; index < bucket_count; ++index) {
        const auto count = numbers.buckets[index] - (closed == nullptr ? 0 : closed->buckets[index]);
        if (count > 0) {
            entry.buckets.emplace_back(static_cast<std::uint8_t>(index), count);
        }
    }
    return entry;
}

void RouteWindows::add(Numbers& numbers, const Entry& entry)
{
    numbers.errors += entry.errors;
    for (const auto& [index, count] : entry.buckets) {
        numbers.buckets[index] += count;
    }
}

void RouteWindows::rotate(Timestamp now)
{
    const std::lock_guard lock(mutex_);
    Window window{.end = now, .entries = {}};
    for (std::size_t route = 0; route < routes_.size(); ++route) {
        auto entry = current(route);
        if (entry.buckets.empty()) {
            continue;
        }
        if (!closed_[route]) {
            closed_[route] = std::make_unique<Numbers>();
        }
        add(*closed_[route], entry);
        bytes_ += entry.bytes();
        window.entries.push_back(std::move(entry));
    }
    windows_.push_back(std::move(window));
    while (windows_.size() > windows_max || bytes_ > bytes_max) {
        for (const auto& entry : windows_.front().entries) {
            bytes_ -= entry.bytes();
        }
        windows_.pop_front();
    }
}

Task<void> RouteWindows::keep(Clock& clock)
{
    for (auto next = clock.steady_now() + window_time;; next += window_time) {
        co_await clock.sleep_until(next);
        rotate(clock.now());
    }
}

double RouteWindows::percentile_ms(const Numbers& numbers, std::uint64_t count, double share)
{
    const auto rank = std::max(1.0, std::ceil(share * static_cast<double>(count)));
    double below = 0;
    for (std::size_t index = 0; index < bucket_count; ++index) {
        const auto here = static_cast<double>(numbers.buckets[index]);
        if (below + here >= rank) {
            const auto [low, width] = bounds(index);
            return (low + width * (rank - below) / here) / 1'000.0;
        }
        below += here;
    }
    return 0;
}

RouteWindows::Summary RouteWindows::summary(const std::string& route, const Numbers& numbers)
{
    Summary result{.route = route, .errors = numbers.errors};
    for (const auto count : numbers.buckets) {
        result.count += count;
    }
    result.p50_ms = percentile_ms(numbers, result.count, 0.50);
    result.p90_ms = percentile_ms(numbers, result.count, 0.90);
    result.p99_ms = percentile_ms(numbers, result.count, 0.99);
    return result;
}

std::vector<RouteWindows::Summary> RouteWindows::summarize(Timestamp since) const
{
    std::map<std::size_t, Numbers> sums;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& window : windows_) {
            if (window.end > since) {
                for (const auto& entry : window.entries) {
                    add(sums[entry.route], entry);
                }
            }
        }
        for (std::size_t route = 0; route < routes_.size(); ++route) {
            if (const auto entry = current(route); !entry.buckets.empty()) {
                add(sums[route], entry);
            }
        }
    }
    std::vector<Summary> summaries;
    for (const auto& [route, numbers] : sums) {
        summaries.push_back(summary(routes_[route], numbers));
    }
    std::ranges::sort(summaries, std::ranges::greater(), &Summary::count);
    return summaries;
}

}  // namespace kit::telemetry
