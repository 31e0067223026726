// Whether a server is asked at all. Open from the first sign that it does not answer; then only attempts to
// connect reach it, one at a time and ever more seldom, until one succeeds: no request is spent on finding
// out.
#pragma once

#include <chrono>
#include <cstdint>

namespace kit::redis {

class Breaker {
public:
    using Wait = std::chrono::microseconds;

    struct Options {
        std::chrono::milliseconds backoff_min;
        std::chrono::milliseconds backoff_max;
    };

    // However small the settings are: a server that refuses must not make us spin.
    static constexpr std::chrono::milliseconds wait_min{5};

    explicit Breaker(Options options) : options_(options) {}

    bool is_open() const { return open_; }

    // The server did not answer, refused, or cannot serve. True where it was closed before.
    bool open();

    // An attempt has succeeded. True where it was open before. The waits go on from where they were until a
    // command is answered too: a server that only ever greets must not be greeted all the time.
    bool close();

    void succeeded() { failures_ = 0; }

    // Before the next attempt to connect: none for the first after a success, then the back-off, doubled with
    // each failure, of which chance takes up to a half so that many do not come back in step.
    Wait next_wait(std::uint64_t random) const;

private:
    Options options_;
    bool open_ = false;
    unsigned failures_ = 0;
};

}  // namespace kit::redis
