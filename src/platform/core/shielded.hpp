// What must end once it was begun, whatever becomes of its caller.
#pragma once

#include "platform/core/span_task.hpp"
#include "platform/core/task.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace kit {

// Runs `work` to its end even where the caller is cancelled before or meanwhile: a record that belongs to an
// effect, or the release of something held. A cancelled caller learns of it at its next await; for the same
// reason one that may be cancelled by now says `throw_if_cancelled(false)` before it awaits this. `work` must
// be bounded by deadlines of its own. An exception of the work is rethrown.
template <class T>
Task<T> shielded(Task<T> work)
{
    auto executor = co_await asio::this_coro::executor;
    // Else an await of a caller that is already cancelled would throw instead of starting the work.
    co_await asio::this_coro::throw_if_cancelled(false);
    std::exception_ptr failed;
    std::optional<std::conditional_t<std::is_void_v<T>, std::monostate, T>> result;
    try {
        auto running = asio::co_spawn(
            executor,
            under_span(current_span(), std::move(work)),
            asio::bind_cancellation_slot(asio::cancellation_slot(), use_task)
        );
        const KeepSpan keep;
        if constexpr (std::is_void_v<T>) {
            co_await std::move(running);
        } else {
            result.emplace(co_await std::move(running));
        }
    } catch (...) {
        failed = std::current_exception();
    }
    co_await asio::this_coro::throw_if_cancelled(true);
    if (failed) {
        std::rethrow_exception(failed);
    }
    if constexpr (!std::is_void_v<T>) {
        co_return std::move(*result);
    }
}

}  // namespace kit
