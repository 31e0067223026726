#include "platform/http/acceptor.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>

#include <arpa/inet.h>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace kit::http {

namespace {

// Until descriptors or memory may be there again. The client waits in the kernel's queue meanwhile.
constexpr std::chrono::milliseconds shortage_pause{100};
// For handshakes that had begun when the listening socket stopped taking new ones.
constexpr std::chrono::milliseconds handshake_grace{50};
constexpr int backlog = 4096;  // the kernel lowers it to net.core.somaxconn

struct Endpoint {
    sockaddr_storage storage{};
    socklen_t size = 0;

    sockaddr* address() { return reinterpret_cast<sockaddr*>(&storage); }

    int family() const { return storage.ss_family; }

    void set_port(std::uint16_t port)
    {
        if (family() == AF_INET6) {
            reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port = htons(port);
        } else {
            reinterpret_cast<sockaddr_in*>(&storage)->sin_port = htons(port);
        }
    }

    std::uint16_t port() const
    {
        return ntohs(
            family() == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port
                                 : reinterpret_cast<const sockaddr_in*>(&storage)->sin_port
        );
    }
};

Endpoint any_address(int family)
{
    Endpoint endpoint;
    endpoint.storage.ss_family = static_cast<sa_family_t>(family);
    endpoint.size = family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    return endpoint;
}

// The numeric address; family AF_UNSPEC if it is none.
Endpoint parse_address(const std::string& text)
{
    Endpoint endpoint = any_address(AF_INET6);
    if (::inet_pton(AF_INET6, text.c_str(), &reinterpret_cast<sockaddr_in6*>(&endpoint.storage)->sin6_addr) ==
        1) {
        return endpoint;
    }
    endpoint = any_address(AF_INET);
    if (::inet_pton(AF_INET, text.c_str(), &reinterpret_cast<sockaddr_in*>(&endpoint.storage)->sin_addr) ==
        1) {
        return endpoint;
    }
    return {};
}

// "bind: address already in use": the step and the system's text.
std::string system_failure(std::string_view step, int error)
{
    std::string text = std::strerror(error);
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
    return std::string(step) + ": " + text;
}

[[noreturn]] void fail(const std::string& address, std::uint16_t port, const std::string& why)
{
    const auto host = address.contains(':') ? "[" + address + "]" : address;
    throw Unavailable("listen tcp " + host + ":" + std::to_string(port) + ": " + why);
}

bool set_option(int socket, int level, int name, int value)
{
    return ::setsockopt(socket, level, name, &value, sizeof(value)) == 0;
}

// A socket that listens, or why there is none.
struct Claim {
    Descriptor socket;
    std::string failure;
};

// The options of a listening socket pass to the connections accepted from it. Writes the port to `endpoint`.
Claim listen_on(Endpoint& endpoint, bool beside_siblings)
{
    Claim claim{
        .socket =
            Descriptor(::socket(endpoint.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP))
    };
    const int socket = claim.socket.get();
    if (socket < 0) {
        claim.failure = system_failure("socket", errno);
        return claim;
    }
    set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1);  // old connections in TIME_WAIT do not hold the port
    set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
    if (endpoint.family() == AF_INET6) {
        set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    }
    if (beside_siblings && !set_option(socket, SOL_SOCKET, SO_REUSEPORT, 1)) {
        claim.failure = system_failure("setsockopt", errno);
    } else if (::bind(socket, endpoint.address(), endpoint.size) != 0) {
        claim.failure = system_failure("bind", errno);
    } else if (::listen(socket, backlog) != 0) {
        // The kernel looks for a rival once more here; to the user it is the same failure.
        claim.failure = system_failure(errno == EADDRINUSE ? "bind" : "listen", errno);
    }
    endpoint.size = sizeof(endpoint.storage);
    ::getsockname(socket, endpoint.address(), &endpoint.size);
    return claim;
}

// The port's first socket, which listens alone, without SO_REUSEPORT: the kernel itself then refuses the port
// to whoever comes second, another server of ours included, and no moment lies between the check and the
// claim. Only then may its siblings join. (A program of the same user that sets SO_REUSEPORT and starts later
// could still join: the kernel offers nothing against it.)
Claim claim_port(Endpoint& endpoint, const std::string& address)
{
    const auto port = endpoint.port();
    auto claim = listen_on(endpoint, false);
    const bool no_ipv6 = claim.failure == system_failure("socket", EAFNOSUPPORT) ||
                         claim.failure == system_failure("bind", EADDRNOTAVAIL);
    if (address.empty() && no_ipv6) {
        endpoint = any_address(AF_INET);
        endpoint.set_port(port);
        claim = listen_on(endpoint, false);
    }
    if (claim.failure.empty() && !set_option(claim.socket.get(), SOL_SOCKET, SO_REUSEPORT, 1)) {
        claim.failure = system_failure("setsockopt", errno);
    }
    return claim;
}

}  // namespace

Listeners open_listeners(const std::string& address, std::uint16_t port, std::size_t count)
{
    Endpoint endpoint = address.empty() ? any_address(AF_INET6) : parse_address(address);
    if (endpoint.family() == AF_UNSPEC) {
        fail(address, port, "not an IP address");
    }
    endpoint.set_port(port);
    std::vector<Descriptor> sockets;
    while (sockets.size() < count) {
        auto claim = sockets.empty() ? claim_port(endpoint, address) : listen_on(endpoint, true);
        if (!claim.failure.empty()) {
            fail(address, port, claim.failure);
        }
        sockets.push_back(std::move(claim.socket));
    }
    return {
        .protocol = endpoint.family() == AF_INET6 ? Tcp::v6() : Tcp::v4(),
        .port = endpoint.port(),
        .sockets = std::move(sockets),
    };
}

std::string canonical_address(const sockaddr_storage& address)
{
    std::array<char, INET6_ADDRSTRLEN> text{};
    const void* bytes = &reinterpret_cast<const sockaddr_in*>(&address)->sin_addr;
    int family = AF_INET;
    if (address.ss_family == AF_INET6) {
        const auto& six = reinterpret_cast<const sockaddr_in6*>(&address)->sin6_addr;
        family = IN6_IS_ADDR_V4MAPPED(&six) ? AF_INET : AF_INET6;
        bytes = family == AF_INET ? &six.s6_addr[12] : &six.s6_addr[0];
    }
    ::inet_ntop(family, bytes, text.data(), text.size());
    return text.data();
}

Acceptor::Acceptor(
    const Tcp& protocol,
    Descriptor listener,
    const Executor& executor,
    std::shared_ptr<ConnectionSet> connections
)
    : protocol_(protocol), socket_(executor), connections_(std::move(connections))
{
    socket_.assign(protocol, listener.get());
    listener.release();
}

Task<void> Acceptor::run()
{
    while (socket_.is_open()) {
        const auto [error] = co_await socket_.async_wait(Socket::wait_read, asio::as_tuple(asio::deferred));
        if (error) {
            co_return;  // closed
        }
        if (!accept_waiting()) {
            co_await connections_->context().clock.sleep_for(shortage_pause);
        }
    }
}

// False if connections wait for which the system has no room.
bool Acceptor::accept_waiting()
{
    while (true) {
        sockaddr_storage peer{};
        socklen_t size = sizeof(peer);
        auto* address = reinterpret_cast<sockaddr*>(&peer);
        Descriptor accepted(::accept4(socket_.native_handle(), address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (accepted.get() < 0) {
            switch (errno) {
                case EAGAIN:
                case EBADF:  // closed
                    return true;
                case EMFILE:
                case ENFILE:
                case ENOBUFS:
                case ENOMEM:
                    return false;
                default:
                    continue;  // that one connection's failure: accept(2), "Error handling"
            }
        }
        connections_->adopt(protocol_, std::move(accepted), canonical_address(peer));
    }
}

Task<void> Acceptor::finish()
{
    // Loads the TCP flags; drops SYN without ACK; keeps all else.
    std::array<sock_filter, 5> program{{
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, 0xFFFFFFFF),
    }};
    const sock_fprog filter{.len = program.size(), .filter = program.data()};
    const bool filtered =
        ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0;
    if (filtered) {
        accept_waiting();
        co_await connections_->context().clock.sleep_for(handshake_grace);
    }
    accept_waiting();
    boost::system::error_code ignored;
    socket_.close(ignored);
}

}  // namespace kit::http
