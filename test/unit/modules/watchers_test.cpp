#include "modules/sessions/sessions_watchers.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace kit::sessions {
namespace {

ErrorCode refusal(Watchers& watchers, std::int64_t user, const char* session)
{
    const auto watch = watchers.open(user, session);
    return watch ? ErrorCode::internal : watch.error().code();
}

TEST(Watchers, EachLimitHasItsRefusal)
{
    Watchers watchers({.per_session_max = 2, .per_user_max = 3, .total_max = 4});
    auto first = watchers.open(1, "a").value();
    const auto second = watchers.open(1, "a").value();
    EXPECT_EQ(refusal(watchers, 1, "a"), ErrorCode::rate_limited) << "of the session";
    const auto third = watchers.open(1, "b").value();
    EXPECT_EQ(refusal(watchers, 1, "c"), ErrorCode::rate_limited) << "of the user";
    const auto fourth = watchers.open(2, "d").value();
    EXPECT_EQ(refusal(watchers, 3, "e"), ErrorCode::unavailable) << "of the process";
    first.reset();
    EXPECT_EQ(watchers.size(), 3);
    EXPECT_TRUE(watchers.open(1, "a"));
}

TEST(Watchers, AnEndIsToldToItsSessionOnceAndWithTheFirstReason)
{
    Watchers watchers({});
    const auto one = watchers.open(1, "a").value();
    const auto two = watchers.open(1, "a").value();
    const auto other = watchers.open(1, "b").value();
    watchers.end("a", "logout");
    watchers.end("a", "user_inactive");
    watchers.end("unknown", "logout");
    EXPECT_EQ(one->reason(), "logout");
    EXPECT_EQ(two->reason(), "logout");
    EXPECT_EQ(other->reason(), std::nullopt);
}

TEST(Watchers, ThreadsComeAndGoWhileSessionsEnd)
{
    Watchers watchers({.per_session_max = 1'000, .per_user_max = 1'000});
    std::vector<std::jthread> threads;
    for (int number = 0; number < 4; ++number) {
        threads.emplace_back([&watchers] {
            for (int round = 0; round < 2'000; ++round) {
                const auto watch = watchers.open(1, "a");
                watchers.end("a", "logout");
                EXPECT_EQ((*watch)->reason(), "logout");
            }
        });
    }
    threads.clear();
    EXPECT_EQ(watchers.size(), 0);
}

}  // namespace
}  // namespace kit::sessions
