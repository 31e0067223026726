#include "app/startup_metrics.hpp"

#include "platform/core/encoding.hpp"

namespace kit::app {

namespace {

constexpr telemetry::Instrument validation_events{
    .name = "config.validation.events",
    .description = "Settings read at the start.",
    .attributes = {"profile", "outcome", "error_class"},
};

constexpr telemetry::Instrument startup_events{
    .name = "database.startup.events",
    .description = "Steps of the start on the database.",
    .attributes = {"phase", "outcome"},
};

constexpr telemetry::Instrument startup_duration{
    .name = "database.startup.duration",
    .kind = telemetry::InstrumentKind::histogram,
    .unit = "s",
    .description = "Steps of the start on the database.",
    .attributes = {"phase"},
    .bounds = telemetry::buckets::seconds,
};

}  // namespace

StartupMetrics::StartupMetrics(telemetry::Registry& metrics, Clock& clock)
    : clock_(clock),
      validations_(metrics, validation_events),
      events_(metrics, startup_events),
      duration_(metrics, startup_duration)
{
}

void StartupMetrics::loaded(std::string_view profile) const
{
    const auto name = to_lower(profile);
    validations_.add({name.empty() ? std::string_view("unknown") : name, "success", "none"});
}

StartupMetrics::Phase::Phase(const StartupMetrics& metrics, std::string_view name)
    : metrics_(metrics), name_(name), started_(metrics.clock_.steady_now())
{
}

StartupMetrics::Phase::~Phase()
{
    if (!recorded_) {
        record("error");
    }
}

void StartupMetrics::Phase::succeed()
{
    record("success");
    recorded_ = true;
}

void StartupMetrics::Phase::record(std::string_view outcome) const
{
    metrics_.events_.add({name_, outcome});
    const auto seconds = telemetry::seconds_between(started_, metrics_.clock_.steady_now());
    metrics_.duration_.record(seconds, {name_});
}

}  // namespace kit::app
