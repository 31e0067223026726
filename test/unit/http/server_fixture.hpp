// A server over loopback with a tiny product behind it.
#pragma once

#include "platform/core/error.hpp"
#include "platform/http/server.hpp"
#include "support/raw_requests.hpp"
#include "unit/http/wire_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace kit::http {

using namespace std::chrono_literals;

// What a /stream says, put in by the test: pieces, then perhaps an end or a fault.
class StreamFeed {
public:
    void put(std::string piece)
    {
        const std::lock_guard lock(mutex_);
        pieces_.push_back(std::move(piece));
    }

    std::optional<std::string> take()
    {
        const std::lock_guard lock(mutex_);
        if (pieces_.empty()) {
            return std::nullopt;
        }
        auto piece = std::move(pieces_.front());
        pieces_.pop_front();
        return piece;
    }

    std::atomic<int> open = 0;
    std::atomic<int> taken = 0;

private:
    std::mutex mutex_;
    std::deque<std::string> pieces_;
};

class TestStream final : public Stream {
public:
    TestStream(Clock& clock, StreamFeed& feed) : clock_(clock), feed_(feed) { ++feed_.open; }

    ~TestStream() override { --feed_.open; }

    Task<std::string> next() override
    {
        while (true) {
            if (auto piece = feed_.take()) {
                ++feed_.taken;
                if (*piece == "fault") {
                    throw std::runtime_error("stream fault");
                }
                co_return std::move(*piece);
            }
            co_await clock_.sleep_for(1ms);
        }
    }

private:
    Clock& clock_;
    StreamFeed& feed_;
};

// A product of a few paths: /slow waits to be cancelled, /held waits for release(), /large answers 64 MiB,
// /peer and /worker say who serves whom, /throw breaks its promise, /silent answers a cancellation with
// nothing, /stream goes on as its feed says, /incoming reads its body while it arrives, /unwanted does not.
class TestApplication final : public Application {
public:
    explicit TestApplication(Clock& clock) : clock_(clock) {}

    std::size_t body_bytes_max(const Request& /*head*/) const override { return 100'000; }

    bool streams_body(const Request& head) const override
    {
        return head.path == "/incoming" || head.path == "/unwanted";
    }

    Task<std::unique_ptr<Stream>> respond(const Request& request, bool close, std::string& out) override
    {
        ++requests;
        if (request.path == "/throw") {
            out += "HTTP/1.1 200 OK\r\n";
            throw std::runtime_error("broken promise");
        }
        if (request.path == "/stream") {
            out += "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
            co_return std::make_unique<TestStream>(clock_, feed);
        }
        if (request.path == "/slow" || request.path == "/silent") {
            co_await wait_for_cancellation();
            if (request.path == "/slow") {
                append(out, "503 Service Unavailable", "cancelled", true, false);
            }
            co_return nullptr;
        }
        if (request.incoming != nullptr) {
            co_await answer_incoming(request, close, out);
            co_return nullptr;
        }
        while (request.path == "/held" && !released_) {
            co_await clock_.sleep_for(2ms);
        }
        auto body = std::string(request.method_text) + " " + std::string(request.path) + " " +
                    std::string(request.body);
        if (request.path == "/large") {
            body.assign(64UL * 1024 * 1024, 'x');
        } else if (request.path == "/peer") {
            body = request.peer;
        } else if (request.path == "/worker") {
            body = std::to_string(Workers::current());
        }
        append(out, "200 OK", body, close, request.method == Method::head);
        co_return nullptr;
    }

    void refuse(const Request& head, const Error& error, std::string& out) override
    {
        static const std::map<ErrorCode, std::string_view> statuses{
            {ErrorCode::invalid_input, "400 Bad Request"},
            {ErrorCode::request_timeout, "408 Request Timeout"},
            {ErrorCode::payload_too_large, "413 Content Too Large"},
            {ErrorCode::uri_too_long, "414 URI Too Long"},
            {ErrorCode::expectation_failed, "417 Expectation Failed"},
            {ErrorCode::headers_too_large, "431 Request Header Fields Too Large"},
            {ErrorCode::unsupported, "501 Not Implemented"},
            {ErrorCode::unavailable, "503 Service Unavailable"},
        };
        append(out, statuses.at(error.code()), std::string(head.header("Accept").value_or("")), true, false);
    }

    void release() { released_ = true; }

    StreamFeed feed;
    std::atomic<int> requests = 0;
    std::atomic<int> cancelled = 0;
    std::atomic<std::size_t> largest_piece = 0;

private:
    Task<void> answer_incoming(const Request& request, bool close, std::string& out)
    {
        auto& incoming = *request.incoming;
        std::string body;
        std::string_view status = "200 OK";
        while (request.path == "/incoming") {
            const auto piece = co_await incoming.next();
            if (!piece) {
                status = piece.error().code() == ErrorCode::request_timeout ? "408 Request Timeout"
                                                                            : "400 Bad Request";
            }
            if (!piece || piece->empty()) {
                break;
            }
            largest_piece = std::max<std::size_t>(largest_piece, piece->size());
            body += *piece;
        }
        body += " of " + (incoming.declared_bytes() ? std::to_string(*incoming.declared_bytes()) : "chunks");
        append(out, status, body, close || !incoming.done(), false);
    }

    Task<void> wait_for_cancellation()
    {
        try {
            co_await clock_.sleep_for(1h);
        } catch (const Cancelled&) {
            ++cancelled;
        }
    }

    static void append(
        std::string& out, std::string_view status, const std::string& body, bool close, bool head
    )
    {
        out +=
            "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
        out += close ? "Connection: close\r\n\r\n" : "\r\n";
        out += head ? "" : body;
    }

    Clock& clock_;
    std::atomic<bool> released_ = false;
};

class ServerTest : public testing::Test {
protected:
    ~ServerTest() override
    {
        if (server) {
            server->drain(clock.steady_now());
        }
        workers.join();
    }

    void start(ServerLimits limits = {}, std::string address = "127.0.0.1")
    {
        server = std::make_unique<Server>(
            ServerOptions{
                .address = std::move(address),
                .port = 0,
                .limits = limits,
                .on_fault =
                    [this](std::string_view what) {
                        const std::lock_guard lock(mutex_);
                        faults_.emplace_back(what);
                    },
            },
            workers,
            clock,
            application
        );
        workers.start();
        server->start();
    }

    WireClient client() const { return WireClient(server->port()); }

    std::vector<std::string> faults()
    {
        const std::lock_guard lock(mutex_);
        return faults_;
    }

    template <class Condition>
    static bool eventually(Condition condition)
    {
        for (int round = 0; round < 2000 && !condition(); ++round) {
            std::this_thread::sleep_for(5ms);
        }
        return condition();
    }

    SystemClock clock;
    TestApplication application{clock};
    Workers workers{2};
    std::unique_ptr<Server> server;

private:
    std::mutex mutex_;
    std::vector<std::string> faults_;
};

inline int status_of(const std::optional<WireResponse>& response)
{
    return response ? response->status : -1;
}

}  // namespace kit::http
