#include "platform/core/background.hpp"

#include "platform/core/clock.hpp"
#include "platform/core/error.hpp"
#include "platform/core/workers.hpp"

#include <gtest/gtest.h>

#include <future>

namespace kit {
namespace {

Task<void> poll_for_ever(SystemClock& clock, std::promise<void>& started)
{
    started.set_value();
    while (true) {
        co_await clock.sleep_for(std::chrono::hours(1));
    }
}

Task<void> fail()
{
    throw Unavailable("gone");
    co_return;
}

TEST(Background, StopCancelsAndWaits)
{
    Workers workers(2);
    workers.start();
    SystemClock clock;
    std::promise<void> started;
    Background background([](const std::string&, const std::exception_ptr&) {
        ADD_FAILURE() << "a cancelled task is no failure";
    });
    background.spawn(workers.executor(1), "poller", poll_for_ever(clock, started));
    started.get_future().wait();
    background.stop();
}

TEST(Background, ReportsAFailure)
{
    Workers workers(1);
    workers.start();
    std::promise<std::string> failed;
    Background background([&failed](const std::string& name, const std::exception_ptr&) {
        failed.set_value(name);
    });
    background.spawn(workers.executor(0), "sweeper", fail());
    EXPECT_EQ(failed.get_future().get(), "sweeper");
}

}  // namespace
}  // namespace kit
