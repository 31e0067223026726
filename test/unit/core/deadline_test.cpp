#include "platform/core/deadline.hpp"

#include "platform/core/block_on.hpp"
#include "platform/core/workers.hpp"

#include <gtest/gtest.h>

namespace kit {
namespace {

Task<int> answer()
{
    co_return 42;
}

Task<int> fail()
{
    throw Unavailable("gone");
    co_return 0;
}

Task<int> sleep_long(SystemClock& clock, bool& ended)
{
    try {
        co_await clock.sleep_for(std::chrono::hours(1));
    } catch (const Cancelled&) {
        ended = true;
        throw;
    }
    co_return 0;
}

class Deadline : public testing::Test {
protected:
    Deadline() { workers.start(); }

    Workers workers{1};
    SystemClock clock;
};

TEST_F(Deadline, PassesTheResult)
{
    EXPECT_EQ(
        block_on(
            workers.executor(0), with_deadline(clock, clock.steady_now() + std::chrono::hours(1), answer())
        ),
        42
    );
}

TEST_F(Deadline, PassesTheException)
{
    EXPECT_THROW(
        block_on(
            workers.executor(0), with_deadline(clock, clock.steady_now() + std::chrono::hours(1), fail())
        ),
        Unavailable
    );
}

TEST_F(Deadline, CancelsTheWork)
{
    bool ended = false;
    EXPECT_THROW(
        block_on(
            workers.executor(0),
            with_deadline(clock, clock.steady_now() + std::chrono::milliseconds(5), sleep_long(clock, ended))
        ),
        DeadlineExceeded
    );
    EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace kit
