#include "platform/core/blocking_pool.hpp"

#include "platform/core/block_on.hpp"
#include "platform/core/workers.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <semaphore>
#include <thread>

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

// A pool of one thread whose jobs end one by one, when they are told to.
class OverflowedPool : public testing::Test {
protected:
    static constexpr std::size_t queue_max = 8;

    ~OverflowedPool() override { permits_.release(1'000); }

    bool submit()
    {
        return pool_.submit([this] {
            started_.release();
            permits_.acquire();
        });
    }

    void submit_until_refused()
    {
        ASSERT_TRUE(submit());
        started_.acquire();
        for (std::size_t index = 0; index < queue_max; ++index) {
            ASSERT_TRUE(submit()) << "a burst is let in";
        }
        ASSERT_FALSE(submit());
    }

    // Lets so many end; another one runs then.
    void finish(std::size_t count)
    {
        for (; count > 0; --count) {
            permits_.release();
            started_.acquire();
        }
    }

    std::counting_semaphore<> started_{0};
    std::counting_semaphore<> permits_{0};
    BlockingPool pool_{{.name = "test", .threads_max = 1, .queue_max = queue_max}};
};

TEST_F(OverflowedPool, LetsAsManyWaitAsItHasThreads)
{
    submit_until_refused();
    EXPECT_FALSE(submit());
    finish(queue_max - 1);
    EXPECT_FALSE(submit()) << "one waits for one thread";
    finish(1);
    EXPECT_TRUE(submit());
    EXPECT_FALSE(submit());
}

TEST_F(OverflowedPool, TakesABurstAgainOnceNothingWasRefusedForAWhile)
{
    submit_until_refused();
    finish(queue_max);
    // Measured over a span of time: there is no event to wait for.
    std::this_thread::sleep_for(BlockingPool::short_queue_time);
    for (std::size_t index = 0; index < queue_max; ++index) {
        EXPECT_TRUE(submit()) << index;
    }
    EXPECT_FALSE(submit());
}

}  // namespace
}  // namespace kit
