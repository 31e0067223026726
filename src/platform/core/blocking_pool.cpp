#include "platform/core/blocking_pool.hpp"

#include <algorithm>
#include <pthread.h>

namespace kit {

BlockingPool::BlockingPool(Options options) : options_(std::move(options)) {}

BlockingPool::~BlockingPool()
{
    stop();
}

bool BlockingPool::submit(std::move_only_function<void()> job)
{
    {
        const std::lock_guard lock(mutex_);
        if (stopping_ || !has_room()) {
            return false;
        }
        ++unfinished_;
        queue_.push_back(std::move(job));
        if (threads_.size() < options_.threads_max && queue_.size() > idle_) {
            threads_.emplace_back([this] { run(); });
        }
    }
    wake_.notify_one();
    return true;
}

bool BlockingPool::has_room()
{
    if (unfinished_ < options_.threads_max) {
        return true;
    }
    auto waiting_max = options_.queue_max;
    if (refused_at_ && std::chrono::steady_clock::now() - *refused_at_ < short_queue_time) {
        waiting_max = std::min(waiting_max, options_.threads_max);
    }
    if (unfinished_ < options_.threads_max + waiting_max) {
        return true;
    }
    refused_at_ = std::chrono::steady_clock::now();
    return false;
}

void BlockingPool::run()
{
    pthread_setname_np(pthread_self(), options_.name.c_str());
    std::unique_lock lock(mutex_);
    while (true) {
        ++idle_;
        wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        --idle_;
        if (queue_.empty()) {
            return;
        }
        auto job = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        job();
        job = nullptr;  // what it owns is released before the next wait
        lock.lock();
        --unfinished_;
        done_.notify_all();
    }
}

void BlockingPool::stop()
{
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    for (auto& thread : threads_) {
        thread.join();
    }
    threads_.clear();
}

bool BlockingPool::wait_idle(std::chrono::milliseconds limit)
{
    std::unique_lock lock(mutex_);
    return done_.wait_for(lock, limit, [this] { return unfinished_ == 0; });
}

std::size_t BlockingPool::queued() const
{
    const std::lock_guard lock(mutex_);
    return queue_.size();
}

}  // namespace kit
