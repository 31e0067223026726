// A span's place in a trace as text: W3C Trace Context.
#pragma once

#include "platform/core/span_context.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace kit::telemetry {

// The ids as text, for log lines and exemplars: empty where there is no span.
class SpanText {
public:
    explicit SpanText(const SpanContext& span);

    std::string_view trace_id() const { return {text_.data(), valid_ ? trace_digits : 0}; }

    std::string_view span_id() const { return {text_.data() + trace_digits, valid_ ? span_digits : 0}; }

private:
    static constexpr std::size_t trace_digits = 32;
    static constexpr std::size_t span_digits = 16;

    std::array<char, trace_digits + span_digits> text_;
    bool valid_;
};

// A `traceparent` header (section 3.2): of version 00 exactly, of a later one its known beginning. Nothing
// where it is malformed: the trace then begins here (section 4.3).
std::optional<SpanContext> parse_traceparent(std::string_view header);

// What SpanText wrote; not valid where the texts are no ids. Sampled or not is not known.
SpanContext parse_ids(std::string_view trace_id, std::string_view span_id);

// The `tracestate` of a request whose `traceparent` was accepted (section 3.3): its headers of that name
// joined, cut to what is given on (section 3.3.1.5): whole entries at the end go first. Empty where it has
// characters that none may have.
constexpr std::size_t tracestate_bytes_max = 512;
std::string join_tracestate(std::span<const std::string_view> headers);

// The `traceparent` that makes `span` the parent.
std::string format_traceparent(const SpanContext& span);

}  // namespace kit::telemetry
