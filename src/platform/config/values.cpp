#include "platform/config/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cmath>
#include <limits>

namespace kit::config {

namespace {

constexpr std::string_view white_space = " \t\r\n\v\f";

bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// from_chars knows no plus sign, and would take a minus after ours.
std::optional<std::string_view> without_plus(std::string_view text)
{
    if (text.starts_with('+')) {
        text.remove_prefix(1);
        if (text.starts_with('-') || text.starts_with('+')) {
            return std::nullopt;
        }
    }
    return text;
}

std::string_view take_while(std::string_view& text, auto predicate)
{
    const auto end = std::ranges::find_if_not(text, predicate);
    const auto taken = text.substr(0, static_cast<std::size_t>(end - text.begin()));
    text.remove_prefix(taken.size());
    return taken;
}

// Nanoseconds of a unit; 0 for an unknown one. Both micro signs, U+00B5 and U+03BC, are in use.
double unit_nanoseconds(std::string_view unit)
{
    static constexpr std::array<std::pair<std::string_view, double>, 8> units{{
        {"ns", 1},
        {"us", 1e3},
        {"\u00b5s", 1e3},
        {"\u03bcs", 1e3},
        {"ms", 1e6},
        {"s", 1e9},
        {"m", 60e9},
        {"h", 3600e9},
    }};
    const auto* found = std::ranges::find(units, unit, &std::pair<std::string_view, double>::first);
    return found == units.end() ? 0 : found->second;
}

// "1.5" and then "h": the part is cut off the text and yields nanoseconds.
std::optional<double> take_duration_part(std::string_view& text)
{
    const auto amount = take_while(text, [](char c) { return is_digit(c) || c == '.'; });
    const auto unit = take_while(text, [](char c) { return !is_digit(c) && c != '.'; });
    const double nanoseconds = unit_nanoseconds(unit);
    double value = 0;
    const auto [end, error] = std::from_chars(amount.begin(), amount.end(), value, std::chars_format::fixed);
    if (error != std::errc() || end != amount.end() || nanoseconds == 0) {
        return std::nullopt;
    }
    return value * nanoseconds;
}

bool is_port(std::string_view text)
{
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.begin(), text.end(), port);
    return error == std::errc() && end == text.end();
}

bool is_host(std::string_view text)
{
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' ||
               c == '_';
    });
}

bool is_address(std::string_view text, int family)
{
    std::array<std::byte, sizeof(in6_addr)> bytes{};
    return inet_pton(family, std::string(text).c_str(), bytes.data()) == 1;
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text)
{
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) {
        text.remove_prefix(1);
    }
    if (text == "0") {
        return Duration::zero();
    }
    if (text.empty()) {
        return std::nullopt;
    }
    double nanoseconds = 0;
    while (!text.empty()) {
        const auto part = take_duration_part(text);
        if (!part) {
            return std::nullopt;
        }
        nanoseconds += *part;
    }
    if (nanoseconds >= 9223372036854775808.0) {
        return std::nullopt;
    }
    // The product of a fraction and a unit may lie a hair above a whole number: 1e-6 ms is below anybody's
    // notice.
    const auto milliseconds = static_cast<std::int64_t>(std::ceil(nanoseconds / 1e6 - 1e-7));
    return Duration(negative ? -milliseconds : milliseconds);
}

std::string format_duration(Duration value)
{
    using namespace std::chrono_literals;
    if (value == 0ms) {
        return "0s";
    }
    std::string text = value < 0ms ? "-" : "";
    auto rest = value < 0ms ? -value : value;
    for (const auto& [unit, name] : {std::pair{Duration(1h), "h"}, {1min, "m"}, {1s, "s"}, {1ms, "ms"}}) {
        if (rest >= unit) {
            text += fmt::format("{}{}", rest / unit, name);
            rest %= unit;
        }
    }
    return text;
}

std::optional<bool> parse_bool(std::string_view text)
{
    for (const std::string_view yes : {"1", "t", "T", "TRUE", "true", "True"}) {
        if (text == yes) {
            return true;
        }
    }
    for (const std::string_view no : {"0", "f", "F", "FALSE", "false", "False"}) {
        if (text == no) {
            return false;
        }
    }
    return std::nullopt;
}

std::optional<std::int64_t> parse_integer(std::string_view text)
{
    const auto digits = without_plus(text);
    if (!digits) {
        return std::nullopt;
    }
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits->begin(), digits->end(), value);
    if (error != std::errc() || end != digits->end()) {
        return std::nullopt;
    }
    return value;
}

std::optional<double> parse_number(std::string_view text)
{
    const auto digits = without_plus(text);
    if (!digits) {
        return std::nullopt;
    }
    double value = 0;
    const auto [end, error] = std::from_chars(digits->begin(), digits->end(), value);
    if (error != std::errc() || end != digits->end() || !std::isfinite(value)) {
        return std::nullopt;
    }
    return value;
}

std::vector<std::string> parse_list(std::string_view text)
{
    std::vector<std::string> entries;
    while (!text.empty()) {
        const auto comma = std::min(text.find(','), text.size());
        if (const auto entry = trim(text.substr(0, comma)); !entry.empty()) {
            entries.emplace_back(entry);
        }
        text.remove_prefix(std::min(comma + 1, text.size()));
    }
    return entries;
}

bool is_cidr(std::string_view text)
{
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) {
        return false;
    }
    const auto address = text.substr(0, slash);
    const auto length_text = text.substr(slash + 1);
    unsigned length = 0;
    const auto [end, error] = std::from_chars(length_text.begin(), length_text.end(), length);
    if (error != std::errc() || end != length_text.end()) {
        return false;
    }
    return (length <= 32 && is_address(address, AF_INET)) || (length <= 128 && is_address(address, AF_INET6));
}

bool is_host_port(std::string_view text, bool port_needed)
{
    if (text.starts_with('[')) {
        const auto bracket = text.find(']');
        if (bracket == std::string_view::npos || !is_address(text.substr(1, bracket - 1), AF_INET6)) {
            return false;
        }
        const auto rest = text.substr(bracket + 1);
        return rest.empty() ? !port_needed : rest.starts_with(':') && is_port(rest.substr(1));
    }
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) {
        return !port_needed && is_host(text);
    }
    return is_host(text.substr(0, colon)) && is_port(text.substr(colon + 1));
}

std::optional<std::filesystem::path> parse_sqlite_url(std::string_view url)
{
    constexpr std::string_view scheme = "sqlite://";
    if (!url.starts_with("sqlite:///") || url.ends_with('/') ||
        url.find_first_of("?#") != std::string_view::npos) {
        return std::nullopt;
    }
    std::string path;
    for (auto rest = url.substr(scheme.size()); !rest.empty(); rest.remove_prefix(1)) {
        if (rest.front() != '%') {
            path += rest.front();
            continue;
        }
        unsigned char byte = 0;
        const auto digits = rest.substr(1, 2);
        const auto [end, error] = std::from_chars(digits.begin(), digits.end(), byte, 16);
        if (digits.size() != 2 || error != std::errc() || end != digits.end() || byte == 0) {
            return std::nullopt;
        }
        path += static_cast<char>(byte);
        rest.remove_prefix(2);
    }
    return path;
}

std::string_view trim(std::string_view text)
{
    const auto first = text.find_first_not_of(white_space);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(white_space) - first + 1);
}

std::string to_lower(std::string_view text)
{
    std::string lower(text);
    std::ranges::transform(lower, lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return lower;
}

std::string quote(std::string_view text)
{
    constexpr std::size_t shown_max = 64;
    std::string quoted = "\"";
    for (const char c : text.substr(0, shown_max)) {
        if (c == '"' || c == '\\') {
            quoted += '\\';
            quoted += c;
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        } else {
            quoted += c;
        }
    }
    quoted += text.size() > shown_max ? "…\"" : "\"";
    return quoted;
}

}  // namespace kit::config
