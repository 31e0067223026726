#include "platform/core/span_context.hpp"

#include "platform/core/block_on.hpp"
#include "platform/core/blocking_pool.hpp"
#include "platform/core/clock.hpp"
#include "platform/core/deadline.hpp"
#include "platform/core/workers.hpp"

#include <gtest/gtest.h>

#include <future>

namespace kit {
namespace {

CurrentSpan span(std::uint64_t id)
{
    return {.span = {.trace_high = 1, .trace_low = 1, .span_id = id, .flags = 0}};
}

std::uint64_t current_id()
{
    return current_span().span.span_id;
}

Task<std::uint64_t> id_after_a_turn(Clock& clock)
{
    co_await clock.sleep_for(std::chrono::milliseconds(1));
    co_return current_id();
}

class KeepSpanTest : public testing::Test {
protected:
    KeepSpanTest() { workers.start(); }

    Workers workers{1};
    SystemClock clock;
    BlockingPool pool{{.name = "test"}};
};

// Many requests on one worker, each suspended in all the ways there are.
struct Request {
    static Task<int> run(std::uint64_t id, SystemClock& clock, BlockingPool& pool)
    {
        const ActiveSpan active(span(id));
        int wrong = 0;
        for (int turn = 0; turn < 5; ++turn) {
            wrong += co_await offload(pool, [id] { return current_id() == id ? 0 : 1; });
            wrong += current_id() == id ? 0 : 1;
            co_await clock.sleep_for(std::chrono::microseconds(100));
            wrong += current_id() == id ? 0 : 1;
            const auto seen = co_await with_deadline(
                clock, clock.steady_now() + std::chrono::minutes(1), id_after_a_turn(clock)
            );
            wrong += seen == id && current_id() == id ? 0 : 1;
        }
        co_return wrong;
    }
};

TEST_F(KeepSpanTest, EverybodyFindsHisOwnAgain)
{
    std::vector<std::future<int>> requests;
    for (std::uint64_t id = 1; id <= 20; ++id) {
        requests.push_back(
            asio::co_spawn(workers.executor(0), Request::run(id, clock, pool), asio::use_future)
        );
    }
    for (auto& request : requests) {
        EXPECT_EQ(request.get(), 0);
    }
}

TEST_F(KeepSpanTest, NothingIsLeftOnTheThread)
{
    block_on(workers.executor(0), Request::run(7, clock, pool));

    struct Look {
        static Task<std::uint64_t> run() { co_return current_id(); }
    };

    EXPECT_EQ(block_on(workers.executor(0), Look::run()), 0);
}

TEST_F(KeepSpanTest, AFailureInBetweenChangesNothing)
{
    struct Failing {
        static Task<bool> run(BlockingPool& pool)
        {
            const ActiveSpan active(span(9));
            try {
                co_await offload(pool, []() -> int { throw std::runtime_error("no"); });
            } catch (const std::runtime_error&) {
                co_return current_id() == 9;
            }
            co_return false;
        }
    };

    EXPECT_TRUE(block_on(workers.executor(0), Failing::run(pool)));
}

}  // namespace
}  // namespace kit
