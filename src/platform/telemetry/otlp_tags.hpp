// The field numbers of opentelemetry-proto's trace/v1, logs/v1 and common/v1. Of this folder only.
#pragma once

#include "platform/telemetry/recorder.hpp"

#include <protozero/types.hpp>

#include <cstdint>

namespace kit::telemetry::otlp {

namespace span_tag {
constexpr protozero::pbf_tag_type trace_id = 1;
constexpr protozero::pbf_tag_type span_id = 2;
constexpr protozero::pbf_tag_type trace_state = 3;
constexpr protozero::pbf_tag_type parent_span_id = 4;
constexpr protozero::pbf_tag_type name = 5;
constexpr protozero::pbf_tag_type kind = 6;
constexpr protozero::pbf_tag_type start_time_unix_nano = 7;
constexpr protozero::pbf_tag_type end_time_unix_nano = 8;
constexpr protozero::pbf_tag_type attributes = 9;
constexpr protozero::pbf_tag_type status = 15;
constexpr protozero::pbf_tag_type flags = 16;
}  // namespace span_tag

namespace log_tag {
constexpr protozero::pbf_tag_type time_unix_nano = 1;
constexpr protozero::pbf_tag_type severity_number = 2;
constexpr protozero::pbf_tag_type severity_text = 3;
constexpr protozero::pbf_tag_type body = 5;
constexpr protozero::pbf_tag_type attributes = 6;
constexpr protozero::pbf_tag_type flags = 8;
constexpr protozero::pbf_tag_type trace_id = 9;
constexpr protozero::pbf_tag_type span_id = 10;
constexpr protozero::pbf_tag_type observed_time_unix_nano = 11;
}  // namespace log_tag

// Span.flags beyond the trace's own eight: whether the parent is another process's is known, and it is.
constexpr std::uint32_t has_is_remote = 0x100;
constexpr std::uint32_t is_remote = 0x200;

namespace key_value_tag {
constexpr protozero::pbf_tag_type key = 1;
constexpr protozero::pbf_tag_type value = 2;
}  // namespace key_value_tag

namespace any_value_tag {
constexpr protozero::pbf_tag_type string_value = 1;
constexpr protozero::pbf_tag_type bool_value = 2;
constexpr protozero::pbf_tag_type int_value = 3;
constexpr protozero::pbf_tag_type double_value = 4;
}  // namespace any_value_tag

// TRACE is 1 to 4, and so on in fours: logs/v1 SeverityNumber.
constexpr std::int32_t severity_number(LogLevel level)
{
    return 5 + 4 * static_cast<std::int32_t>(level);
}

constexpr LogLevel level_of(std::int32_t severity_number)
{
    return static_cast<LogLevel>((severity_number - 5) / 4);
}

}  // namespace kit::telemetry::otlp
