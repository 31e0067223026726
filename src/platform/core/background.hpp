// Coroutines that run beside the requests for as long as the process does: pollers, sweepers, dispatchers.
#pragma once

#include "platform/core/task.hpp"

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace kit {

// Thread-safe but for stop().
class Background {
public:
    using Report = std::function<void(const std::string& name, std::exception_ptr failed)>;

    // `report` learns of every task that ends by an exception other than Cancelled; called on the task's
    // thread.
    explicit Background(Report report);
    Background(const Background&) = delete;
    Background& operator=(const Background&) = delete;
    ~Background();  // as stop()

    void spawn(const Executor& executor, std::string name, Task<void> task);

    // Cancels all tasks and waits until they have ended. Not on a thread that runs one of them.
    void stop();

private:
    struct Running;

    Report report_;
    std::vector<std::shared_ptr<Running>> tasks_;
};

}  // namespace kit
