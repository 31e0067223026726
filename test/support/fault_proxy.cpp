#include "support/fault_proxy.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string_view>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <system_error>
#include <vector>

namespace kit::test {

namespace {

sockaddr_in loopback(std::uint16_t port)
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

bool send_all(int socket, std::string_view bytes)
{
    while (!bytes.empty()) {
        const auto sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

void send_at_once(int socket)
{
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

FaultProxy::FaultProxy(std::uint16_t server_port)
    : server_port_(server_port),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
{
    auto address = loopback(0);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_.get(), generic, size) != 0 || ::listen(listener_.get(), SOMAXCONN) != 0 ||
        ::getsockname(listener_.get(), generic, &size) != 0) {
        throw std::system_error(errno, std::generic_category(), "fault proxy");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
}

FaultProxy::~FaultProxy()
{
    {
        const std::scoped_lock lock(mutex_);
        stopping_ = true;
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
    thread_.join();
}

void FaultProxy::set(Mode mode, std::size_t bytes, std::chrono::milliseconds by, std::string garbage)
{
    const std::scoped_lock lock(mutex_);
    mode_ = mode;
    ++mode_number_;
    bytes_ = bytes;
    by_ = by;
    garbage_ = std::move(garbage);
}

void FaultProxy::pass()
{
    set(Mode::pass);
}

void FaultProxy::delay(std::chrono::milliseconds by)
{
    set(Mode::delay, 0, by);
}

void FaultProxy::swallow()
{
    set(Mode::swallow);
}

void FaultProxy::cut_after(std::size_t answer_bytes)
{
    set(Mode::cut_after, answer_bytes);
}

void FaultProxy::swallow_after(std::size_t answer_bytes)
{
    set(Mode::swallow_after, answer_bytes);
}

void FaultProxy::garble(std::string garbage)
{
    set(Mode::garble, 0, {}, std::move(garbage));
}

void FaultProxy::cut()
{
    const std::scoped_lock lock(mutex_);
    for (auto& connection : connections_) {
        ::shutdown(connection.client.get(), SHUT_RDWR);
        connection.broken = true;
    }
}

std::size_t FaultProxy::accepted() const
{
    const std::scoped_lock lock(mutex_);
    return accepted_;
}

// Until the next delayed answer is due.
int FaultProxy::wait_ms() const
{
    auto next = Time::max();
    for (const auto& connection : connections_) {
        if (!connection.delayed.empty()) {
            next = std::min(next, connection.delayed.front().due);
        }
    }
    if (next == Time::max()) {
        return -1;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - std::chrono::steady_clock::now());
    return std::max(0, static_cast<int>(left.count()));
}

void FaultProxy::serve()
{
    while (true) {
        std::vector<pollfd> sources{{listener_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
        std::vector<Connection*> order;
        int wait = -1;
        {
            const std::scoped_lock lock(mutex_);
            connections_.remove_if([](const Connection& connection) { return connection.broken; });
            for (auto& connection : connections_) {
                sources.push_back({connection.client.get(), POLLIN, 0});
                sources.push_back({connection.server.get(), POLLIN, 0});
                order.push_back(&connection);
            }
            wait = wait_ms();
        }
        ::poll(sources.data(), sources.size(), wait);
        const std::scoped_lock lock(mutex_);
        if (stopping_) {
            return;
        }
        for (std::size_t index = 0; index < order.size(); ++index) {
            auto& connection = *order[index];
            if (sources[2 + 2 * index].revents != 0 && !connection.broken) {
                pass_request(connection);
            }
            if (sources[3 + 2 * index].revents != 0 && !connection.broken) {
                pass_answer(connection);
            }
            send_due(connection);
        }
        if (sources[0].revents != 0) {
            take_client();
        }
    }
}

void FaultProxy::take_client()
{
    Connection connection;
    connection.client = Descriptor(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection.client) {
        return;
    }
    ++accepted_;
    connection.server = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = loopback(server_port_);
    if (::connect(connection.server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
        0) {
        return;
    }
    send_at_once(connection.client.get());
    send_at_once(connection.server.get());
    connections_.push_back(std::move(connection));
}

void FaultProxy::pass_request(Connection& connection) const
{
    std::array<char, 65'536> bytes;
    const auto got = ::recv(connection.client.get(), bytes.data(), bytes.size(), 0);
    connection.broken =
        got <= 0 || !send_all(connection.server.get(), {bytes.data(), static_cast<std::size_t>(got)});
}

void FaultProxy::pass_answer(Connection& connection)
{
    std::array<char, 65'536> bytes;
    const auto got = ::recv(connection.server.get(), bytes.data(), bytes.size(), 0);
    if (got <= 0) {
        connection.broken = true;
        return;
    }
    answer(connection, std::string(bytes.data(), static_cast<std::size_t>(got)));
}

void FaultProxy::answer(Connection& connection, std::string bytes)
{
    if (std::exchange(connection.mode_number, mode_number_) != mode_number_) {
        connection.answered = 0;
    }
    const auto room = bytes_ - std::min(bytes_, connection.answered);
    switch (mode_) {
        case Mode::pass:
            break;
        case Mode::delay:
            connection.delayed.push_back({std::chrono::steady_clock::now() + by_, std::move(bytes)});
            return;
        case Mode::swallow:
            return;
        case Mode::garble:
            bytes = garbage_;
            break;
        case Mode::cut_after:
            connection.broken = bytes.size() >= room;
            bytes.resize(std::min(bytes.size(), room));
            break;
        case Mode::swallow_after:
            bytes.resize(std::min(bytes.size(), room));
            break;
    }
    connection.answered += bytes.size();
    if (!connection.delayed.empty()) {
        connection.delayed.push_back({connection.delayed.back().due, std::move(bytes)});
    } else if (!send_all(connection.client.get(), bytes)) {
        connection.broken = true;
    }
}

void FaultProxy::send_due(Connection& connection)
{
    while (!connection.delayed.empty() &&
           connection.delayed.front().due <= std::chrono::steady_clock::now() && !connection.broken) {
        connection.broken = !send_all(connection.client.get(), connection.delayed.front().bytes);
        connection.delayed.pop_front();
    }
}

}  // namespace kit::test
