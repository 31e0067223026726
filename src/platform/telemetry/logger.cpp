#include "platform/telemetry/logger.hpp"

#include "platform/core/append.hpp"
#include "platform/core/span_context.hpp"
#include "platform/json/json.hpp"
#include "platform/telemetry/trace.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <pthread.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace kit::telemetry {

namespace {

// The writing thread gathers lines for this long, so that a busy server pays one write for many lines.
constexpr std::chrono::milliseconds gather_time{20};

// The shortest text that reads back as the same number. Most are thousandths, such as milliseconds to the
// microsecond: for those without a search.
void append_real(std::string& out, double real)
{
    constexpr double exact_below = 1e12;
    const auto thousandths = std::abs(real) < exact_below ? std::llround(real * 1000) : 0;
    if (real < 0 || static_cast<double>(thousandths) / 1000 != real) {
        append_number(out, real);
        return;
    }
    append_number(out, thousandths / 1000);
    auto rest = thousandths % 1000;
    if (rest != 0) {
        const std::array<char, 3> digits{
            static_cast<char>('0' + rest / 100),
            static_cast<char>('0' + rest / 10 % 10),
            static_cast<char>('0' + rest % 10)
        };
        out += '.';
        out.append(digits.data(), rest % 10 != 0 ? 3 : (rest % 100 != 0 ? 2 : 1));
    }
}

void append_value(std::string& out, const LogField::Value& value, bool readable)
{
    if (const auto* text = std::get_if<std::string_view>(&value)) {
        if (readable && !text->empty() && text->find_first_of(" \"=\n\r\t\x1b") == std::string_view::npos) {
            out += *text;
        } else {
            json::write(out, *text);
        }
    } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
        append_number(out, *number);
    } else if (const auto* real = std::get_if<double>(&value)) {
        append_real(out, *real);
    } else {
        out += std::get<bool>(value) ? "true" : "false";
    }
}

void append_json_line(
    std::string& line,
    Timestamp now,
    LogLevel level,
    std::string_view message,
    std::span<const LogField> fields
)
{
    line += R"({"time":")";
    append_rfc3339(line, now);
    append_all(line, R"(","level":")", severity_text(level), R"(","msg":)");
    json::write(line, message);
    for (const auto& field : fields) {
        append_all(line, ",\"", field.key, "\":");
        append_value(line, field.value, false);
    }
    line += "}\n";
}

void append_readable_line(
    std::string& line,
    Timestamp now,
    LogLevel level,
    std::string_view message,
    std::span<const LogField> fields
)
{
    static constexpr std::array<std::string_view, 4> colours{"\x1b[2m", "\x1b[32m", "\x1b[33m", "\x1b[31m"};
    const auto index = static_cast<std::size_t>(level);
    line += fmt::format(
        "\x1b[2m{}\x1b[0m {}{:<5}\x1b[0m {}",
        to_fixed_iso8601(now).substr(11, 12),
        colours[index],
        severity_text(level),
        message
    );
    for (const auto& field : fields) {
        line += fmt::format(" \x1b[2m{}=\x1b[0m", field.key);
        append_value(line, field.value, true);
    }
    line += '\n';
}

// A line's fields with what belongs to the request it is written for: each key once, the caller's first.
class CompleteFields {
public:
    CompleteFields(std::span<const LogField> given, const CurrentSpan& current)
        : span_(current.span), ids_(current.span), fields_(empty_fields())
    {
        fields_.reserve(given.size() + 3);
        const LogField* trace_id = nullptr;
        const LogField* span_id = nullptr;
        bool has_request_id = false;
        for (const auto& field : given) {
            if (field.key == trace_key) {
                trace_id = &field;
            } else if (field.key == span_key) {
                span_id = &field;
            } else {
                has_request_id = has_request_id || field.key == request_key;
                fields_.push_back(field);
            }
        }
        if (!has_request_id && current.origin) {
            fields_.emplace_back(request_key, current.origin->request_id);
        }
        others_ = fields_.size();
        if (trace_id != nullptr && span_id != nullptr) {
            span_ = read_ids(*trace_id, *span_id);
            fields_.push_back(*trace_id);
            fields_.push_back(*span_id);
        } else {
            fields_.emplace_back(trace_key, ids_.trace_id());
            fields_.emplace_back(span_key, ids_.span_id());
        }
    }

    const SpanContext& span() const { return span_; }

    std::span<const LogField> all() const { return fields_; }

    std::span<const LogField> without_ids() const { return all().first(others_); }

private:
    static constexpr std::string_view request_key = "request_id";
    static constexpr std::string_view trace_key = "trace_id";
    static constexpr std::string_view span_key = "span_id";

    static SpanContext read_ids(const LogField& trace_id, const LogField& span_id)
    {
        const auto* const trace = std::get_if<std::string_view>(&trace_id.value);
        const auto* const span = std::get_if<std::string_view>(&span_id.value);
        return trace == nullptr || span == nullptr ? SpanContext{} : parse_ids(*trace, *span);
    }

    // The thread's own: a line at a time, and no memory after the first few.
    static std::vector<LogField>& empty_fields()
    {
        thread_local std::vector<LogField> fields;
        fields.clear();
        return fields;
    }

    SpanContext span_;
    SpanText ids_;
    std::vector<LogField>& fields_;
    std::size_t others_ = 0;
};

std::string& empty_line()
{
    thread_local std::string line;
    line.clear();
    return line;
}

void write_all(int descriptor, std::string_view text)
{
    while (!text.empty()) {
        const auto written = ::write(descriptor, text.data(), text.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return;  // nobody reads: there is no other place to say so
        }
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

}  // namespace

std::optional<LogLevel> parse_log_level(std::string_view name)
{
    static constexpr std::array<std::string_view, 4> names{"debug", "info", "warn", "error"};
    const auto* const found = std::ranges::find(names, name);
    if (found == names.end()) {
        return std::nullopt;
    }
    return static_cast<LogLevel>(found - names.begin());
}

Logger::Logger(Options options, const Clock& clock)
    : options_(options),
      clock_(clock),
      readable_(options.readable.value_or(::isatty(options.descriptor) == 1)),
      thread_([this] {
          pthread_setname_np(pthread_self(), "log");
          run();
      })
{
}

Logger::~Logger()
{
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void Logger::write(LogLevel level, std::string_view message, std::span<const LogField> fields)
{
    if (!enabled(level)) {
        return;
    }
    const auto now = clock_.now();
    const CompleteFields complete(fields, current_span());
    auto& line = empty_line();
    if (readable_) {
        append_readable_line(
            line, now, level, message, complete.span().valid() ? complete.all() : complete.without_ids()
        );
    } else {
        append_json_line(line, now, level, message, complete.all());
    }
    append(line);
    if (options_.recorder != nullptr) {
        options_.recorder->record(LogRecord{
            .time = now,
            .level = level,
            .message = message,
            .fields = complete.without_ids(),
            .span = complete.span(),
        });
    }
}

void Logger::write_plain(std::string_view text)
{
    append(text);
}

void Logger::append(std::string_view line)
{
    bool first = false;
    {
        const std::lock_guard lock(mutex_);
        if (waiting_.size() + line.size() > options_.buffer_bytes_max) {
            ++dropped_;
            return;
        }
        first = waiting_.empty();
        waiting_ += line;
    }
    if (first) {
        wake_.notify_one();
    }
}

void Logger::run()
{
    std::unique_lock lock(mutex_);
    std::string batch;
    while (true) {
        wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
        if (waiting_.empty()) {
            return;
        }
        if (!stopping_) {
            wake_.wait_for(lock, gather_time, [this] {
                return stopping_ || waiting_.size() > options_.buffer_bytes_max / 2;
            });
        }
        batch.clear();
        std::swap(batch, waiting_);
        const auto dropped = dropped_ - std::exchange(dropped_reported_, dropped_);
        writing_ = true;
        lock.unlock();
        if (dropped > 0) {
            const auto lost = static_cast<std::int64_t>(dropped);
            const LogField count("count", lost);
            append_json_line(batch, clock_.now(), LogLevel::warn, "log lines dropped", {&count, 1});
        }
        write_all(options_.descriptor, batch);
        if (batch.capacity() > 64 * 1024) {
            batch = {};  // a burst's memory is given back
        }
        lock.lock();
        writing_ = false;
        written_.notify_all();
    }
}

void Logger::flush()
{
    std::unique_lock lock(mutex_);
    written_.wait(lock, [this] { return waiting_.empty() && !writing_; });
}

std::uint64_t Logger::dropped() const
{
    const std::lock_guard lock(mutex_);
    return dropped_;
}

}  // namespace kit::telemetry
