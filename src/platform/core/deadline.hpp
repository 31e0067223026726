// Bounded waits.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/core/error.hpp"
#include "platform/core/span_task.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>
#include <utility>

namespace kit {

// `work`'s result, or DeadlineExceeded once `when` has passed; the work is cancelled then, and must honour
// cancellation. T must be default-constructible. An exception of the work is rethrown. Two coroutines, about
// 2 µs: for seldom waits; sockets of the HTTP server use the worker's deadline sweep.
template <class T>
Task<T> with_deadline(Clock& clock, SteadyTime when, Task<T> work)
{
    auto executor = co_await asio::this_coro::executor;
    auto group = asio::experimental::make_parallel_group(
        asio::co_spawn(executor, under_span(current_span(), std::move(work)), asio::deferred),
        asio::co_spawn(executor, clock.sleep_until(when), asio::deferred)
    );
    const KeepSpan keep;
    auto done = co_await group.async_wait(asio::experimental::wait_for_one(), use_task);
    if (std::get<0>(done)[0] == 1) {
        throw DeadlineExceeded("deadline exceeded");
    }
    if (std::get<1>(done)) {
        std::rethrow_exception(std::get<1>(done));
    }
    if constexpr (!std::is_void_v<T>) {
        co_return std::get<2>(std::move(done));
    }
}

}  // namespace kit
