#include "platform/redis/breaker.hpp"

#include <algorithm>
#include <utility>

namespace kit::redis {

bool Breaker::open()
{
    ++failures_;
    return !std::exchange(open_, true);
}

bool Breaker::close()
{
    return std::exchange(open_, false);
}

Breaker::Wait Breaker::next_wait(std::uint64_t random) const
{
    if (failures_ == 0) {
        return Wait::zero();
    }
    constexpr unsigned doublings_max = 20;
    const Wait longest = std::max(options_.backoff_max, wait_min);
    const Wait first = std::max(options_.backoff_min, wait_min);
    const auto whole = std::min<Wait>(first * (1LL << std::min(failures_ - 1, doublings_max)), longest);
    const auto half = static_cast<std::uint64_t>(whole.count() / 2);
    return whole - Wait(random % (half + 1));
}

}  // namespace kit::redis
