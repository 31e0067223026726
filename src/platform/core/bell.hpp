// What a coroutine waits for until somebody, on any thread, has work for it.
#pragma once

#include "platform/core/task.hpp"

#include <list>
#include <memory>
#include <mutex>

namespace kit {

// Thread-safe. Several may wait; each ring wakes one of them. A ring that nobody waits for is kept, one at
// most, so that work which came just before the wait is not missed.
class Bell {
public:
    Bell();
    Bell(const Bell&) = delete;
    Bell& operator=(const Bell&) = delete;
    ~Bell();

    void ring();

    // For an end: everybody who waits, and all waits from now on.
    void ring_for_good();

    // Throws Cancelled when the caller is cancelled.
    Task<void> wait();

private:
    struct Waiter;

    void leave(const std::shared_ptr<Waiter>& waiter);

    std::mutex mutex_;
    std::list<std::shared_ptr<Waiter>> waiters_;
    bool rung_ = false;
    bool for_good_ = false;
};

}  // namespace kit
