// UTC points in time with the precision that both databases keep.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace kit {

// UTC, microseconds since 1970-01-01 (what PostgreSQL's timestamptz holds).
using Timestamp = std::chrono::sys_time<std::chrono::microseconds>;

// "Never": how the contract shows an unset time, 0001-01-01T00:00:00Z.
inline constexpr Timestamp never = std::chrono::sys_days(std::chrono::year(1) / 1 / 1);

// RFC 3339 in UTC with `Z`; trailing zeros of the fraction, and an empty fraction's dot, are left out.
std::string to_rfc3339(Timestamp time);
void append_rfc3339(std::string& out, Timestamp time);

// Always 27 characters, 2026-11-24T15:04:05.000000Z: sorts as text in time order. What SQLite stores.
std::string to_fixed_iso8601(Timestamp time);

// RFC 3339 with any offset and up to nine fractional digits (beyond microseconds cut off); nothing if
// malformed.
std::optional<Timestamp> parse_rfc3339(std::string_view text);

// The Date header's form, RFC 9110 section 5.6.7: "Tue, 24 Nov 2026 15:04:05 GMT".
std::string to_http_date(Timestamp time);

}  // namespace kit
