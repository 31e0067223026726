// A TCP relay that keeps what went through it: what a proxy really sends to the server, and what comes back.
#pragma once

#include "support/descriptor.hpp"

#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace kit::test {

class Relay {
public:
    // Listens on a free port of 127.0.0.1 and passes every connection on to `server_port`.
    explicit Relay(std::uint16_t server_port);
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;

    // Cuts every connection.
    ~Relay();

    std::uint16_t port() const { return port_; }

    // One connection's bytes so far.
    struct Tape {
        std::string to_server;
        std::string from_server;
    };

    std::vector<Tape> tapes() const;

private:
    void accept_all();
    void pass(Descriptor client, Tape& tape);

    std::uint16_t server_port_;
    std::uint16_t port_ = 0;
    Descriptor listener_;
    Descriptor stop_;  // an eventfd, readable from the end on
    mutable std::mutex mutex_;
    std::list<Tape> tapes_;
    std::list<std::thread> connections_;
    std::thread acceptor_;
};

// The methods of the requests in these bytes, by RFC 9112 alone. The last may be incomplete or malformed:
// nothing after a malformed one counts.
std::vector<std::string> request_methods(std::string_view bytes);

}  // namespace kit::test
