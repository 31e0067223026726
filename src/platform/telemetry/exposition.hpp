// Metrics as text for whoever scrapes them.
#pragma once

#include "platform/telemetry/metrics.hpp"

#include <string>
#include <string_view>

namespace kit::telemetry {

enum class Exposition : std::uint8_t {
    prometheus,   // text format 0.0.4
    openmetrics,  // OpenMetrics 1.0.0, the one with exemplars
};

// What a scraper's Accept header asks for: OpenMetrics only by name, and not with quality 0.
Exposition choose_exposition(std::string_view accept);

std::string_view content_type(Exposition format);

// Names as in the OpenTelemetry specification "Prometheus and OpenMetrics Compatibility": dots become
// underscores, the unit is a suffix, and counters end in _total.
std::string expose(const Registry& registry, Exposition format);

}  // namespace kit::telemetry
