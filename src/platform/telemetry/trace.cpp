#include "platform/telemetry/trace.hpp"

#include <cmath>
#include <limits>
#include <span>

namespace kit::telemetry {

namespace {

constexpr std::string_view digits = "0123456789abcdef";

void write_hex(std::span<char> out, std::uint64_t number)
{
    for (auto index = out.size(); index > 0; --index) {
        out[index - 1] = digits[number % 16];
        number /= 16;
    }
}

// Lower case only: section 2.
std::optional<std::uint64_t> read_hex(std::string_view text)
{
    std::uint64_t number = 0;
    for (const char letter : text) {
        const auto digit = digits.find(letter);
        if (digit == std::string_view::npos) {
            return std::nullopt;
        }
        number = number * 16 + digit;
    }
    return number;
}

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

SpanText::SpanText(const SpanContext& span) : valid_(span.valid())
{
    if (valid_) {
        const std::span<char> text(text_);
        write_hex(text.subspan(0, 16), span.trace_high);
        write_hex(text.subspan(16, 16), span.trace_low);
        write_hex(text.subspan(trace_digits), span.span_id);
    }
}

std::optional<SpanContext> parse_traceparent(std::string_view header)
{
    // version "-" trace-id "-" parent-id "-" flags
    static constexpr std::size_t known = 2 + 1 + 32 + 1 + 16 + 1 + 2;
    if (header.size() < known || header[2] != '-' || header[35] != '-' || header[52] != '-') {
        return std::nullopt;
    }
    const auto version = read_hex(header.substr(0, 2));
    const auto high = read_hex(header.substr(3, 16));
    const auto low = read_hex(header.substr(19, 16));
    const auto span_id = read_hex(header.substr(36, 16));
    const auto flags = read_hex(header.substr(53, 2));
    if (!version || !high || !low || !span_id || !flags || version == 0xFF) {
        return std::nullopt;
    }
    if (header.size() > known && (version == 0 || header[known] != '-')) {
        return std::nullopt;
    }
    const SpanContext span{
        .trace_high = *high,
        .trace_low = *low,
        .span_id = *span_id,
        .flags = static_cast<std::uint8_t>(*flags),
    };
    return span.valid() ? std::optional(span) : std::nullopt;
}

Tracer::Tracer(double sampling_ratio, Random& random)
    : threshold_(threshold(sampling_ratio)), seed_(random.number())
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

}  // namespace kit::telemetry
