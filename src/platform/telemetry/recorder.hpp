// Where finished spans and log lines go: encoded once, kept for who looks into this process and, where there
// is an exporter, for it.
#pragma once

#include "platform/core/span_context.hpp"
#include "platform/core/timestamp.hpp"
#include "platform/telemetry/field.hpp"
#include "platform/telemetry/record_buffer.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace kit::telemetry {

// The numbers are OTLP's.
enum class SpanKind : std::uint8_t { internal = 1, server = 2, client = 3 };

enum class LogLevel : std::uint8_t { debug, info, warn, error };

// "DEBUG", "INFO", "WARN", "ERROR".
std::string_view severity_text(LogLevel level);

using UnixNanoseconds = std::chrono::sys_time<std::chrono::nanoseconds>;

// A finished span.
struct SpanRecord {
    SpanContext span;
    std::uint64_t parent_id = 0;  // 0: a root
    bool remote_parent = false;   // the parent is another process's
    std::string_view tracestate{};
    std::string_view name;
    SpanKind kind = SpanKind::internal;
    UnixNanoseconds start{};
    UnixNanoseconds end{};
    bool failed = false;
    std::span<const Field> fields{};
};

struct LogRecord {
    UnixNanoseconds time;
    LogLevel level;
    std::string_view message;
    std::span<const Field> fields;
    SpanContext span{};
};

// Thread-safe.
class Recorder {
public:
    // What the process keeps for its own views; memory is taken as it fills.
    static constexpr std::size_t kept_span_bytes_max = 8UL * 1024 * 1024;
    static constexpr std::size_t kept_log_bytes_max = 5UL * 1024 * 1024;

    struct Options {
        std::size_t workers = 0;
        std::size_t span_bytes_max = kept_span_bytes_max;
        std::size_t log_bytes_max = kept_log_bytes_max;
        std::optional<RecordBuffer::Options> exported_spans{};  // unset: spans are not exported
        std::optional<RecordBuffer::Options> exported_logs{};
    };

    explicit Recorder(Options options);

    void record(const SpanRecord& span);
    void record(const LogRecord& line);

    const RecordBuffer& kept_spans() const { return kept_spans_; }

    const RecordBuffer& kept_logs() const { return kept_logs_; }

    // The exporter's; null where that signal is not exported.
    RecordBuffer* exported_spans() { return exported_spans_ ? &*exported_spans_ : nullptr; }

    RecordBuffer* exported_logs() { return exported_logs_ ? &*exported_logs_ : nullptr; }

private:
    RecordBuffer kept_spans_;
    RecordBuffer kept_logs_;
    std::optional<RecordBuffer> exported_spans_;
    std::optional<RecordBuffer> exported_logs_;
};

}  // namespace kit::telemetry
