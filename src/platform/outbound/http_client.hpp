// HTTP calls to other servers: providers of identity, object stores, telemetry collectors.
#pragma once

#include "platform/core/task.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kit::outbound {

struct HttpRequest {
    std::string method = "GET";
    std::string url;  // http or https; nothing else is ever spoken
    std::vector<std::pair<std::string, std::string>> headers{};
    std::string body{};

    std::chrono::milliseconds time_max{5'000};       // from the call to the last byte
    std::size_t response_bytes_max = 1024UL * 1024;  // beyond: HttpFailure::too_large
    bool http2_prior_knowledge = false;              // h2c; over TLS by ALPN: unary gRPC
    std::string ca_file{};                           // PEM, beside the system's roots; empty: those alone
    std::string client_certificate_file{};           // PEM
    std::string client_key_file{};                   // PEM
};

struct HttpResponse {
    int status = 0;
    // As received, names lower-cased; trailers too, after the headers.
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;

    // The last of that name; empty where there is none.
    std::string_view header(std::string_view lower_name) const;
};

// Why no answer came. The texts of errors name the kind, never the URL's query, a header or a body.
// refused: no such host, or nobody listens; protocol: an answer that is broken or cut short, or a request
// that may not be sent (another scheme, a line break in a header).
enum class HttpFailure : std::uint8_t { refused, timed_out, too_large, tls, protocol, cancelled };

std::string_view to_string(HttpFailure failure);

using HttpResult = std::expected<HttpResponse, HttpFailure>;

// Whoever carries requests to another server: the client below, or a server of this very process.
class Sender {
public:
    Sender() = default;
    Sender(const Sender&) = delete;
    Sender& operator=(const Sender&) = delete;
    virtual ~Sender() = default;

    virtual Task<HttpResult> send(HttpRequest request) = 0;
};

// One thread for all calls, started by the first; connections are kept and used again. Redirects are never
// followed, certificates and names always verified; http_proxy, https_proxy and no_proxy count as they do for
// every program. libcurl is opened at run time by the first call, so that a process that makes none does not
// pay for it; where it is missing, calls throw Unavailable. Thread-safe. To be gone before the loops of its
// callers are.
class HttpClient final : public Sender {
public:
    struct Options {
        std::size_t connections_max = 64;  // at once, all servers together; further calls wait
        std::size_t calls_max = 1'024;     // under way or waiting; beyond: Overloaded
    };

    explicit HttpClient(Options options);
    HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;
    ~HttpClient() override;  // ends what is under way with HttpFailure::cancelled

    // Resumes the caller on its own worker. A cancelled caller ends the call: HttpFailure::cancelled.
    Task<HttpResult> send(HttpRequest request) override;

    // The same for a thread of one's own: blocks. A stop request ends the call.
    HttpResult send_blocking(HttpRequest request, const std::stop_token& stop = {});

private:
    class Engine;

    std::shared_ptr<Engine> engine_;
};

}  // namespace kit::outbound
