// Spans and log lines as OTLP's protobuf messages (opentelemetry-proto, trace/v1 and logs/v1), and back. Of
// this folder only.
#pragma once

#include "platform/telemetry/kept_records.hpp"
#include "platform/telemetry/recorder.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
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

// Calls `use` with each message of a RecordBuffer's bytes.
void read_records(std::string_view framed, const std::function<void(std::string_view message)>& use);

// What append_span and append_log wrote; views of `message`.
KeptSpan read_span(std::string_view message);
KeptLine read_log(std::string_view message);
std::vector<Field> read_span_fields(std::string_view message);
std::vector<Field> read_log_fields(std::string_view message);

}  // namespace kit::telemetry::otlp
