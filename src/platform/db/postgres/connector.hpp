// Opening connections without blocking the loop.
#pragma once

#include "platform/core/blocking_pool.hpp"
#include "platform/core/clock.hpp"
#include "platform/db/postgres/handles.hpp"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace kit::db::postgres {

// Where and how to connect: libpq's keywords and values. Holds the password; never printed.
using Target = std::vector<std::pair<std::string, std::string>>;

// Throws std::invalid_argument, which never quotes the URL. `statement_time_max` becomes the server's own
// limit for a statement, as a backstop, unless the URL sets one.
Target parse_target(const std::string& url, std::chrono::milliseconds statement_time_max);

// A connection in pipeline mode. Throws Unavailable with the server's reason, DeadlineExceeded at the
// deadline. Names are resolved on `resolver`.
Task<ConnectionHandle> connect(
    const Target& target, BlockingPool& resolver, Clock& clock, SteadyTime deadline
);

}  // namespace kit::db::postgres
