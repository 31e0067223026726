// Spans: made by the tracer for requests, by whoever does a piece of their work for its children.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/core/span_context.hpp"
#include "platform/core/task.hpp"
#include "platform/telemetry/field.hpp"
#include "platform/telemetry/recorder.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kit::telemetry {

// Makes spans and records the sampled ones. Thread-safe.
class Tracer {
public:
    // Of the traces that begin here, `sampling_ratio` (0 to 1) are sampled, by their id alone, so that every
    // service decides alike. One that began elsewhere is sampled if it is there. Without a recorder spans
    // have ids and nothing else.
    Tracer(double sampling_ratio, Random& random, const Clock& clock, Recorder* recorder);

    SpanContext start(const std::optional<SpanContext>& parent);

    // Whether spans of this trace are kept at all.
    bool records(const SpanContext& span) const { return recorder_ != nullptr && span.sampled(); }

    // A finished span of a trace that is recorded.
    void record(const SpanRecord& span) const { recorder_->record(span); }

    // Chance enough for a span's id; never 0.
    std::uint64_t next_number();

    SteadyTime steady_now() const { return clock_.steady_now(); }

private:
    std::uint64_t threshold_;
    std::uint64_t seed_;
    const Clock& clock_;
    Recorder* recorder_;
    std::atomic<std::uint64_t> counter_{0};
};

// What is to be added to steady time for Unix time, as of now.
inline std::chrono::nanoseconds clock_offset(Timestamp now, SteadyTime steady_now)
{
    return now.time_since_epoch() - std::chrono::nanoseconds(steady_now.time_since_epoch());
}

// A moment of a request as Unix time.
inline UnixNanoseconds unix_time(const CurrentSpan& span, SteadyTime when)
{
    return UnixNanoseconds(std::chrono::nanoseconds(when.time_since_epoch()) + span.clock_offset);
}

// A piece of work for the current span: its child, and the current span while it lives. Costs a look at a
// thread-local where nothing is recorded. Ended by an exception, it has failed.
class [[nodiscard]] ChildSpan {
public:
    static constexpr std::size_t fields_max = 8;

    // `name`, and the fields' keys and texts, live as long as the span: literals, or what is declared before
    // it. Names say what is done, never for whom.
    explicit ChildSpan(std::string_view name, SpanKind kind = SpanKind::internal);
    ChildSpan(const ChildSpan&) = delete;
    ChildSpan& operator=(const ChildSpan&) = delete;
    ~ChildSpan();

    bool recording() const { return active_.has_value(); }

    // Fields beyond fields_max are left out.
    void set(Field field);

    // The work did not succeed. `error_type` is a literal of low cardinality: "timeout", "connection".
    void fail(std::string_view error_type);

private:
    std::string_view name_;
    SpanKind kind_;
    bool failed_ = false;
    std::size_t field_count_ = 0;
    SteadyTime start_{};
    CurrentSpan own_{};
    std::uint64_t parent_id_ = 0;
    std::optional<ActiveSpan> active_;
    std::array<Field, fields_max> fields_{};
};

// `work` as a child span. `name` is a literal.
template <class T>
Task<T> spanned(std::string_view name, Task<T> work)
{
    const ChildSpan span(name);
    co_return co_await std::move(work);
}

// The headers that carry the current span to another server: `traceparent`, and `tracestate` where there is
// one. Empty outside a trace.
std::vector<std::pair<std::string, std::string>> propagation_headers();

}  // namespace kit::telemetry
