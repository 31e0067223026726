// A blocking loopback client that sends exactly the bytes it is given.
#pragma once

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <netinet/in.h>
#include <optional>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace kit::http {

struct WireResponse {
    int status = 0;
    std::string head;
    std::string body;

    bool has(std::string_view line) const { return head.contains(line); }
};

class WireClient {
public:
    WireClient() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        // No test waits longer than this for anything.
        const timeval patience{.tv_sec = 20, .tv_usec = 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    }

    explicit WireClient(std::uint16_t port) : WireClient() { connect(port); }

    WireClient(WireClient&& other) noexcept
        : socket_(std::exchange(other.socket_, -1)), received_(std::move(other.received_))
    {
    }

    WireClient& operator=(WireClient&&) = delete;

    ~WireClient()
    {
        if (socket_ >= 0) {
            ::close(socket_);
        }
    }

    bool connect(std::uint16_t port)
    {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    }

    int socket() const { return socket_; }

    // False if the connection is gone.
    bool send(std::string_view bytes)
    {
        while (!bytes.empty()) {
            const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) {
                return false;
            }
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }

    void finish_sending() { ::shutdown(socket_, SHUT_WR); }

    // Whether bytes, or the end, arrive within the time.
    bool readable(int milliseconds)
    {
        timeval patience{.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000L};
        fd_set set;
        FD_ZERO(&set);
        FD_SET(socket_, &set);
        return !received_.empty() || ::select(socket_ + 1, &set, nullptr, nullptr, &patience) > 0;
    }

    // The next response with its Content-Length's body (none for 1xx, 204 and 304, nor where `head` says so);
    // nothing if the connection ends first.
    std::optional<WireResponse> receive(bool head = false)
    {
        WireResponse response;
        auto end = std::string::npos;
        while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
            if (!fill()) {
                return std::nullopt;
            }
        }
        response.head = received_.substr(0, end + 2);
        received_.erase(0, end + 4);
        std::from_chars(response.head.data() + 9, response.head.data() + 12, response.status);
        std::size_t length = 0;
        if (const auto at = response.head.find("Content-Length: "); at != std::string::npos && !head) {
            std::from_chars(
                response.head.data() + at + 16, response.head.data() + response.head.size(), length
            );
        }
        while (received_.size() < length) {
            if (!fill()) {
                return std::nullopt;
            }
        }
        response.body = received_.substr(0, length);
        received_.erase(0, length);
        return response;
    }

    // True if the connection ends orderly, with nothing more to read.
    bool ends()
    {
        char byte = 0;
        return received_.empty() && ::recv(socket_, &byte, 1, 0) == 0;
    }

private:
    bool fill()
    {
        std::array<char, 65536> piece;
        const auto size = ::recv(socket_, piece.data(), piece.size(), 0);
        if (size <= 0) {
            return false;
        }
        received_.append(piece.data(), static_cast<std::size_t>(size));
        return true;
    }

    int socket_;
    std::string received_;
};

}  // namespace kit::http
