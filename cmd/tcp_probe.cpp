#include "tcp_probe.hpp"

#include <cerrno>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace kit::cmd {

namespace {

std::optional<std::string> connect_to(const addrinfo& address, std::chrono::milliseconds limit)
{
    const int socket = ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket < 0) {
        return std::strerror(errno);
    }
    int error = ::connect(socket, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
        pollfd wait{.fd = socket, .events = POLLOUT, .revents = 0};
        if (::poll(&wait, 1, static_cast<int>(limit.count())) == 1) {
            socklen_t size = sizeof(error);
            ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size);
        } else {
            error = ETIMEDOUT;
        }
    }
    ::close(socket);
    if (error != 0) {
        return std::strerror(error);
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::string> probe_tcp(const std::string& endpoint, std::chrono::milliseconds limit)
{
    const auto colon = endpoint.rfind(':');
    if (colon == std::string::npos) {
        return "no port in it";
    }
    auto host = endpoint.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    }
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int failed = ::getaddrinfo(host.c_str(), endpoint.substr(colon + 1).c_str(), &hints, &found);
        failed != 0) {
        return ::gai_strerror(failed);
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
    std::optional<std::string> failure = "no address";
    for (const auto* address = addresses.get(); address != nullptr && failure; address = address->ai_next) {
        failure = connect_to(*address, limit);
    }
    return failure;
}

}  // namespace kit::cmd
