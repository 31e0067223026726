// The coroutine type of the whole kit and how a suspended one is resumed.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace kit {

namespace asio = boost::asio;

// Every coroutine runs on some io_context's thread: a worker's, or the SQLite writer's.
using Executor = asio::io_context::executor_type;

// A lazily started coroutine. Not started until awaited; awaited once. Runs on the awaiting coroutine's
// executor.
template <class T>
using Task = asio::awaitable<T, Executor>;

inline constexpr asio::use_awaitable_t<Executor> use_task{};

}  // namespace kit
