// The text forms of settings: durations, numbers, switches, lists, choices.
#pragma once

#include "platform/config/config.hpp"

#include <array>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kit::config {

// A sequence of number and unit (`ns us µs ms s m h`), with an optional sign: `1h30m`, `1.5h`, `500ms`, `0`.
// Fractions of a millisecond are rounded away from zero, so that a positive duration stays positive. Nothing
// when malformed or beyond ±2^63 ns.
std::optional<Duration> parse_duration(std::string_view text);

// The shortest such text: `1h30m`, `512ms`, `0s`.
std::string format_duration(Duration value);

// `1 t T TRUE true True`, `0 f F FALSE false False`.
std::optional<bool> parse_bool(std::string_view text);

// Decimal with an optional sign, within std::int64_t.
std::optional<std::int64_t> parse_integer(std::string_view text);

// Decimal or with an exponent; finite.
std::optional<double> parse_number(std::string_view text);

// Split at commas, trimmed, blanks dropped.
std::vector<std::string> parse_list(std::string_view text);

// address/length of IPv4 or IPv6.
bool is_cidr(std::string_view text);

// host:port, where the host may be an IPv6 address in brackets. Without `port_needed` a bare host will do.
bool is_host_port(std::string_view text, bool port_needed = true);

// The file that `sqlite:///absolute/path` names, percent-decoded (RFC 3986). Nothing for any other form.
std::optional<std::filesystem::path> parse_sqlite_url(std::string_view url);

std::string_view trim(std::string_view text);
std::string to_lower(std::string_view text);

// The text in double quotes, escaped and at most 64 characters long, for messages.
std::string quote(std::string_view text);

// The names of an enumeration's values; the first form is what is printed, case does not matter when parsed.
template <class E>
struct Choices;

template <>
struct Choices<JwtSigning> {
    static constexpr std::array names{
        std::pair{std::string_view("HS256"), JwtSigning::hs256},
        std::pair{std::string_view("EdDSA"), JwtSigning::eddsa},
        std::pair{std::string_view("ES256"), JwtSigning::es256}
    };
};

template <>
struct Choices<LogLevel> {
    static constexpr std::array names{
        std::pair{std::string_view("debug"), LogLevel::debug},
        std::pair{std::string_view("info"), LogLevel::info},
        std::pair{std::string_view("warn"), LogLevel::warn},
        std::pair{std::string_view("error"), LogLevel::error}
    };
};

template <>
struct Choices<OtlpCompression> {
    static constexpr std::array names{
        std::pair{std::string_view("none"), OtlpCompression::none},
        std::pair{std::string_view("gzip"), OtlpCompression::gzip}
    };
};

template <>
struct Choices<OtlpProtocol> {
    static constexpr std::array names{
        std::pair{std::string_view("grpc"), OtlpProtocol::grpc},
        std::pair{std::string_view("http/protobuf"), OtlpProtocol::http_protobuf}
    };
};

template <>
struct Choices<OutagePolicy> {
    static constexpr std::array names{
        std::pair{std::string_view("fail_open"), OutagePolicy::fail_open},
        std::pair{std::string_view("fail_closed"), OutagePolicy::fail_closed}
    };
};

template <>
struct Choices<SameSite> {
    static constexpr std::array names{
        std::pair{std::string_view("lax"), SameSite::lax},
        std::pair{std::string_view("strict"), SameSite::strict},
        std::pair{std::string_view("none"), SameSite::none}
    };
};

template <>
struct Choices<SqliteSynchronous> {
    static constexpr std::array names{
        std::pair{std::string_view("normal"), SqliteSynchronous::normal},
        std::pair{std::string_view("full"), SqliteSynchronous::full}
    };
};

template <class T>
concept Choice = requires { Choices<T>::names; };

}  // namespace kit::config
