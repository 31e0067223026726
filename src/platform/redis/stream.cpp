#include "platform/redis/stream.hpp"

#include <array>
#include <cerrno>
#include <sys/socket.h>

namespace kit::redis {

namespace {

constexpr std::size_t read_bytes_max = 16UL * 1024;

}  // namespace

Stream::Stream(Socket socket) : socket_(std::move(socket)) {}

bool Stream::send(std::string_view bytes)
{
    unsent_ += bytes;
    return write();
}

bool Stream::write()
{
    if (waits_writable_) {
        return true;
    }
    std::string_view rest = unsent_;
    while (!rest.empty()) {
        const auto sent =
            ::send(socket_.native_handle(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
            return false;
        }
        if (sent < 0) {
            break;
        }
        rest.remove_prefix(static_cast<std::size_t>(sent));
    }
    unsent_.erase(0, unsent_.size() - rest.size());
    if (unsent_.empty()) {
        return true;
    }
    waits_writable_ = true;
    socket_.async_wait(Socket::wait_write, [weak = weak_from_this()](const boost::system::error_code& error) {
        const auto self = weak.lock();
        if (!error && self != nullptr) {
            self->waits_writable_ = false;
            self->write();  // a loss is seen by the reader, too
        }
    });
    return true;
}

bool Stream::receive()
{
    std::array<char, read_bytes_max> bytes;
    while (true) {
        const auto got = ::recv(socket_.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
        }
        parser_.feed({bytes.data(), static_cast<std::size_t>(got)});
        // A short read has emptied the socket; what comes from now on wakes us again.
        if (static_cast<std::size_t>(got) < bytes.size()) {
            return true;
        }
    }
}

Task<void> Stream::wait(Socket::wait_type what)
{
    co_await socket_.async_wait(what, use_task);
}

Task<std::vector<Reply>> Stream::exchange(std::vector<Command> commands)
{
    std::string bytes;
    for (const auto& command : commands) {
        command.append_to(bytes);
    }
    if (!send(bytes)) {
        throw RedisUnavailable(Failure::connection_lost, "Redis closed the connection");
    }
    std::vector<Reply> replies;
    bool open = true;  // a server that refuses says why before it closes
    while (replies.size() < commands.size()) {
        Reply reply;
        switch (parser_.next(reply)) {
            case ReplyParser::Outcome::reply:
                replies.push_back(std::move(reply));
                continue;
            case ReplyParser::Outcome::malformed:
                throw RedisUnavailable(Failure::protocol, "what answers is no Redis");
            case ReplyParser::Outcome::incomplete:
                break;
        }
        if (!open) {
            throw RedisUnavailable(Failure::connection_lost, "Redis closed the connection");
        }
        co_await wait_readable();
        open = receive();
    }
    co_return replies;
}

}  // namespace kit::redis
