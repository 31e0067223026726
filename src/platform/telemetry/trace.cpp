#include "platform/telemetry/trace.hpp"

#include <algorithm>
#include <cstdint>

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

SpanContext parse_ids(std::string_view trace_id, std::string_view span_id)
{
    if (trace_id.size() != 32 || span_id.size() != 16) {
        return {};
    }
    return {
        .trace_high = read_hex(trace_id.substr(0, 16)).value_or(0),
        .trace_low = read_hex(trace_id.substr(16)).value_or(0),
        .span_id = read_hex(span_id).value_or(0),
    };
}

std::string join_tracestate(std::span<const std::string_view> headers)
{
    std::string joined;
    for (const auto header : headers) {
        joined += joined.empty() ? "" : ",";
        joined += header;
    }
    if (!std::ranges::all_of(joined, [](char letter) {
            return letter == '\t' || (letter >= 0x20 && letter < 0x7F);
        })) {
        return {};
    }
    if (joined.size() > tracestate_bytes_max) {
        const auto comma = joined.rfind(',', tracestate_bytes_max);
        joined.resize(comma == std::string::npos ? 0 : comma);
    }
    return joined;
}

std::string format_traceparent(const SpanContext& span)
{
    const SpanText ids(span);
    std::string text = "00-";
    text += ids.trace_id();
    text += '-';
    text += ids.span_id();
    text += span.sampled() ? "-01" : "-00";
    return text;
}

}  // namespace kit::telemetry
