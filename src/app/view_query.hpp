// The parameters of the views of this process.
#pragma once

#include "platform/core/error.hpp"
#include "platform/core/span_context.hpp"
#include "platform/core/timestamp.hpp"
#include "platform/telemetry/logger.hpp"

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace kit::app {

struct TraceId {
    std::uint64_t high = 0;
    std::uint64_t low = 0;

    auto operator<=>(const TraceId&) const = default;
};

inline TraceId trace_of(const SpanContext& span)
{
    return {.high = span.trace_high, .low = span.trace_low};
}

std::optional<TraceId> parse_trace_id(std::string_view text);

struct ViewQuery {
    static constexpr std::int64_t limit_default = 100;
    static constexpr std::int64_t limit_max = 1'000;
    static constexpr std::int64_t seconds_max = 900;  // as far back as windows are kept

    std::optional<std::string> route{};  // a pattern, with or without its method before it
    std::optional<TraceId> trace{};
    std::optional<Timestamp> since{};
    telemetry::LogLevel level = telemetry::LogLevel::debug;
    std::int64_t limit = limit_default;
    std::int64_t seconds = seconds_max;
};

// invalid_input for a parameter that is none of `known`, or whose value is malformed.
Result<ViewQuery> parse_view_query(std::string_view text, std::span<const std::string> known);

}  // namespace kit::app
