// Listening sockets: how they are opened, how connections leave them, and how they end without losing one.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/http/connection_set.hpp"
#include "platform/http/descriptor.hpp"
#include "platform/http/server.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct sockaddr_storage;

namespace kit::http {

// The listening sockets of one server, one for each worker, on one port.
struct Listeners {
    Tcp protocol;
    std::uint16_t port;
    std::vector<Descriptor> sockets;
};

// Throws Unavailable("listen tcp <address>:<port>: <why>") where that cannot be.
Listeners open_listeners(const std::string& address, std::uint16_t port, std::size_t count);

// The address without its port; an IPv4-mapped IPv6 address as the IPv4 address it stands for.
std::string canonical_address(const sockaddr_storage& address);

// Takes connections off one listening socket. Used on its worker's thread, but for construction.
class Acceptor final {
public:
    Acceptor(
        const Tcp& protocol,
        Descriptor listener,
        const Executor& executor,
        std::shared_ptr<ConnectionSet> connections
    );

    // Until finish().
    Task<void> run();

    // Closes the socket once every connection that a client believes to have is accepted. Closing alone would
    // reset those that wait in the queue. First a filter drops what would begin a new connection, then those
    // already begun get a moment to complete. What is lost is only who needs longer than that moment for its
    // half of the handshake, and knows that nothing was answered.
    Task<void> finish();

private:
    bool accept_waiting();

    Tcp protocol_;
    asio::basic_socket_acceptor<Tcp, Executor> socket_;
    std::shared_ptr<ConnectionSet> connections_;
};

}  // namespace kit::http
