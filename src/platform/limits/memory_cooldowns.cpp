#include "platform/limits/cooldown.hpp"

#include <algorithm>
#include <list>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace kit::limits {

namespace {

using std::chrono::milliseconds;

std::int64_t to_ms(Timestamp time)
{
    return std::chrono::floor<milliseconds>(time.time_since_epoch()).count();
}

struct Counter {
    std::int64_t failures = 0;
    std::int64_t last = 0;
    std::int64_t until = 0;
    std::vector<std::pair<std::string, std::int64_t>> by;  // of a shared one: whose
};

class MemoryCooldowns final : public Cooldowns {
public:
    MemoryCooldowns(const CooldownSettings& settings, std::size_t counters_max)
        : settings_(settings), counters_max_(counters_max)
    {
    }

    Task<milliseconds> remaining(Attempt attempt, Timestamp now) override
    {
        const std::lock_guard lock(mutex_);
        co_return std::max(left(attempt.own, to_ms(now)), left(attempt.shared, to_ms(now)));
    }

    Task<milliseconds> fail(Attempt attempt, Timestamp now) override
    {
        const std::lock_guard lock(mutex_);
        const auto own = bump(attempt.own, "", to_ms(now));
        co_return std::max(own, bump(attempt.shared, attempt.own, to_ms(now)));
    }

    Task<void> forgive(Attempt attempt, Timestamp /*now*/) override
    {
        const std::lock_guard lock(mutex_);
        erase(attempt.own);
        take_out(attempt);
        co_return;
    }

private:
    // In the order of their last failures, oldest first.
    using Order = std::list<std::pair<std::string, Counter>>;

    Counter* find(const std::string& name)
    {
        const auto found = places_.find(name);
        return found == places_.end() ? nullptr : &found->second->second;
    }

    bool stale(const Counter& counter, std::int64_t now) const
    {
        return now - counter.last > settings_.window.count();
    }

    milliseconds left(const std::string& name, std::int64_t now)
    {
        const auto* counter = find(name);
        if (counter == nullptr || stale(*counter, now)) {
            return milliseconds(0);
        }
        return milliseconds(std::max<std::int64_t>(0, counter->until - now));
    }

    milliseconds bump(const std::string& name, const std::string& whose, std::int64_t now)
    {
        if (name.empty()) {
            return milliseconds(0);
        }
        auto& counter = touch(name, now);
        if (stale(counter, now)) {
            counter = {};
        }
        ++counter.failures;
        counter.last = now;
        const auto delay = cooldown_after(settings_, counter.failures);
        counter.until = now + delay.count();
        attribute(counter, whose);
        return delay;
    }

    static void attribute(Counter& counter, const std::string& whose)
    {
        if (whose.empty()) {
            return;
        }
        const auto known = std::ranges::find(counter.by, whose, &std::pair<std::string, std::int64_t>::first);
        if (known != counter.by.end()) {
            ++known->second;
        } else if (counter.by.size() < attempts_apart_max) {
            counter.by.emplace_back(whose, 1);
        }
    }

    void take_out(const Attempt& attempt)
    {
        auto* counter = find(attempt.shared);
        if (counter == nullptr || attempt.own.empty()) {
            return;
        }
        const auto mine =
            std::ranges::find(counter->by, attempt.own, &std::pair<std::string, std::int64_t>::first);
        if (mine == counter->by.end()) {
            return;
        }
        counter->failures -= mine->second;
        counter->by.erase(mine);
        if (counter->failures <= 0) {
            erase(attempt.shared);
            return;
        }
        counter->until =
            std::min(counter->until, counter->last + cooldown_after(settings_, counter->failures).count());
    }

    // The counter, last in the order now; what has expired or has no room goes.
    Counter& touch(const std::string& name, std::int64_t now)
    {
        const auto found = places_.find(name);
        if (found != places_.end()) {
            order_.splice(order_.end(), order_, found->second);
            return found->second->second;
        }
        while (!order_.empty() && (order_.size() >= counters_max_ || stale(order_.front().second, now))) {
            erase(std::string(order_.front().first));
        }
        order_.emplace_back(name, Counter{.last = now});
        places_.emplace(name, std::prev(order_.end()));
        return order_.back().second;
    }

    void erase(const std::string& name)
    {
        const auto found = places_.find(name);
        if (found != places_.end()) {
            order_.erase(found->second);
            places_.erase(found);
        }
    }

    CooldownSettings settings_;
    std::size_t counters_max_;
    std::mutex mutex_;
    Order order_;
    std::unordered_map<std::string, Order::iterator> places_;
};

}  // namespace

// Step by step rather than by a power: the Redis script multiplies the same numbers.
milliseconds cooldown_after(const CooldownSettings& settings, std::int64_t failures)
{
    if (failures <= settings.free_attempts) {
        return milliseconds(0);
    }
    const auto max = static_cast<double>(settings.max.count());
    auto delay = static_cast<double>(settings.base.count());
    if (settings.multiplier > 1) {
        for (auto left = failures - settings.free_attempts - 1; left > 0 && delay < max; --left) {
            delay *= settings.multiplier;
        }
    }
    return milliseconds(static_cast<std::int64_t>(std::min(delay, max)));
}

std::unique_ptr<Cooldowns> make_memory_cooldowns(const CooldownSettings& settings, std::size_t counters_max)
{
    return std::make_unique<MemoryCooldowns>(settings, counters_max);
}

}  // namespace kit::limits
