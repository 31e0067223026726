#include "platform/redis/stream.hpp"

#include <array>
#include <cerrno>
#include <sys/socket.h>

namespace kit::redis {

namespace {

constexpr std::size_t read_bytes_max = 16UL * 1024;

RedisUnavailable lost_connection()
{
    return {Failure::connection_lost, "Redis closed the connection"};
}

}  // namespace

Stream::Stream(Socket socket, const TlsContext* tls)
    : socket_(std::move(socket)), tls_(tls == nullptr ? nullptr : std::make_unique<TlsSession>(*tls))
{
}

Task<void> Stream::shake_hands()
{
    try {
        while (true) {
            const bool done = tls_->shake_hands();
            unsent_ += tls_->take_encrypted();
            if (!write()) {
                throw lost_connection();
            }
            if (done) {
                co_return;
            }
            co_await socket_.async_wait(Socket::wait_read, use_task);
            if (!fill()) {
                throw lost_connection();
            }
        }
    } catch (const TlsError& failed) {
        throw RedisUnavailable(Failure::not_authenticated, failed.what());
    }
}

bool Stream::send(std::string_view bytes)
{
    if (tls_ == nullptr) {
        unsent_ += bytes;
    } else {
        try {
            tls_->write(bytes);
        } catch (const TlsError&) {
            return false;
        }
        unsent_ += tls_->take_encrypted();
    }
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
    const bool alive = fill();
    return (tls_ == nullptr || decrypt()) && alive;
}

// Until the socket is empty: it wakes us for what comes afterwards only.
bool Stream::fill()
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
        const std::string_view come(bytes.data(), static_cast<std::size_t>(got));
        if (tls_ == nullptr) {
            parser_.feed(come);
        } else {
            tls_->feed(come);
        }
    }
}

bool Stream::decrypt()
{
    try {
        std::string plain;
        const bool open = tls_->read(plain);
        parser_.feed(plain);
        unsent_ += tls_->take_encrypted();  // a new key
        return write() && open;
    } catch (const TlsError&) {
        return false;
    }
}

Task<std::vector<Reply>> Stream::exchange(std::vector<Command> commands)
{
    std::string bytes;
    for (const auto& command : commands) {
        command.append_to(bytes);
    }
    if (!send(bytes)) {
        throw lost_connection();
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
            throw lost_connection();
        }
        co_await socket_.async_wait(Socket::wait_read, use_task);
        open = receive();
    }
    co_return replies;
}

}  // namespace kit::redis
