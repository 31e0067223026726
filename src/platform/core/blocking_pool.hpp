// Threads for what blocks: password hashing, SQLite, files. Bounded in threads and in queue.
#pragma once

#include "platform/core/error.hpp"
#include "platform/core/span_context.hpp"
#include "platform/core/task.hpp"

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
    void run();

    Options options_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable done_;
    std::deque<std::move_only_function<void()>> queue_;
    std::vector<std::thread> threads_;
    std::size_t idle_ = 0;
    std::size_t unfinished_ = 0;  // queued or running
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
// meanwhile: `work` must own what it uses.
template <class Work>
Task<std::invoke_result_t<Work>> offload(BlockingPool& pool, Work work)
{
    using T = std::invoke_result_t<Work>;
    static_assert(!std::is_void_v<T> && !std::is_reference_v<T>);
    using Outcome = detail::Outcome<T>;
    CurrentSpan current = current_span();  // the work is the caller's, on whatever thread
    const KeepSpan keep;
    auto outcome =
        co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void(std::unique_ptr<Outcome>)>(
            [&pool, &current](auto handler, Work job) {
                auto executor = asio::get_associated_executor(handler);
                auto complete = [handler = std::move(handler),
                                 executor](std::unique_ptr<Outcome> done) mutable {
                    asio::post(executor, [handler = std::move(handler), done = std::move(done)]() mutable {
                        std::move(handler)(std::move(done));
                    });
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
            std::move(work)
        );
    if (outcome->failed) {
        std::rethrow_exception(outcome->failed);
    }
    co_return std::move(*outcome->value);
}

}  // namespace kit
