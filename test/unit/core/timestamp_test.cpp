#include "platform/core/timestamp.hpp"

#include <gtest/gtest.h>

#include <random>

namespace kit {
namespace {

using namespace std::chrono_literals;

constexpr Timestamp moment = std::chrono::sys_days(std::chrono::year(2026) / 11 / 24) + 15h + 4min + 5s;

TEST(Rfc3339, FractionIsTrimmed)
{
    EXPECT_EQ(to_rfc3339(moment), "2026-11-24T15:04:05Z");
    EXPECT_EQ(to_rfc3339(moment + 120ms), "2026-11-24T15:04:05.12Z");
    EXPECT_EQ(to_rfc3339(moment + 1us), "2026-11-24T15:04:05.000001Z");
    EXPECT_EQ(to_rfc3339(never), "0001-01-01T00:00:00Z");
}

TEST(Rfc3339, FixedWidthSorts)
{
    EXPECT_EQ(to_fixed_iso8601(moment + 12us), "2026-11-24T15:04:05.000012Z");
    EXPECT_LT(to_fixed_iso8601(moment), to_fixed_iso8601(moment + 1us));
}

TEST(Rfc3339, Parsing)
{
    EXPECT_EQ(parse_rfc3339("2026-11-24T15:04:05Z"), moment);
    EXPECT_EQ(parse_rfc3339("2026-11-24T17:04:05.25+02:00"), moment + 250ms);
    EXPECT_EQ(parse_rfc3339("2026-11-24 10:04:05-05:00"), moment);
    EXPECT_EQ(parse_rfc3339("2026-11-24T15:04:05.123456789z"), moment + 123456us);
    EXPECT_EQ(parse_rfc3339("2026-11-24T15:04:60Z"), moment + 55s);
    for (const auto* text :
         {"",
          "2026-11-24",
          "2026-11-24T15:04:05",
          "2026-13-01T00:00:00Z",
          "2026-02-29T00:00:00Z",
          "2026-11-24T24:00:00Z",
          "2026-11-24T15:60:00Z",
          "2026-11-24T15:04:61Z",
          "2026-11-24T15:04:05.Z",
          "2026-11-24T15:04:05.1234567890Z",
          "2026-11-24T15:04:05Zx",
          "2026-11-24T15:04:05+2:00",
          "2026-11-24T15:04:05+24:00",
          "2O26-11-24T15:04:05Z"}) {
        EXPECT_FALSE(parse_rfc3339(text)) << text;
    }
}

TEST(Rfc3339, RoundTrip)
{
    std::mt19937_64 random(3);
    std::uniform_int_distribution<std::int64_t> microseconds(
        never.time_since_epoch().count(), 253402300799999999
    );
    for (int round = 0; round < 10000; ++round) {
        const Timestamp time{std::chrono::microseconds(microseconds(random))};
        ASSERT_EQ(parse_rfc3339(to_rfc3339(time)), time);
        ASSERT_EQ(parse_rfc3339(to_fixed_iso8601(time)), time);
    }
}

TEST(HttpDate, Rfc9110Form)
{
    EXPECT_EQ(
        to_http_date(std::chrono::sys_days(std::chrono::year(1994) / 11 / 6) + 8h + 49min + 37s),
        "Sun, 06 Nov 1994 08:49:37 GMT"
    );
    EXPECT_EQ(to_http_date(moment), "Tue, 24 Nov 2026 15:04:05 GMT");
}

}  // namespace
}  // namespace kit
