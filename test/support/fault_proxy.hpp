// A TCP proxy that does to a server's answers what networks and failing servers do.
#pragma once

#include "support/descriptor.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <mutex>
#include <string>
#include <thread>

namespace kit::test {

// Thread-safe.
class FaultProxy {
public:
    // Listens on a free port of 127.0.0.1 and passes every connection on to `server_port`.
    explicit FaultProxy(std::uint16_t server_port);
    FaultProxy(const FaultProxy&) = delete;
    FaultProxy& operator=(const FaultProxy&) = delete;

    // Cuts every connection.
    ~FaultProxy();

    std::uint16_t port() const { return port_; }

    std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

    // What happens to answers from now on, on every connection. At first they pass.
    void pass();
    void delay(std::chrono::milliseconds by);
    void swallow();                                // the connection stays open
    void cut_after(std::size_t answer_bytes);      // counted from now on, then the connection is closed
    void swallow_after(std::size_t answer_bytes);  // half an answer, then silence
    void garble(std::string garbage);              // each answer is replaced by this

    // Closes what is open now; new connections are taken.
    void cut();

    // Connections taken so far.
    std::size_t accepted() const;

private:
    enum class Mode : std::uint8_t { pass, delay, swallow, cut_after, swallow_after, garble };
    using Time = std::chrono::steady_clock::time_point;

    struct Delayed {
        Time due;
        std::string bytes;
    };

    struct Connection {
        Descriptor client;
        Descriptor server;
        std::deque<Delayed> delayed;
        std::size_t answered = 0;  // bytes that came through since the mode was set
        unsigned mode_number = 0;
        bool broken = false;
    };

    void set(Mode mode, std::size_t bytes = 0, std::chrono::milliseconds by = {}, std::string garbage = {});
    void serve();
    void take_client();
    void pass_request(Connection& connection) const;
    void pass_answer(Connection& connection);
    void answer(Connection& connection, std::string bytes);
    void send_due(Connection& connection);
    int wait_ms() const;

    std::uint16_t server_port_;
    std::uint16_t port_ = 0;
    Descriptor listener_;
    Descriptor wake_;  // an eventfd
    mutable std::mutex mutex_;
    Mode mode_ = Mode::pass;
    unsigned mode_number_ = 0;
    std::size_t bytes_ = 0;
    std::chrono::milliseconds by_{0};
    std::string garbage_;
    std::list<Connection> connections_;
    std::size_t accepted_ = 0;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace kit::test
