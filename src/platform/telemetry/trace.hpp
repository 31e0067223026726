// Which trace a request belongs to: W3C Trace Context.
#pragma once

#include "platform/core/clock.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>

namespace kit::telemetry {

struct SpanContext {
    static constexpr std::uint8_t sampled_flag = 0x01;

    std::uint64_t trace_high = 0;
    std::uint64_t trace_low = 0;
    std::uint64_t span_id = 0;
    std::uint8_t flags = 0;

    // Neither id is all zeros (section 3.2.2).
    bool valid() const { return (trace_high | trace_low) != 0 && span_id != 0; }

    bool sampled() const { return (flags & sampled_flag) != 0; }

    friend bool operator==(const SpanContext&, const SpanContext&) = default;
};

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

// Makes the server's spans. Thread-safe.
class Tracer {
public:
    // Of the traces that begin here, `sampling_ratio` (0 to 1) are sampled, by their id alone, so that every
    // service decides alike. One that began elsewhere is sampled if it is there.
    Tracer(double sampling_ratio, Random& random);

    SpanContext start(const std::optional<SpanContext>& parent);

private:
    std::uint64_t next_number();

    std::uint64_t threshold_;
    std::uint64_t seed_;
    std::atomic<std::uint64_t> counter_{0};
};

}  // namespace kit::telemetry
