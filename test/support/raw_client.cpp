#include "support/raw_client.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <system_error>

namespace kit::test {
namespace {

[[noreturn]] void fail(const char* what)
{
    throw std::system_error(errno, std::generic_category(), what);
}

Descriptor connect_unix(const std::filesystem::path& path)
{
    Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket) {
        fail("socket");
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto text = path.string();
    if (text.size() >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        fail("connect");
    }
    std::ranges::copy(text, address.sun_path);
    if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        fail("connect");
    }
    return socket;
}

Descriptor connect_tcp(std::uint16_t port)
{
    Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket) {
        fail("socket");
    }
    const int on = 1;
    setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        fail("connect");
    }
    return socket;
}

int milliseconds_until(std::chrono::steady_clock::time_point deadline)
{
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    return static_cast<int>(std::max<std::int64_t>(0, left.count()));
}

}  // namespace

RawClient::RawClient(const Endpoint& endpoint)
    : socket_(endpoint.socket.empty() ? connect_tcp(endpoint.port) : connect_unix(endpoint.socket))
{
}

bool RawClient::send(std::string_view bytes)
{
    while (!bytes.empty()) {
        const auto sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0) {
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

void RawClient::finish()
{
    shutdown(socket_.get(), SHUT_WR);
}

Ended RawClient::read_more(std::chrono::steady_clock::time_point deadline)
{
    pollfd source{socket_.get(), POLLIN, 0};
    if (poll(&source, 1, milliseconds_until(deadline)) <= 0) {
        return Ended::timed_out;
    }
    std::array<char, 65536> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): recv fills it
    const auto got = recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0) {
        return Ended::reset;
    }
    if (got == 0) {
        return Ended::closed;
    }
    received_.append(buffer.data(), static_cast<std::size_t>(got));
    return Ended::got_it;
}

Ended RawClient::read_to_end(std::chrono::milliseconds limit)
{
    const auto deadline = std::chrono::steady_clock::now() + limit;
    auto ended = Ended::got_it;
    while (ended == Ended::got_it) {
        ended = read_more(deadline);
    }
    return ended;
}

RawClient::Answer RawClient::read_response(bool to_head, std::chrono::milliseconds limit)
{
    const auto deadline = std::chrono::steady_clock::now() + limit;
    auto ended = Ended::got_it;
    while (true) {
        if (!received_.empty()) {
            if (auto taken = take_response(received_, to_head, ended == Ended::closed)) {
                received_.erase(0, taken->bytes);
                return {Ended::got_it, std::move(taken->response)};
            }
        }
        if (ended != Ended::got_it) {
            return {ended, std::nullopt};
        }
        ended = read_more(deadline);
    }
}

bool RawClient::stirred() const
{
    pollfd source{socket_.get(), POLLIN, 0};
    return poll(&source, 1, 0) > 0;
}

}  // namespace kit::test
