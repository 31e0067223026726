// A connection that does nothing but wait for messages.
#pragma once

#include "platform/core/blocking_pool.hpp"
#include "platform/core/clock.hpp"
#include "platform/db/postgres/connector.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace kit::db::postgres {

class Subscription {
public:
    // Between two attempts to connect: twice as long each time, from the shortest again once one worked.
    static constexpr std::chrono::milliseconds reconnect_delay_min{100};
    static constexpr std::chrono::milliseconds reconnect_delay_max{5'000};
    static constexpr std::chrono::seconds connect_time_max{2};

    // `resolver` and `clock` outlive it.
    Subscription(
        Target target,
        BlockingPool& resolver,
        Clock& clock,
        std::string channel,
        std::function<void(std::string_view)> receive
    );

    // Until it is cancelled. *this must outlive it.
    Task<void> run();

private:
    Task<void> follow(ConnectionHandle handle);

    Target target_;
    BlockingPool& resolver_;
    Clock& clock_;
    std::string channel_;
    std::function<void(std::string_view)> receive_;
    std::chrono::milliseconds delay_{reconnect_delay_min};
};

}  // namespace kit::db::postgres
