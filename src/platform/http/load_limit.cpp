#include "platform/http/load_limit.hpp"

#include <algorithm>
#include <cmath>

namespace kit::http {

LoadLimit::LoadLimit(LoadLimitOptions options) : options_(options)
{
    options_.concurrency_max = std::max(options_.concurrency_max, options_.concurrency_min);
    limit_ = static_cast<double>(options_.concurrency_max);
}

bool LoadLimit::enter(SteadyTime now)
{
    close_window(now);
    const auto running = running_.load(std::memory_order_relaxed);
    if (running >= limit()) {
        return false;
    }
    running_.store(running + 1, std::memory_order_relaxed);
    peak_ = std::max(peak_, running + 1);
    return true;
}

void LoadLimit::leave(
    const Route& route, std::chrono::steady_clock::duration took, bool answered, SteadyTime now
)
{
    running_.store(running_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
    if (!answered) {
        return;
    }
    ++samples_;
    if (has_queued(route, Seconds(took), now)) {
        ++queued_;
    }
}

// Learns the route's usual time on the way: the shortest one, which grows slowly until it is met again.
bool LoadLimit::has_queued(const Route& route, Seconds took, SteadyTime now)
{
    const auto [found, is_new] = usual_.try_emplace(&route, Usual{.time = took, .as_of = now});
    auto& usual = found->second;
    if (!is_new) {
        usual.time *= std::pow(1 + usual_growth_per_second, Seconds(now - usual.as_of).count());
        usual.time = std::min(usual.time, took);
        usual.as_of = now;
    }
    const auto queue_time = took - usual.time;
    return queue_time > options_.queue_time_max && queue_time > usual.time * options_.queue_ratio_max;
}

void LoadLimit::close_window(SteadyTime now)
{
    if (now - window_began_ < options_.window) {
        return;
    }
    const auto lowest = static_cast<double>(options_.concurrency_min);
    const auto highest = static_cast<double>(options_.concurrency_max);
    auto limit = limit_.load(std::memory_order_relaxed);
    if (samples_ >= samples_min && queued_ * 2 > samples_) {
        // From what really ran: a limit far above it would take many windows to matter.
        limit = std::min(limit, static_cast<double>(peak_)) * fall;
    } else {
        limit = limit * rise + 1;
    }
    limit_.store(std::clamp(limit, lowest, highest), std::memory_order_relaxed);
    window_began_ = now;
    peak_ = running_.load(std::memory_order_relaxed);
    samples_ = 0;
    queued_ = 0;
}

}  // namespace kit::http
