// The HTTP/1.1 server (RFC 9112): connections, limits, keep-alive, pipelining, drain. Knows nothing of
// routes.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/core/workers.hpp"
#include "platform/http/types.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace kit::http {

// Every limit of the wire. All are enforced per connection but `connections_max`.
struct ServerLimits {
    std::size_t request_line_bytes_max = 8UL * 1024;  // beyond: 414
    std::size_t header_bytes_max = 16UL * 1024;       // the whole section; beyond: 431
    std::size_t header_fields_max = 100;              // beyond: 431
    std::size_t body_bytes_max = 1024UL * 1024;       // unless the route says otherwise; beyond: 413
    std::size_t chunk_extension_bytes_max = 256;      // of all chunks of a body; beyond: 400
    std::size_t trailer_bytes_max = 4UL * 1024;       // after a chunked body, dropped; beyond: 431
    std::chrono::milliseconds header_time_max{5'000
    };  // from the first byte to the end of the header section; beyond: 408
    std::size_t body_bytes_per_second_min = 1024;        // after a grace of one second; below: 408
    std::chrono::milliseconds idle_time_max{60'000};     // between requests; beyond: closed
    std::chrono::milliseconds write_time_max{10'000};    // for one response; beyond: closed
    std::chrono::milliseconds request_time_max{10'000};  // for the handler; beyond: 503
    std::chrono::milliseconds linger_time_max{1'000};    // discarding what a refused client still sends
    std::size_t connections_max = 20'000;                // of the process; beyond: closed at once
};

struct ServerOptions {
    std::string address = "";   // empty: every interface, IPv6 and IPv4
    std::uint16_t port = 8080;  // 0: any free one
    ServerLimits limits{};
    // Told of every exception that escapes where none may, such as from Application::respond. Called on any
    // worker.
    std::function<void(std::string_view what)> on_fault{};
};

// What the server asks of the product. Called on the connection's worker.
class Application {
public:
    Application() = default;
    Application(const Application&) = delete;
    Application& operator=(const Application&) = delete;
    virtual ~Application() = default;

    // The most bytes that this request's body may have. Called once the header section is complete and sound.
    virtual std::size_t body_bytes_max(const Request& head) const = 0;

    // Whether the handler reads the body itself (Request::incoming), so that guards refuse before it is sent.
    // Asked instead of keeping body_bytes_max().
    virtual bool streams_body(const Request& /*head*/) const { return false; }

    // Appends the whole response, status line to body, to `out`. `close` says that the connection ends after
    // it; the response then says so too, and otherwise an HTTP/1.0 client is told `Connection: keep-alive`.
    // HEAD's response has no body but the length of one. Must not throw, unless it has been cancelled: once
    // the client is gone, request_time_max has passed or the drain's deadline has, what it waits for is
    // cancelled (asio::cancellation_type::terminal), and every later co_await of the coroutine throws. What
    // it appended by then is sent; where that is nothing, an expired request is answered by refuse() with
    // ErrorCode::unavailable. Where the answer is a stream, `out` gets its head and the stream is returned:
    // it may refer to nothing of the request, whose buffers are given back, and the connection ends after it.
    virtual Task<std::unique_ptr<Stream>> respond(const Request& request, bool close, std::string& out) = 0;

    // Appends the response to what was refused before it was a request (400, 408, 413, 414, 417, 431, 501),
    // or to one that took too long (503). The head is as far as it was understood; the connection ends after
    // it, and the response says so. Must not throw.
    virtual void refuse(const Request& head, const Error& error, std::string& out) = 0;

    // The work that handlers left to be done after the answer, such as log lines, is nobody's affair here.
};

class Server {
public:
    // Binds and listens on every worker's loop; throws Unavailable where the port is taken, also by another
    // server with SO_REUSEPORT.
    Server(ServerOptions options, Workers& workers, Clock& clock, Application& application);
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server();  // after drain(), or once the workers have stopped

    std::uint16_t port() const;

    // Starts accepting. Call once the workers run or before they start.
    void start();

    // Every response from now on says `Connection: close`; idle connections are closed; new ones are still
    // accepted.
    void announce_close();

    // Stops accepting, closes idle connections, lets running requests finish until `deadline`, then cancels
    // what is left. Blocks the caller, which must not be a worker. Returns the number of requests that had to
    // be cancelled.
    std::size_t drain(SteadyTime deadline);

    std::size_t connections() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace kit::http
