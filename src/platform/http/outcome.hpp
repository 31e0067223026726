// How a request ended: what its metrics, its log line and its span say alike.
#pragma once

#include "platform/core/clock.hpp"

#include <cstddef>

namespace kit::http {

struct Outcome {
    int status;
    std::size_t body_bytes;
    SteadyTime ended;
    Timestamp now;
};

}  // namespace kit::http
