#include "support/stub_server.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace kit::test {
namespace {

struct Listening {
    Descriptor socket;
    std::uint16_t port;
};

Listening listen_on_free_port()
{
    Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    if (!socket || bind(socket.get(), generic, size) != 0 || listen(socket.get(), SOMAXCONN) != 0 ||
        getsockname(socket.get(), generic, &size) != 0) {
        throw std::system_error(errno, std::generic_category(), "listen");
    }
    return {.socket = std::move(socket), .port = ntohs(address.sin_port)};
}

std::size_t content_length(std::string head)
{
    std::ranges::transform(head, head.begin(), [](unsigned char each) { return std::tolower(each); });
    constexpr std::string_view name = "\r\ncontent-length:";
    const auto at = head.find(name);
    return at == std::string::npos ? 0 : std::stoul(head.substr(at + name.size()));
}

}  // namespace

std::uint16_t unused_port()
{
    return listen_on_free_port().port;
}

bool StubServer::Peer::read_more()
{
    std::array<pollfd, 2> watched{{{socket_, POLLIN, 0}, {stop_, POLLIN, 0}}};
    if (poll(watched.data(), watched.size(), -1) < 0 || watched[1].revents != 0) {
        return false;
    }
    std::array<char, 16'384> buffer;
    const auto got = recv(socket_, buffer.data(), buffer.size(), 0);
    if (got <= 0) {
        return false;
    }
    received_.append(buffer.data(), static_cast<std::size_t>(got));
    return true;
}

std::string StubServer::Peer::read_until(std::string_view end)
{
    auto at = received_.find(end);
    while (at == std::string::npos) {
        if (!read_more()) {
            return {};
        }
        at = received_.find(end);
    }
    auto bytes = received_.substr(0, at + end.size());
    received_.erase(0, bytes.size());
    return bytes;
}

std::string StubServer::Peer::read_request()
{
    auto request = read_until("\r\n\r\n");
    const auto length = content_length(request);
    while (received_.size() < length) {
        if (!read_more()) {
            return {};
        }
    }
    request += received_.substr(0, length);
    received_.erase(0, length);
    return request;
}

bool StubServer::Peer::send(std::string_view bytes)
{
    while (!bytes.empty()) {
        std::array<pollfd, 2> watched{{{socket_, POLLOUT, 0}, {stop_, POLLIN, 0}}};
        if (poll(watched.data(), watched.size(), -1) < 0 || watched[1].revents != 0) {
            return false;
        }
        const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent <= 0) {
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

bool StubServer::Peer::wait_for_end(std::chrono::milliseconds limit)
{
    std::array<pollfd, 2> watched{{{socket_, POLLRDHUP, 0}, {stop_, POLLIN, 0}}};
    return poll(watched.data(), watched.size(), static_cast<int>(limit.count())) > 0;
}

StubServer::StubServer(Script script) : script_(std::move(script)), stop_(eventfd(0, EFD_CLOEXEC))
{
    auto listening = listen_on_free_port();
    listener_ = std::move(listening.socket);
    port_ = listening.port;
    acceptor_ = std::thread([this] { accept_all(); });
}

StubServer::~StubServer()
{
    const std::uint64_t one = 1;
    static_cast<void>(write(stop_.get(), &one, sizeof one));
    acceptor_.join();
    for (auto& connection : connections_) {
        connection.join();
    }
}

std::string StubServer::url(std::string_view path) const
{
    return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
}

std::size_t StubServer::connections() const
{
    const std::lock_guard lock(mutex_);
    return connections_.size();
}

void StubServer::accept_all()
{
    while (true) {
        std::array<pollfd, 2> watched{{{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
        if (poll(watched.data(), watched.size(), -1) < 0 || watched[1].revents != 0) {
            return;
        }
        Descriptor socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!socket) {
            continue;
        }
        const std::lock_guard lock(mutex_);
        connections_.emplace_back([this, socket = std::move(socket)] {
            Peer peer(socket.get(), stop_.get());
            script_(peer);
        });
    }
}

}  // namespace kit::test
