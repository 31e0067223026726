// One thread with its own event loop per core. A request lives and dies on one of them.
#pragma once

#include "platform/core/task.hpp"

#include <boost/asio/executor_work_guard.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace kit {

// A fixed set of event loops. Things that exist once per worker are kept in vectors indexed by the worker's
// number.
class Workers {
public:
    // `count` loops, not yet running.
    explicit Workers(std::size_t count);
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;
    ~Workers();  // as stop()

    std::size_t size() const { return loops_.size(); }

    asio::io_context& loop(std::size_t index) { return *loops_[index]; }

    Executor executor(std::size_t index) { return loops_[index]->get_executor(); }

    // Starts a thread per loop. `on_start(index)` runs first on each.
    void start(const std::function<void(std::size_t)>& on_start = {});

    // Lets the loops run out of work, then joins the threads. Whoever has work there must have cancelled it.
    void join();

    // Ends the loops at once and joins the threads. Suspended coroutines are destroyed with their loop.
    void stop();

    // The number of the worker that the calling thread is, or npos on any other thread.
    static std::size_t current();
    static constexpr std::size_t npos = static_cast<std::size_t>(-1);

private:
    using Guard = asio::executor_work_guard<Executor>;

    std::vector<std::unique_ptr<asio::io_context>> loops_;
    std::vector<Guard> guards_;
    std::vector<std::thread> threads_;
};

}  // namespace kit
