// RESP2 and RESP3 replies out of bytes that come in any pieces. No socket in here.
#pragma once

#include "platform/redis/redis.hpp"

namespace kit::redis {

class ReplyParser {
public:
    // Of one reply, whatever the server says: what a broken or hostile one can make us hold.
    static constexpr std::size_t bytes_max = 16UL * 1024 * 1024;
    static constexpr std::size_t elements_max = 256UL * 1024;
    static constexpr std::size_t depth_max = 16;
    static constexpr std::size_t line_bytes_max = 16UL * 1024;

    enum class Outcome : std::uint8_t { incomplete, reply, malformed };

    void feed(std::string_view bytes);

    // The next whole reply into `reply`. Pushes and attributes, which nobody asked for, are dropped. Once
    // malformed it stays so: what follows cannot be matched with commands any more.
    Outcome next(Reply& reply);

private:
    // An array, or what is given as one, whose items have not all come.
    struct Frame {
        Reply reply{};
        std::size_t left = 0;
        char type = '*';
    };

    // What the bytes at `position_` begin with.
    enum class Step : std::uint8_t { incomplete, malformed, opened, value };

    Step read_element(Reply& value);
    Step read_text(char type, std::string_view digits, std::size_t line_size, Reply& value);
    Step open(char type, std::string_view digits, Reply& value);
    bool complete(Reply& value);
    void consume(std::size_t size);

    std::string buffer_;
    std::size_t position_ = 0;
    std::vector<Frame> frames_;
    std::size_t reply_bytes_ = 0;  // consumed of the reply that is under way
    std::size_t elements_ = 0;
    bool malformed_ = false;
};

}  // namespace kit::redis
