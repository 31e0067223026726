#include "modules/health/health.hpp"
#include "platform/core/deadline.hpp"

#include <algorithm>

namespace kit::health {

Service::Service(std::vector<Check> checks, Clock& clock, Settings settings)
    : checks_(std::move(checks)), clock_(clock), settings_(settings), grace_ends_(0)
{
    listening();
}

void Service::listening()
{
    grace_ends_.store((clock_.steady_now() + settings_.start_grace).time_since_epoch().count());
}

Task<Readiness> Service::readiness()
{
    if (stopping_.load()) {
        co_return Readiness{.ready = false, .checks = {{"shutdown", false, "shutting down"}}};
    }
    if (clock_.steady_now().time_since_epoch().count() < grace_ends_.load()) {
        co_return Readiness{
            .ready = false, .checks = {{"startup_grace", false, "startup grace period active"}}
        };
    }
    Readiness readiness;
    for (const auto& check : checks_) {
        auto result = co_await run(check);
        readiness.checks.push_back(std::move(result));
    }
    readiness.ready = std::ranges::all_of(readiness.checks, &CheckResult::healthy);
    co_return readiness;
}

Task<CheckResult> Service::run(const Check& check)
{
    CheckResult result{.name = check.name, .healthy = false, .error = std::nullopt};
    try {
        co_await with_deadline(clock_, clock_.steady_now() + settings_.probe_timeout, check.probe());
        result.healthy = true;
    } catch (const DeadlineExceeded&) {
        result.error = "timeout";
    } catch (const Unavailable&) {
        result.error = "unavailable";
    }
    co_return result;
}

}  // namespace kit::health
