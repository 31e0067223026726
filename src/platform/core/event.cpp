#include "platform/core/event.hpp"

#include "platform/core/error.hpp"
#include "platform/core/span_context.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>

#include <utility>

namespace kit {

// A timer that never fires: waiting for it can be cancelled from either side.
struct Event::Waiter {
    explicit Waiter(const Executor& executor) : timer(executor, std::chrono::steady_clock::time_point::max())
    {
    }

    asio::basic_waitable_timer<
        std::chrono::steady_clock,
        asio::wait_traits<std::chrono::steady_clock>,
        Executor>
        timer;
};

void Event::set()
{
    std::vector<std::shared_ptr<Waiter>> waiting;
    {
        const std::lock_guard lock(mutex_);
        set_ = true;
        waiting.swap(waiting_);
    }
    for (auto& waiter : waiting) {
        const auto executor = waiter->timer.get_executor();
        asio::post(executor, [waiter = std::move(waiter)] { waiter->timer.cancel(); });
    }
}

bool Event::is_set() const
{
    const std::lock_guard lock(mutex_);
    return set_;
}

Task<void> Event::wait()
{
    const auto waiter = std::make_shared<Waiter>(co_await asio::this_coro::executor);
    {
        const std::lock_guard lock(mutex_);
        if (set_) {
            co_return;
        }
        waiting_.push_back(waiter);
    }
    // What set() posts runs on this very thread, hence not before we wait.
    boost::system::error_code ignored;
    {
        const KeepSpan keep;
        co_await waiter->timer.async_wait(asio::redirect_error(use_task, ignored));
    }
    if (!is_set()) {
        throw Cancelled("wait cancelled");
    }
}

}  // namespace kit
