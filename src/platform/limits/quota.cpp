#include "platform/limits/quota.hpp"

#include <algorithm>
#include <cmath>

namespace kit::limits {

namespace {

std::int64_t divide_up(std::int64_t amount, std::int64_t by)
{
    return (amount + by - 1) / by;
}

}  // namespace

Quota make_quota(const Rate& rate)
{
    constexpr double ms_per_minute = 60'000.0;
    // Half away from zero, as the contract rounds.
    const double in_window =
        std::round(rate.per_minute * static_cast<double>(rate.window.count()) / ms_per_minute);
    Quota quota;
    quota.limit = static_cast<std::int64_t>(std::clamp(in_window, 1.0, static_cast<double>(limit_max)));
    quota.refill = rate.per_minute;
    quota.window = std::chrono::microseconds(rate.window).count();
    const auto capacity =
        static_cast<std::int64_t>(std::ceil(static_cast<double>(quota.limit) * rate.burst_multiplier));
    quota.full = (quota.windowed() ? std::max(capacity, quota.limit) : quota.limit) * token;
    quota.fill = divide_up(quota.full, quota.refill);
    return quota;
}

Verdict judge(const Quota& quota, const Standing& standing, bool admitted)
{
    Verdict verdict{.admitted = admitted};
    verdict.remaining =
        std::max<std::int64_t>(0, std::min(standing.tokens / token, quota.limit - standing.logged));
    if (admitted) {
        verdict.reset = standing.leaving + quota.window;
        return verdict;
    }
    const auto for_token = standing.tokens < token ? divide_up(token - standing.tokens, quota.refill) : 0;
    const auto for_window =
        standing.logged >= quota.limit ? standing.leaving + quota.window - standing.now : 0;
    verdict.wait = std::max<std::int64_t>({for_token, for_window, 1});
    verdict.reason = for_window >= for_token ? Reason::window : Reason::bucket;
    verdict.reset = standing.now + verdict.wait;
    return verdict;
}

}  // namespace kit::limits
