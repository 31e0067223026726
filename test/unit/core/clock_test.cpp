#include "platform/core/clock.hpp"

#include "platform/core/block_on.hpp"
#include "platform/core/workers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kit {
namespace {

TEST(SystemClock, SleepsAtLeastAsLong)
{
    Workers workers(1);
    workers.start();
    SystemClock clock;
    const auto before = clock.steady_now();
    block_on(workers.executor(0), clock.sleep_for(std::chrono::milliseconds(5)));
    EXPECT_GE(clock.steady_now() - before, std::chrono::milliseconds(5));
}

TEST(Random, Uuid)
{
    SystemRandom random;
    const auto uuid = random.uuid_v4();
    EXPECT_THAT(
        uuid, testing::MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    );
    EXPECT_NE(uuid, random.uuid_v4());
    EXPECT_EQ(random.token(24).size(), 32);
}

TEST(Workers, KnowTheirNumber)
{
    Workers workers(2);
    workers.start();
    const auto number = [](const Executor& executor) {
        struct Ask {
            static Task<std::size_t> run() { co_return Workers::current(); }
        };
        return block_on(executor, Ask::run());
    };
    EXPECT_EQ(number(workers.executor(0)), 0);
    EXPECT_EQ(number(workers.executor(1)), 1);
    EXPECT_EQ(Workers::current(), Workers::npos);
}

}  // namespace
}  // namespace kit
