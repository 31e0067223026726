// A collector that keeps what it is sent: OTLP over HTTP/1.1 and over gRPC, on the same port. It can
// misbehave.
#pragma once

#include "support/otlp_decode.hpp"
#include "support/stub_server.hpp"

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace kit::test {

class OtlpCollector {
public:
    enum class Mood : std::uint8_t {
        healthy,
        silent,   // takes requests and never answers
        slow,     // answers after a second
        limited,  // 429, or UNAVAILABLE; "Retry-After: 1"
        refusing  // 400, or INVALID_ARGUMENT
    };

    struct Request {
        std::string path;
        std::map<std::string, std::string> headers;  // names in lower case
        std::string body;                            // of gRPC: its frame; compressed if it came so
    };

    // What all accepted requests held, in order.
    struct Taken {
        OtlpAttributes resource;
        std::string scope;
        std::vector<OtlpSpan> spans;
        std::vector<OtlpMetric> metrics;
        std::vector<OtlpLogLine> lines;
        std::vector<Request> requests;
    };

    OtlpCollector();

    std::uint16_t port() const { return server_.port(); }

    std::string endpoint() const { return "127.0.0.1:" + std::to_string(port()); }

    void set_mood(Mood mood) { mood_ = mood; }

    Taken taken() const;

    // False where `enough` does not come to hold.
    bool wait_until(const std::function<bool(const Taken&)>& enough) const;

    // Requests so far, accepted or not.
    std::size_t requests() const { return requests_; }

private:
    struct Answer {
        int http_status = 200;
        int grpc_status = 0;
    };

    void serve(StubServer::Peer& peer);
    void serve_http1(StubServer::Peer& peer, const std::string& begin);
    void serve_http2(StubServer::Peer& peer, const std::string& begin);

    // Nothing where no answer is to be given.
    std::optional<Answer> handle(StubServer::Peer& peer, Request request);

    std::atomic<Mood> mood_{Mood::healthy};
    std::atomic<std::size_t> requests_{0};
    mutable std::mutex mutex_;
    mutable std::condition_variable more_;
    Taken taken_;
    StubServer server_;  // its threads end before the rest does
};

}  // namespace kit::test
