#pragma once

#include "floor_me.hpp"

#include <array>
#include <cstdint>
#include <ctime>
#include <functional>
#include <string>
#include <string_view>

// The least that counting a request in Redis costs.
namespace bench {

// One connection: the script calls of all requests of a turn of the loop leave in one packet. The calls and
// the answers are as long as the kit's; what the script does is Redis's time, not ours.
class RedisLimits {
public:
    using OnCounted = std::function<void(int connection)>;

    explicit RedisLimits(const std::string& port);
    ~RedisLimits();
    RedisLimits(const RedisLimits&) = delete;
    RedisLimits& operator=(const RedisLimits&) = delete;

    [[nodiscard]] int socket() const { return socket_; }

    void count(int connection, std::uint64_t user, const timespec& now);
    void end_of_turn();
    void readable(const OnCounted& on_counted);

private:
    void send_all(std::string_view text) const;

    int socket_ = -1;
    std::string sha_;
    std::string out_;
    std::array<int, connections_max> asked_{};  // a ring: answers come in the order of the questions
    std::size_t first_asked_ = 0;
    std::size_t asked_count_ = 0;
    int lines_ = 0;  // of the answer that is coming
    bool line_began_ = true;
};

}  // namespace bench
