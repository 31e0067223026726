#include "platform/telemetry/recorder.hpp"

#include "platform/telemetry/otlp.hpp"

#include <array>
#include <utility>

namespace kit::telemetry {

namespace {

// Each thread's own, so that encoding takes no memory after the first few records.
std::string& empty_message()
{
    thread_local std::string message;
    message.clear();
    return message;
}

void push(RecordBuffer& kept, std::optional<RecordBuffer>& exported, std::string_view message)
{
    kept.push(message);
    if (exported) {
        exported->push(message);
    }
}

}  // namespace

std::string_view severity_text(LogLevel level)
{
    static constexpr std::array<std::string_view, 4> names{"DEBUG", "INFO", "WARN", "ERROR"};
    return names[static_cast<std::size_t>(level)];
}

Recorder::Recorder(Options options)
    : kept_spans_({.workers = options.workers, .bytes_max = options.span_bytes_max, .drop_chunks = true}),
      kept_logs_({.workers = options.workers, .bytes_max = options.log_bytes_max, .drop_chunks = true})
{
    if (options.exported_spans) {
        exported_spans_.emplace(std::move(*options.exported_spans));
    }
    if (options.exported_logs) {
        exported_logs_.emplace(std::move(*options.exported_logs));
    }
}

void Recorder::record(const SpanRecord& span)
{
    auto& message = empty_message();
    otlp::append_span(message, span);
    push(kept_spans_, exported_spans_, message);
}

void Recorder::record(const LogRecord& line)
{
    auto& message = empty_message();
    otlp::append_log(message, line);
    push(kept_logs_, exported_logs_, message);
}

}  // namespace kit::telemetry
