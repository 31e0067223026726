#include "app/view_query.hpp"

#include "platform/core/encoding.hpp"
#include "platform/telemetry/trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace kit::app {

namespace {

std::optional<std::int64_t> parse_number(std::string_view text, std::int64_t max)
{
    std::int64_t number = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = fault == std::errc() && end == text.data() + text.size();
    return whole && number >= 1 && number <= max ? std::optional(number) : std::nullopt;
}

template <class T, class U>
bool assign(T& place, const std::optional<U>& value)
{
    if (value) {
        place = *value;
    }
    return value.has_value();
}

// What is wrong with a parameter; empty where nothing is.
std::string take_parameter(ViewQuery& query, std::string_view name, const std::string& value)
{
    const auto unless = [&](bool taken, std::string_view expected) {
        return taken ? std::string() : fmt::format("{}: expected {}", name, expected);
    };
    if (name == "route") {
        query.route = value;
        return {};
    }
    if (name == "trace_id") {
        return unless(assign(query.trace, parse_trace_id(value)), "32 lower-case hexadecimal digits");
    }
    if (name == "since") {
        return unless(assign(query.since, parse_rfc3339(value)), "an RFC 3339 time");
    }
    if (name == "level") {
        return unless(assign(query.level, telemetry::parse_log_level(value)), "debug, info, warn or error");
    }
    if (name == "limit") {
        const auto limit = parse_number(value, ViewQuery::limit_max);
        return unless(assign(query.limit, limit), fmt::format("1 to {}", ViewQuery::limit_max));
    }
    const auto seconds = parse_number(value, ViewQuery::seconds_max);
    return unless(assign(query.seconds, seconds), fmt::format("1 to {}", ViewQuery::seconds_max));
}

}  // namespace

std::optional<TraceId> parse_trace_id(std::string_view text)
{
    static constexpr std::string_view any_span = "0000000000000001";
    const auto span = telemetry::parse_ids(text, any_span);
    return span.valid() ? std::optional(trace_of(span)) : std::nullopt;
}

Result<ViewQuery> parse_view_query(std::string_view text, std::span<const std::string> known)
{
    ViewQuery query;
    for (const auto& [name, value] : parse_form(text)) {
        if (std::ranges::find(known, name) == known.end()) {
            return failure(Error::invalid("unknown parameter: " + name));
        }
        if (auto fault = take_parameter(query, name, value); !fault.empty()) {
            return failure(Error::invalid(std::move(fault)));
        }
    }
    return query;
}

}  // namespace kit::app
