// Threads for what blocks: password hashing, SQLite, files. Bounded in threads and in queue.
#pragma once

#include "platform/core/error.hpp"
#include "platform/core/span_context.hpp"
#include "platform/core/task.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace kit {

// Thread-safe. Threads start with the first job, so an unused pool costs nothing.
class BlockingPool {
public:
    struct Options {
        std::string name;             // for errors and thread names, at most 15 characters
        std::size_t threads_max = 1;  // jobs at once
        std::size_t queue_max = 64;   // jobs waiting beyond those running
    };

    // Where the queue has overflowed, it is no burst that fills it: until nothing was refused for so long,
    // only as many jobs may wait as there are threads. They keep those busy, and whoever is let in does not
    // wait long (docs/decisions/0030-overflowed-queues.md).
    static constexpr std::chrono::seconds short_queue_time{1};

    explicit BlockingPool(Options options);
    BlockingPool(const BlockingPool&) = delete;
    BlockingPool& operator=(const BlockingPool&) = delete;
    ~BlockingPool();  // as stop()

    // False, with nothing queued, when the queue is full or the pool is stopped.
    [[nodiscard]] bool submit(std::move_only_function<void()> job);

    // Runs what is queued, then ends the threads. Idempotent.
    void stop();

    // Waits until no job is queued or running; false where that takes longer.
    bool wait_idle(std::chrono::milliseconds limit);

    std::size_t queued() const;

    const Options& options() const { return options_; }

private:
    using Instant = std::chrono::steady_clock::time_point;

    void run();
    bool has_room();

    Options options_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable done_;
    std::deque<std::move_only_function<void()>> queue_;
    std::vector<std::thread> threads_;
    std::size_t idle_ = 0;
    std::size_t unfinished_ = 0;  // queued or running
    std::optional<Instant> refused_at_;
    bool stopping_ = false;
};

namespace detail {

template <class T>
struct Outcome {
    std::exception_ptr failed;
    std::optional<T> value;
};

}  // namespace detail

// Runs `work` on the pool and resumes the caller, on its own worker, with the result or the exception. Throws
// Overloaded at once when the queue is full. Work that has been queued is run even if the caller is cancelled
// meanwhile. `cancel` is called then, if given, on the caller's worker: it may tell the work to end early.
template <class Work>
Task<std::invoke_result_t<Work>> offload(BlockingPool& pool, Work work, std::function<void()> cancel = {})
{
    using T = std::invoke_result_t<Work>;
    static_assert(!std::is_void_v<T> && !std::is_reference_v<T>);
    using Outcome = detail::Outcome<T>;
    CurrentSpan current = current_span();  // the work is the caller's, on whatever thread
    const KeepSpan keep;
    auto outcome =
        co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void(std::unique_ptr<Outcome>)>(
            [&pool, &current](auto handler, Work job, std::function<void()> on_cancel) {
                auto executor = asio::get_associated_executor(handler);
                auto slot = asio::cancellation_slot();
                if (on_cancel) {
                    slot = asio::get_associated_cancellation_slot(handler);
                }
                if (slot.is_connected()) {
                    slot.assign([on_cancel = std::move(on_cancel)](asio::cancellation_type) { on_cancel(); });
                }
                auto complete = [handler = std::move(handler), slot, executor](std::unique_ptr<Outcome> done
                                ) mutable {
                    asio::post(
                        executor,
                        [handler = std::move(handler), slot, done = std::move(done)]() mutable {
                            if (slot.is_connected()) {
                                slot.clear();  // it serves the caller's next operation from now on
                            }
                            std::move(handler)(std::move(done));
                        }
                    );
                };
                auto guard = asio::make_work_guard(executor);
                auto shared = std::make_shared<decltype(complete)>(std::move(complete));
                const bool queued = pool.submit([shared,
                                                 guard = std::move(guard),
                                                 job = std::move(job),
                                                 current = std::move(current)]() mutable {
                    const ActiveSpan active(std::move(current));
                    auto done = std::make_unique<Outcome>();
                    try {
                        done->value.emplace(job());
                    } catch (...) {
                        done->failed = std::current_exception();
                    }
                    (*shared)(std::move(done));
                });
                if (!queued) {
                    auto done = std::make_unique<Outcome>();
                    done->failed =
                        std::make_exception_ptr(Overloaded(pool.options().name + " queue is full"));
                    (*shared)(std::move(done));
                }
            },
            use_task,
            std::move(work),
            std::move(cancel)
        );
    if (outcome->failed) {
        std::rethrow_exception(outcome->failed);
    }
    co_return std::move(*outcome->value);
}

}  // namespace kit
