// Something that happens once and that several wait for.
#pragma once

#include "platform/core/task.hpp"

#include <memory>
#include <mutex>
#include <vector>

namespace kit {

// Thread-safe. Whoever waits is resumed on its own worker.
class Event {
public:
    void set();
    bool is_set() const;

    // Returns at once when it has happened. Throws Cancelled when the caller is cancelled first.
    Task<void> wait();

private:
    struct Waiter;

    mutable std::mutex mutex_;
    bool set_ = false;
    std::vector<std::shared_ptr<Waiter>> waiting_;
};

}  // namespace kit
