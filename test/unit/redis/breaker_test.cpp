#include "platform/redis/breaker.hpp"

#include <gtest/gtest.h>

namespace kit::test {
namespace {

using namespace std::chrono_literals;
using redis::Breaker;

constexpr std::uint64_t longest = 0;  // chance takes nothing off

TEST(Breaker, OpensAtTheFirstFailureAndClosesAtTheFirstSuccess)
{
    Breaker breaker({.backoff_min = 8ms, .backoff_max = 512ms});
    EXPECT_FALSE(breaker.is_open());
    EXPECT_TRUE(breaker.open());
    EXPECT_TRUE(breaker.is_open());
    EXPECT_FALSE(breaker.open()) << "it was open";
    EXPECT_TRUE(breaker.close());
    EXPECT_FALSE(breaker.is_open());
    EXPECT_FALSE(breaker.close());
}

TEST(Breaker, WaitsEverLonger)
{
    Breaker breaker({.backoff_min = 8ms, .backoff_max = 100ms});
    EXPECT_EQ(breaker.next_wait(longest), 0ms) << "at once after a success";
    for (const auto expected : {8ms, 16ms, 32ms, 64ms, 100ms, 100ms}) {
        breaker.open();
        EXPECT_EQ(breaker.next_wait(longest), expected);
    }
    for (int failure = 0; failure < 1'000; ++failure) {
        breaker.open();
    }
    EXPECT_EQ(breaker.next_wait(longest), 100ms);
}

TEST(Breaker, ChanceTakesAtMostHalf)
{
    Breaker breaker({.backoff_min = 8ms, .backoff_max = 100ms});
    breaker.open();
    for (std::uint64_t random = 0; random < 10'000; random += 7) {
        EXPECT_LE(breaker.next_wait(random), 8ms);
        EXPECT_GE(breaker.next_wait(random), 4ms);
    }
    EXPECT_EQ(breaker.next_wait(4'000), 4ms);
}

TEST(Breaker, AGreetingAloneDoesNotShortenTheWaits)
{
    Breaker breaker({.backoff_min = 8ms, .backoff_max = 100ms});
    breaker.open();
    breaker.close();
    breaker.open();
    EXPECT_EQ(breaker.next_wait(longest), 16ms);
    breaker.close();
    breaker.succeeded();
    breaker.open();
    EXPECT_EQ(breaker.next_wait(longest), 8ms);
}

TEST(Breaker, NeverSpins)
{
    Breaker breaker({.backoff_min = 0ms, .backoff_max = 0ms});
    breaker.open();
    EXPECT_EQ(breaker.next_wait(longest), Breaker::wait_min);
}

}  // namespace
}  // namespace kit::test
