// A TCP server whose answers, silences and faults a test writes itself.
#pragma once

#include "support/descriptor.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace kit::test {

// A port of 127.0.0.1 on which nobody listens.
std::uint16_t unused_port();

class StubServer {
public:
    // A connection, as the script that serves it sees it. Nothing throws once the client is gone: reads are
    // then empty.
    class Peer {
    public:
        Peer(int socket, int stop) : socket_(socket), stop_(stop) {}

        // The next HTTP/1.1 request, head and body by its Content-Length; empty where the client is gone.
        std::string read_request();

        // The bytes up to and with `end`, at once where there are enough already.
        std::string read_until(std::string_view end);

        // False where the client is gone.
        bool send(std::string_view bytes);

        // Waits until the client has gone away or the server ends; false where `limit` passes first.
        bool wait_for_end(std::chrono::milliseconds limit = std::chrono::hours(1));

    private:
        bool read_more();

        int socket_;
        int stop_;
        std::string received_;
    };

    // Runs on a thread of its own for each connection, which it ends by returning.
    using Script = std::function<void(Peer&)>;

    // Listens on a free port of 127.0.0.1.
    explicit StubServer(Script script);
    StubServer(const StubServer&) = delete;
    StubServer& operator=(const StubServer&) = delete;
    ~StubServer();

    std::uint16_t port() const { return port_; }

    // "http://127.0.0.1:PORT", and the path.
    std::string url(std::string_view path = "/") const;

    // Accepted so far.
    std::size_t connections() const;

private:
    void accept_all();

    Script script_;
    std::uint16_t port_ = 0;
    Descriptor listener_;
    Descriptor stop_;  // an eventfd, readable from the end on
    mutable std::mutex mutex_;
    std::list<std::thread> connections_;
    std::thread acceptor_;
};

}  // namespace kit::test
