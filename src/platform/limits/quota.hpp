// One limit in numbers, and what it says to a request: a token bucket and a sliding window, both of which
// must admit. docs/limits.md tells how they work together.
#pragma once

#include <chrono>
#include <cstdint>

namespace kit::limits {

// Times are whole microseconds, tokens whole parts, and all stay below 2^53: the Redis script, which counts
// in doubles, computes the very same numbers.
struct Quota {
    std::int64_t limit = 1;   // admissions in a window
    std::int64_t full = 0;    // parts that the bucket holds
    std::int64_t refill = 0;  // parts that come back in a microsecond
    std::int64_t window = 0;
    std::int64_t fill = 0;  // how long an empty bucket takes to be full
    // Beyond this limit no times of admissions are kept: the bucket alone decides, with the limit as its
    // size.
    static constexpr std::int64_t windowed_limit_max = 65'536;

    bool windowed() const { return limit <= windowed_limit_max; }

    // A key that was not asked for so long is as good as new.
    std::int64_t expiry() const { return window > fill ? window : fill; }

    bool operator==(const Quota&) const = default;
};

// The parts of one token: n tokens a minute are n parts a microsecond.
inline constexpr std::int64_t token = 60'000'000;
inline constexpr std::int64_t limit_max = 100'000'000;
// A clock that was set back by more starts a key anew; less is what nodes' clocks differ by.
inline constexpr std::int64_t clock_step_max = 60'000'000;

// All positive; the window at most 15 minutes, the multiplier 1 to 10. A limit above `limit_max` is that.
struct Rate {
    int per_minute;
    std::chrono::milliseconds window;
    double burst_multiplier;
};

Quota make_quota(const Rate& rate);

// What refused: the longer of the two waits.
enum class Reason : std::uint8_t { none, window, bucket, backend };

struct Verdict {
    bool admitted = false;
    Reason reason = Reason::none;
    std::int64_t remaining = 0;
    std::int64_t wait = 0;   // microseconds until a request would be admitted; 0 where this one was
    std::int64_t reset = 0;  // when an admission comes back, in microseconds since 1970

    bool operator==(const Verdict&) const = default;
};

// The last step, when the stored state has been brought up to now and the request was admitted or not.
struct Standing {
    std::int64_t now;
    std::int64_t tokens;  // parts
    std::int64_t logged;  // admissions within the window
    // Of the admissions within the window, the one whose end makes room: the oldest, unless the limit was
    // lowered. `now` where none is kept.
    std::int64_t leaving;
};

Verdict judge(const Quota& quota, const Standing& standing, bool admitted);

}  // namespace kit::limits
