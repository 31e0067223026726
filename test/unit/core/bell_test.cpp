#include "platform/core/bell.hpp"

#include "platform/core/error.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <gtest/gtest.h>

#include <thread>

namespace kit {
namespace {

class BellTest : public testing::Test {
protected:
    void wait_once()
    {
        asio::co_spawn(loop, bell.wait(), [this](const std::exception_ptr& failed) {
            ++(failed ? cancelled : woken);
        });
    }

    asio::io_context loop{1};
    Bell bell;
    int woken = 0;
    int cancelled = 0;
};

TEST_F(BellTest, KeepsOneRingForWhoComesNext)
{
    bell.ring();
    bell.ring();
    wait_once();
    wait_once();
    loop.poll();
    EXPECT_EQ(woken, 1);
    bell.ring_for_good();
    loop.poll();
    EXPECT_EQ(woken, 2);
}

TEST_F(BellTest, WakesOneForEachRingFromAnyThread)
{
    for (int count = 0; count < 3; ++count) {
        wait_once();
    }
    loop.poll();
    std::jthread([this] { bell.ring(); }).join();
    loop.poll();
    EXPECT_EQ(woken, 1);
    bell.ring_for_good();
    wait_once();
    loop.run();
    EXPECT_EQ(woken, 4);
}

TEST_F(BellTest, ARingIsNotLostOnWhoIsCancelled)
{
    asio::cancellation_signal signal;
    asio::co_spawn(
        loop,
        bell.wait(),
        asio::bind_cancellation_slot(
            signal.slot(), [this](const std::exception_ptr& failed) { ++(failed ? cancelled : woken); }
        )
    );
    loop.poll();
    signal.emit(asio::cancellation_type::terminal);
    bell.ring();
    wait_once();
    loop.poll();
    EXPECT_EQ(cancelled, 1);
    EXPECT_EQ(woken, 1);
}

}  // namespace
}  // namespace kit
