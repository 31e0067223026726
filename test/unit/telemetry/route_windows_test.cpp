#include "platform/telemetry/route_windows.hpp"

#include <gtest/gtest.h>

namespace kit::telemetry {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Timestamp start = std::chrono::sys_days(std::chrono::year(2026) / 3 / 1);

TEST(RouteWindows, SayHowLongRequestsTook)
{
    RouteWindows windows({"GET /a", "GET /b"}, 0);
    for (int index = 1; index <= 1'000; ++index) {
        windows.record(0, microseconds(100 * index), index > 990);
    }
    windows.record(1, microseconds(3), false);
    const auto routes = windows.summarize(start);
    ASSERT_EQ(routes.size(), 2);
    EXPECT_EQ(routes[0].route, "GET /a");
    EXPECT_EQ(routes[0].count, 1'000);
    EXPECT_EQ(routes[0].errors, 10);
    EXPECT_NEAR(routes[0].p50_ms, 50, 50.0 / 8);
    EXPECT_NEAR(routes[0].p90_ms, 90, 90.0 / 8);
    EXPECT_NEAR(routes[0].p99_ms, 99, 99.0 / 8);
    EXPECT_EQ(routes[1].count, 1);
    EXPECT_NEAR(routes[1].p50_ms, 0.004, 0.001);
}

TEST(RouteWindows, ForgetWhatIsOlderThanAsked)
{
    RouteWindows windows({"GET /a"}, 0);
    windows.record(0, milliseconds(1), false);
    windows.rotate(start + seconds(10));
    windows.record(0, milliseconds(1), true);
    windows.record(0, milliseconds(1), false);
    windows.rotate(start + seconds(20));
    EXPECT_EQ(windows.summarize(start).front().count, 3);
    EXPECT_EQ(windows.summarize(start + seconds(10)).front().count, 2);
    EXPECT_EQ(windows.summarize(start + seconds(10)).front().errors, 1);
    EXPECT_TRUE(windows.summarize(start + seconds(20)).empty());
}

TEST(RouteWindows, KeepAQuarterOfAnHour)
{
    RouteWindows windows({"GET /a"}, 0);
    for (std::size_t index = 0; index < 2 * RouteWindows::windows_max; ++index) {
        windows.record(0, milliseconds(1), false);
        windows.rotate(start + seconds(10 * index));
    }
    EXPECT_EQ(windows.summarize(start - seconds(1)).front().count, RouteWindows::windows_max);
}

TEST(RouteWindows, TakeAnyDuration)
{
    RouteWindows windows({"GET /a"}, 0);
    windows.record(0, milliseconds(-1), false);
    windows.record(0, std::chrono::hours(1), false);
    EXPECT_EQ(windows.summarize(start).front().count, 2);
}

}  // namespace
}  // namespace kit::telemetry
