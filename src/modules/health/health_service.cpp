#include "modules/health/health.hpp"
#include "platform/core/deadline.hpp"

#include <algorithm>

namespace kit::health {

namespace {

constexpr telemetry::Instrument check_results{
    .name = "health.check.results",
    .description = "Checks of the readiness probe.",
    .attributes = {"check", "outcome"},
};

constexpr telemetry::Instrument check_duration{
    .name = "health.check.duration",
    .kind = telemetry::InstrumentKind::histogram,
    .unit = "s",
    .description = "Checks of the readiness probe.",
    .attributes = {"check"},
    .bounds = telemetry::buckets::seconds,
};

}  // namespace

Service::Service(std::vector<Check> checks, Clock& clock, telemetry::Registry& metrics, Settings settings)
    : checks_(std::move(checks)),
      clock_(clock),
      settings_(settings),
      grace_ends_(0),
      results_(metrics, check_results),
      duration_(metrics, check_duration)
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
        const CheckResult grace{"startup_grace", false, "startup grace period active"};
        count(grace, 0);
        co_return Readiness{.ready = false, .checks = {grace}};
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
    const auto started = clock_.steady_now();
    CheckResult result{.name = check.name, .healthy = false, .error = std::nullopt};
    try {
        co_await with_deadline(clock_, clock_.steady_now() + settings_.probe_timeout, check.probe());
        result.healthy = true;
    } catch (const DeadlineExceeded&) {
        result.error = "timeout";
    } catch (const Unavailable&) {
        result.error = "unavailable";
    }
    count(result, telemetry::seconds_between(started, clock_.steady_now()));
    co_return result;
}

void Service::count(const CheckResult& result, double seconds) const
{
    const auto* const outcome = result.healthy              ? "healthy"
                                : result.error == "timeout" ? "timeout"
                                                            : "unhealthy";
    results_.add({result.name, outcome});
    duration_.record(seconds, {result.name});
}

}  // namespace kit::health
