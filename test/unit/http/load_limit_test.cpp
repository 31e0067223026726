#include "platform/http/load_limit.hpp"

#include "platform/http/route.hpp"

#include <gtest/gtest.h>

namespace kit::http {

namespace {

using namespace std::chrono_literals;

const Route slow{.method = Method::post, .pattern = "/slow", .doc = {.ok = no_body}};
const Route fast{.method = Method::get, .pattern = "/fast", .doc = {.ok = no_body}};

class LoadLimitTest : public testing::Test {
protected:
    static constexpr std::size_t lowest = 8;
    static constexpr std::size_t highest = 100;

    // Lets a window pass in which `count` requests ran at once and took so long. It is judged when the next
    // one begins.
    void window(std::size_t count, std::chrono::steady_clock::duration took, const Route& route = slow)
    {
        std::size_t taken = 0;
        while (taken < count && limit_.enter(now_)) {
            ++taken;
        }
        refused_ = count - taken;
        now_ += 100ms;
        for (; taken > 0; --taken) {
            limit_.leave(route, took, true, now_);
        }
    }

    LoadLimit limit_{{.concurrency_min = lowest, .concurrency_max = highest}};
    SteadyTime now_{1h};
    std::size_t refused_ = 0;
};

TEST_F(LoadLimitTest, TakesTheMostAtFirst)
{
    window(highest + 5, 10ms);
    EXPECT_EQ(refused_, 5);
    EXPECT_EQ(limit_.running(), 0);
}

TEST_F(LoadLimitTest, FallsFromWhatRanWhileMostRequestsQueue)
{
    window(50, 10ms);
    window(50, 31ms);
    window(1, 10ms);
    EXPECT_EQ(limit_.limit(), 50 * LoadLimit::fall);
}

TEST_F(LoadLimitTest, NeverBelowTheFloor)
{
    window(50, 10ms);
    for (int i = 0; i < 100; ++i) {
        window(50, 1s);
    }
    EXPECT_EQ(limit_.limit(), lowest);
    window(lowest, 1s);
    EXPECT_EQ(refused_, 0);
}

TEST_F(LoadLimitTest, RecoversByItselfWithinTwoSeconds)
{
    window(50, 10ms);
    for (int i = 0; i < 20; ++i) {
        window(50, 1s);
    }
    for (int i = 0; i < 20; ++i) {
        window(1, 10ms);
    }
    window(50, 10ms);
    EXPECT_EQ(refused_, 0);
}

TEST_F(LoadLimitTest, SlowIsNotQueued)
{
    // Up to three times the usual, and up to 5 ms above it, is no reason to refuse anybody.
    window(50, 10ms);
    window(50, 29ms);
    window(50, 4ms, fast);
    window(50, 8ms, fast);
    EXPECT_EQ(limit_.limit(), highest);
    EXPECT_EQ(refused_, 0);
}

TEST_F(LoadLimitTest, ARouteIsMeasuredByItsOwnUsualTime)
{
    window(50, 1ms, fast);
    window(50, 100ms, slow);
    window(50, 100ms, slow);
    EXPECT_EQ(limit_.limit(), highest) << "hashing takes that long, however fast others are";
}

TEST_F(LoadLimitTest, WhatHasBecomeSlowerForGoodIsUsualInTime)
{
    window(50, 10ms);
    window(50, 100ms);
    for (int minute = 0; minute < 5; ++minute) {
        now_ += 1min;
        window(lowest, 100ms);
    }
    const auto before = limit_.limit();
    window(lowest, 100ms);
    window(lowest, 100ms);
    EXPECT_GT(limit_.limit(), before);
}

TEST_F(LoadLimitTest, FewRequestsAndUnansweredOnesTellNothing)
{
    window(50, 10ms);
    window(LoadLimit::samples_min - 1, 1s);
    ASSERT_TRUE(limit_.enter(now_));
    limit_.leave(slow, 10s, false, now_);
    window(1, 10ms);
    EXPECT_EQ(limit_.limit(), highest);
}

}  // namespace

}  // namespace kit::http
