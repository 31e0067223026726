// What this process says of itself as JSON: its routes, its slow requests, its last spans and log lines, one
// trace as a tree. docs/telemetry.md.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/core/error.hpp"
#include "platform/telemetry/recorder.hpp"
#include "platform/telemetry/route_windows.hpp"

#include <string>
#include <string_view>

namespace kit::app {

// Thread-safe.
class TelemetryViews {
public:
    struct Sources {
        const telemetry::Recorder* recorder;  // null: nothing is kept
        const telemetry::RouteWindows& routes;
        const Clock& clock;
    };

    explicit TelemetryViews(Sources sources) : sources_(sources) {}

    // Whether there is a view at that path.
    static bool is_view(std::string_view path);

    // The JSON text; invalid_input where a parameter is wrong or unknown, not_found for a trace of which
    // nothing is kept. Reads all that is kept: not on a worker.
    Result<std::string> show(std::string_view path, std::string_view query) const;

private:
    Sources sources_;
};

}  // namespace kit::app
