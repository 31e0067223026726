// Requests at a constant rate, whatever becomes of them: an open loop, as many clients are who know nothing
// of each other. A loop that waits for its answers would ask less of a server that is slow.
#pragma once

#include "support/raw_client.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace kit::test {

using LoadTime = std::chrono::duration<double>;

struct OpenLoad {
    Endpoint endpoint;
    std::function<std::string(std::size_t number)> request;  // as it goes over the wire
    double per_second = 1;
    LoadTime time{1};
};

struct LoadAnswer {
    LoadTime due;            // since the load began
    LoadTime took;           // from when it was due, not from when there was time to send it
    int status = 0;          // 0: the connection ended, or nothing came within 10 s
    bool says_when = false;  // Retry-After
};

// Blocks for `time`, and until the last answer has come. As many connections as there are requests under way.
std::vector<LoadAnswer> run(const OpenLoad& load);

// The value below which that share of them lies; of none, zero.
LoadTime percentile(std::vector<LoadTime> times, double share);

}  // namespace kit::test
