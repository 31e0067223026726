// One id per request, in logs, bodies and the X-Request-Id header.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/http/types.hpp"

#include <atomic>
#include <cstdint>
#include <string>

namespace kit::http {

// The client's X-Request-Id where it is 1 to 128 visible ASCII characters, else {hostname}/{10 random
// base62}-{counter}.
class RequestIds {
public:
    static constexpr std::size_t length_max = 128;

    RequestIds(std::string hostname, Random& random);

    std::string next(const Request& request);

private:
    std::string prefix_;
    std::atomic<std::uint64_t> counter_{0};
};

}  // namespace kit::http
