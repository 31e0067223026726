#include "platform/core/workers.hpp"

#include <boost/asio/io_context.hpp>

#include <pthread.h>
#include <string>

namespace kit {

namespace {

thread_local std::size_t current_worker = Workers::npos;

}  // namespace

Workers::Workers(std::size_t count)
{
    for (std::size_t index = 0; index < count; ++index) {
        // 1: Asio then knows that one thread runs the loop and wakes no other.
        loops_.push_back(std::make_unique<asio::io_context>(1));
        guards_.emplace_back(loops_.back()->get_executor());
    }
}

Workers::~Workers()
{
    stop();
}

void Workers::start(const std::function<void(std::size_t)>& on_start)
{
    for (std::size_t index = 0; index < loops_.size(); ++index) {
        threads_.emplace_back([this, index, on_start] {
            current_worker = index;
            pthread_setname_np(pthread_self(), ("worker-" + std::to_string(index)).c_str());
            if (on_start) {
                on_start(index);
            }
            loops_[index]->run();
        });
    }
}

void Workers::join()
{
    guards_.clear();
    for (auto& thread : threads_) {
        thread.join();
    }
    threads_.clear();
}

void Workers::stop()
{
    for (auto& loop : loops_) {
        loop->stop();
    }
    join();
}

std::size_t Workers::current()
{
    return current_worker;
}

}  // namespace kit
