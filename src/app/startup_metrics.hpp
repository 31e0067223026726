// What happens once, before the first request.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/telemetry/metrics.hpp"

#include <string_view>

namespace kit::app {

class StartupMetrics {
public:
    StartupMetrics(telemetry::Registry& metrics, Clock& clock);

    // The settings are read, or this process would not have come so far.
    void loaded(std::string_view profile) const;

    // A step on the way to a usable database: failed unless it says otherwise.
    class Phase {
    public:
        // `name` is a literal.
        Phase(const StartupMetrics& metrics, std::string_view name);
        Phase(const Phase&) = delete;
        Phase& operator=(const Phase&) = delete;
        ~Phase();

        void succeed();

    private:
        void record(std::string_view outcome) const;

        const StartupMetrics& metrics_;
        std::string_view name_;
        SteadyTime started_;
        bool recorded_ = false;
    };

private:
    Clock& clock_;
    telemetry::Counter validations_;
    telemetry::Counter events_;
    telemetry::Histogram duration_;
};

}  // namespace kit::app
