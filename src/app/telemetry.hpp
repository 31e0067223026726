// What the process says about itself: its log, its spans and metrics, and their way to a collector.
#pragma once

#include "platform/config/config.hpp"
#include "platform/core/clock.hpp"
#include "platform/telemetry/exporter.hpp"
#include "platform/telemetry/logger.hpp"
#include "platform/telemetry/metrics.hpp"
#include "platform/telemetry/recorder.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kit::app {

// Made before the product and gone after it. Without a collector there is no exporter, and no memory for one.
class Telemetry {
public:
    // Lines go to `descriptor`. Exports from now on, and says so.
    Telemetry(const config::Config& config, Clock& clock, Random& random, int descriptor = 1);
    Telemetry(const Telemetry&) = delete;
    Telemetry& operator=(const Telemetry&) = delete;
    ~Telemetry() = default;

    telemetry::Logger& logger() { return logger_; }

    telemetry::Registry& metrics() { return metrics_; }

    telemetry::Recorder& recorder() { return recorder_; }

    // After everything that records has ended: sends what waits and ends the exporter. A collector that does
    // not answer holds the end of the process up for less than two seconds.
    void stop();

    static constexpr std::chrono::milliseconds flush_time_max{1'500};

private:
    void log_signals();

    const config::Config& config_;
    telemetry::ExportBell bell_;
    telemetry::Recorder recorder_;
    telemetry::Logger logger_;
    telemetry::Registry metrics_;
    std::optional<telemetry::Exporter> exporter_;
};

// The attributes of every export: the service, this process of it, and what the settings add or replace.
std::vector<std::pair<std::string, std::string>> resource_attributes(
    const config::Config& config, Random& random
);

}  // namespace kit::app
