#include "platform/core/blocking_pool.hpp"

#include "platform/core/block_on.hpp"
#include "platform/core/workers.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>

namespace kit {
namespace {

Task<int> offloaded(BlockingPool& pool, std::function<int()> work)
{
    const auto before = Workers::current();
    const int result = co_await offload(pool, std::move(work));
    EXPECT_EQ(Workers::current(), before) << "resumed on its own worker";
    co_return result;
}

class Pool : public testing::Test {
protected:
    Pool() { workers.start(); }

    Workers workers{2};
};

TEST_F(Pool, ReturnsTheResult)
{
    BlockingPool pool({.name = "test", .threads_max = 2, .queue_max = 4});
    EXPECT_EQ(block_on(workers.executor(1), offloaded(pool, [] { return 7; })), 7);
}

TEST_F(Pool, RethrowsOnTheCaller)
{
    BlockingPool pool({.name = "test", .threads_max = 1, .queue_max = 4});
    EXPECT_THROW(
        block_on(workers.executor(0), offloaded(pool, []() -> int { throw Unavailable("disk"); })),
        Unavailable
    );
}

TEST_F(Pool, NeverRunsMoreThanItsThreadsAndRefusesBeyondItsQueue)
{
    BlockingPool pool({.name = "test", .threads_max = 2, .queue_max = 3});
    std::latch started(2);
    std::promise<void> release;
    const auto gate = release.get_future().share();
    std::atomic<int> running = 0;
    std::atomic<int> peak = 0;
    const auto job = [&] {
        peak = std::max(peak.load(), ++running);
        if (running == 2) {
            started.count_down(2);
        }
        gate.wait();
        --running;
    };
    ASSERT_TRUE(pool.submit(job));
    ASSERT_TRUE(pool.submit(job));
    started.wait();
    for (int index = 0; index < 3; ++index) {
        EXPECT_TRUE(pool.submit(job));
    }
    EXPECT_FALSE(pool.submit(job)) << "the queue is full";
    EXPECT_EQ(pool.queued(), 3);
    EXPECT_THROW(block_on(workers.executor(0), offloaded(pool, [] { return 1; })), Overloaded);
    release.set_value();
    pool.stop();
    EXPECT_EQ(peak, 2);
    EXPECT_EQ(running, 0) << "what was queued has run";
    EXPECT_FALSE(pool.submit([] {})) << "stopped";
}

}  // namespace
}  // namespace kit
