// Spans and log lines as OTLP's protobuf messages (opentelemetry-proto, trace/v1 and logs/v1), and back. Of
// this folder only.
#pragma once

#include "platform/telemetry/recorder.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace kit::telemetry::otlp {

// Texts are cut to this many bytes; what is not UTF-8 in them is replaced, since a collector refuses a whole
// export for it.
inline constexpr std::size_t text_bytes_max = 4'096;

// Appends one Span, one LogRecord.
void append_span(std::string& out, const SpanRecord& span);
void append_log(std::string& out, const LogRecord& line);

// Appends a KeyValue as field `tag` of a message.
void append_field(std::string& out, std::uint32_t tag, const Field& field);

}  // namespace kit::telemetry::otlp
