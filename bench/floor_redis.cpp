#include "floor_redis.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace bench {

namespace {

constexpr std::string_view script =
    "redis.call('INCR', KEYS[1]) return {1, 59940000000, 60, 1790000000000000}";
// An array of four numbers.
constexpr int lines_of_an_answer = 5;

void append_bulk(std::string& out, std::string_view text)
{
    out.append("$").append(std::to_string(text.size())).append("\r\n").append(text).append("\r\n");
}

}  // namespace

RedisLimits::RedisLimits(const std::string& port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoul(port)));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        throw std::runtime_error("cannot connect to Redis");
    }
    const int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    std::string load = "*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n";
    append_bulk(load, script);
    send_all(load);
    std::array<char, 128> answer{};  // "$40", the hash, and their line ends
    constexpr std::size_t sha_at = 5;
    constexpr std::size_t sha_size = 40;
    const auto size = recv(socket_, answer.data(), sha_at + sha_size + 2, MSG_WAITALL);
    if (size != static_cast<ssize_t>(sha_at + sha_size + 2) || answer[0] != '$') {
        throw std::runtime_error("Redis does not take the script");
    }
    sha_.assign(answer.data() + sha_at, sha_size);
}

RedisLimits::~RedisLimits()
{
    ::close(socket_);
}

void RedisLimits::count(int connection, std::uint64_t user, const timespec& now)
{
    // As long as the kit's, and none of its keys.
    const auto key = "fl:rl:api:{sub:" + std::to_string(user) + "}";
    out_ += "*11\r\n$7\r\nEVALSHA\r\n";
    append_bulk(out_, sha_);
    append_bulk(out_, "2");
    append_bulk(out_, key);
    append_bulk(out_, key + ":sw");
    append_bulk(out_, std::to_string((now.tv_sec * 1'000'000) + (now.tv_nsec / 1'000)));
    for (const std::string_view number : {"60000", "5400000000000", "60000", "60000000", "90000000"}) {
        append_bulk(out_, number);
    }
    asked_[(first_asked_ + asked_count_++) % asked_.size()] = connection;
}

void RedisLimits::end_of_turn()
{
    if (!out_.empty()) {
        send_all(out_);
        out_.clear();
    }
}

void RedisLimits::readable(const OnCounted& on_counted)
{
    std::array<char, 16384> in;
    const auto size = recv(socket_, in.data(), in.size(), MSG_DONTWAIT);
    if (size <= 0) {
        throw std::runtime_error("Redis closed the connection");
    }
    for (const char byte : std::string_view(in.data(), static_cast<std::size_t>(size))) {
        if (line_began_ && byte == '-') {
            throw std::runtime_error("Redis refused a call");
        }
        line_began_ = byte == '\n';
        if (line_began_ && ++lines_ == lines_of_an_answer) {
            lines_ = 0;
            const int connection = asked_[first_asked_];
            first_asked_ = (first_asked_ + 1) % asked_.size();
            --asked_count_;
            on_counted(connection);
        }
    }
}

void RedisLimits::send_all(std::string_view text) const
{
    while (!text.empty()) {
        const auto sent = send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent < 0) {
            throw std::runtime_error("Redis closed the connection");
        }
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
}

}  // namespace bench
