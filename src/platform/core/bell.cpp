#include "platform/core/bell.hpp"

#include "platform/core/error.hpp"
#include "platform/core/span_context.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>

#include <chrono>
#include <utility>

namespace kit {

namespace {

using Timer = asio::
    basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;

}  // namespace

// A timer that never ends by itself; touched on its executor only.
struct Bell::Waiter {
    explicit Waiter(const Executor& executor) : timer(executor, SteadyPoint::max()) {}

    using SteadyPoint = std::chrono::steady_clock::time_point;

    Timer timer;
    bool rung = false;

    static void wake(const std::shared_ptr<Waiter>& waiter)
    {
        asio::post(waiter->timer.get_executor(), [waiter] {
            waiter->rung = true;
            waiter->timer.cancel();
        });
    }
};

Bell::Bell() = default;
Bell::~Bell() = default;

void Bell::ring()
{
    const std::lock_guard lock(mutex_);
    if (waiters_.empty()) {
        rung_ = true;
        return;
    }
    Waiter::wake(waiters_.front());
    waiters_.pop_front();
}

void Bell::ring_for_good()
{
    const std::lock_guard lock(mutex_);
    for_good_ = true;
    for (const auto& waiter : std::exchange(waiters_, {})) {
        Waiter::wake(waiter);
    }
}

Task<void> Bell::wait()
{
    const auto waiter = std::make_shared<Waiter>(co_await asio::this_coro::executor);
    {
        const std::lock_guard lock(mutex_);
        if (for_good_ || std::exchange(rung_, false)) {
            co_return;
        }
        waiters_.push_back(waiter);
    }
    boost::system::error_code error;
    {
        const KeepSpan keep;
        co_await waiter->timer.async_wait(asio::redirect_error(use_task, error));
    }
    const auto cancelled = (co_await asio::this_coro::cancellation_state).cancelled();
    if (!waiter->rung || cancelled != asio::cancellation_type::none) {
        leave(waiter);
        throw Cancelled("wait cancelled");
    }
}

// A ring that came to somebody who leaves is the next one's.
void Bell::leave(const std::shared_ptr<Waiter>& waiter)
{
    {
        const std::lock_guard lock(mutex_);
        if (std::erase(waiters_, waiter) > 0) {
            return;
        }
    }
    ring();
}

}  // namespace kit
