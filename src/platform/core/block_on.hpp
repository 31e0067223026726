// From a plain thread into coroutines.
#pragma once

#include "platform/core/task.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include <utility>

namespace kit {

// Runs the task on the executor and waits for its result; its exception is rethrown. Never on the thread that
// runs the executor.
template <class T>
T block_on(const Executor& executor, Task<T> task)
{
    return asio::co_spawn(executor, std::move(task), asio::use_future).get();
}

}  // namespace kit
