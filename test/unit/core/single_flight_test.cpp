#include "platform/core/single_flight.hpp"

#include "platform/core/clock.hpp"
#include "platform/core/workers.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace kit {
namespace {

using Flights = SingleFlight<int>;

// A fill that waits to be let go, and tells that it has begun.
struct Fill {
    std::atomic<int>& runs;
    std::promise<void>& begun;
    Event& go;
    bool fails = false;

    Task<int> operator()() const
    {
        if (runs++ == 0) {
            begun.set_value();
        }
        co_await go.wait();
        if (fails) {
            throw Unavailable("no answer");
        }
        co_return 42;
    }
};

class SingleFlightTest : public testing::Test {
protected:
    SingleFlightTest() : workers_(2) { workers_.start(); }

    std::future<Flights::Outcome> ask(std::size_t worker, bool fails = false)
    {
        return asio::co_spawn(
            workers_.executor(worker),
            flights_.run("key", Fill{.runs = runs_, .begun = begun_, .go = go_, .fails = fails}),
            asio::use_future
        );
    }

    // Returns when a worker has done all that was asked of it so far.
    void settle(std::size_t worker)
    {
        std::promise<void> passed;
        asio::post(workers_.executor(worker), [&passed] { passed.set_value(); });
        passed.get_future().wait();
    }

    Workers workers_;
    Flights flights_;
    std::atomic<int> runs_{0};
    std::promise<void> begun_;
    Event go_;
};

TEST_F(SingleFlightTest, OneFillForAllWorkers)
{
    auto leader = ask(0);
    begun_.get_future().wait();
    std::vector<std::future<Flights::Outcome>> others;
    for (std::size_t other = 0; other < 50; ++other) {
        others.push_back(ask(other % 2));
    }
    settle(0);
    settle(1);
    go_.set();
    EXPECT_TRUE(leader.get().led);
    for (auto& other : others) {
        const auto outcome = other.get();
        EXPECT_EQ(outcome.value, 42);
        EXPECT_FALSE(outcome.led);
    }
    EXPECT_EQ(runs_, 1);
    EXPECT_TRUE(ask(0).get().led) << "the flight has landed";
}

TEST_F(SingleFlightTest, AFailureIsSharedAndNotHandedToLaterCallers)
{
    auto leader = ask(0, true);
    begun_.get_future().wait();
    auto other = ask(1, true);
    settle(1);
    go_.set();
    EXPECT_THROW(leader.get(), Unavailable);
    EXPECT_THROW(other.get(), Unavailable);
    EXPECT_EQ(runs_, 1);
    EXPECT_EQ(ask(1).get().value, 42);
}

TEST_F(SingleFlightTest, ALeaderThatHangsUpHarmsNobody)
{
    asio::cancellation_signal hang_up;
    std::promise<void> gone;
    asio::co_spawn(
        workers_.executor(0),
        flights_.run("key", Fill{.runs = runs_, .begun = begun_, .go = go_}),
        asio::bind_cancellation_slot(
            hang_up.slot(),
            [&gone](const std::exception_ptr& failed, const Flights::Outcome&) {
                EXPECT_TRUE(failed);
                gone.set_value();
            }
        )
    );
    begun_.get_future().wait();
    auto other = ask(1);
    settle(1);
    asio::post(workers_.executor(0), [&hang_up] { hang_up.emit(asio::cancellation_type::terminal); });
    gone.get_future().wait();
    go_.set();
    EXPECT_EQ(other.get().value, 42);
    EXPECT_EQ(runs_, 2);
}

}  // namespace
}  // namespace kit
