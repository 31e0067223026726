#include "platform/telemetry/span.hpp"

#include "platform/telemetry/trace.hpp"

#include <cmath>
#include <exception>
#include <limits>
#include <span>

namespace kit::telemetry {

namespace {

// SplitMix64's output function: a bijection, so different numbers stay different.
std::uint64_t mix(std::uint64_t number)
{
    number = (number ^ (number >> 30U)) * 0xBF58'476D'1CE4'E5B9U;
    number = (number ^ (number >> 27U)) * 0x94D0'49BB'1331'11EBU;
    return number ^ (number >> 31U);
}

std::uint64_t threshold(double ratio)
{
    constexpr auto everything = std::numeric_limits<std::uint64_t>::max();
    return ratio >= 1.0 ? everything : static_cast<std::uint64_t>(std::ldexp(ratio, 64));
}

}  // namespace

Tracer::Tracer(double sampling_ratio, Random& random, const Clock& clock, Recorder* recorder)
    : threshold_(threshold(sampling_ratio)), seed_(random.number()), clock_(clock), recorder_(recorder)
{
}

// Ids need to differ, not to be secret: one draw of chance at the start is enough.
std::uint64_t Tracer::next_number()
{
    static constexpr std::uint64_t golden = 0x9E37'79B9'7F4A'7C15U;
    while (true) {
        const auto count = counter_.fetch_add(1, std::memory_order_relaxed) + 1;
        if (const auto number = mix(seed_ + count * golden); number != 0) {
            return number;
        }
    }
}

SpanContext Tracer::start(const std::optional<SpanContext>& parent)
{
    SpanContext span{.span_id = next_number()};
    if (parent) {
        span.trace_high = parent->trace_high;
        span.trace_low = parent->trace_low;
        span.flags = parent->flags & SpanContext::sampled_flag;
    } else {
        span.trace_high = next_number();
        span.trace_low = next_number();
        // The share of one half keeps those whose number is in the lower half; the whole keeps all.
        const bool kept =
            threshold_ == std::numeric_limits<std::uint64_t>::max() || span.trace_low < threshold_;
        span.flags = kept ? SpanContext::sampled_flag : 0;
    }
    return span;
}

ChildSpan::ChildSpan(std::string_view name, SpanKind kind) : name_(name), kind_(kind)
{
    const auto& parent = current_span();
    if (parent.tracer == nullptr) {
        return;
    }
    own_ = parent;
    own_.span.span_id = parent.tracer->next_number();
    parent_id_ = parent.span.span_id;
    start_ = parent.tracer->steady_now();
    active_.emplace(own_);
}

void ChildSpan::set(Field field)
{
    if (active_ && field_count_ < fields_max) {
        fields_[field_count_++] = field;
    }
}

void ChildSpan::fail(std::string_view error_type)
{
    failed_ = true;
    set({"error.type", error_type});
}

ChildSpan::~ChildSpan()
{
    if (!active_) {
        return;
    }
    if (!failed_ && std::uncaught_exceptions() > 0) {
        fail("_OTHER");
    }
    own_.tracer->record({
        .span = own_.span,
        .parent_id = parent_id_,
        .tracestate = own_.origin ? std::string_view(own_.origin->tracestate) : std::string_view(),
        .name = name_,
        .kind = kind_,
        .start = unix_time(own_, start_),
        .end = unix_time(own_, own_.tracer->steady_now()),
        .failed = failed_,
        .fields = std::span(fields_).first(field_count_),
    });
}

std::vector<std::pair<std::string, std::string>> propagation_headers()
{
    std::vector<std::pair<std::string, std::string>> headers;
    const auto& current = current_span();
    if (!current.span.valid()) {
        return headers;
    }
    headers.emplace_back("traceparent", format_traceparent(current.span));
    if (current.origin && !current.origin->tracestate.empty()) {
        headers.emplace_back("tracestate", current.origin->tracestate);
    }
    return headers;
}

}  // namespace kit::telemetry
