// What a handler sees: Request, Response and the context that carries a request through its chain.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/core/error.hpp"
#include "platform/core/span_context.hpp"
#include "platform/core/task.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kit::http {

// RFC 9110 section 9; anything else is `other` and answered 405.
enum class Method : std::uint8_t { get, head, post, put, patch, del, options, other };

std::string_view to_string(Method method);

// GET, HEAD and OPTIONS: RFC 9110 section 9.2.1.
bool is_safe(Method method);

struct Header {
    std::string_view name;   // as received; compare ignoring case
    std::string_view value;  // without white space around it
};

// A body that is read by the handler, while it arrives: of routes that say `streams_body`. Used on the
// connection's worker, before the handler returns.
class IncomingBody {
public:
    IncomingBody() = default;
    IncomingBody(const IncomingBody&) = delete;
    IncomingBody& operator=(const IncomingBody&) = delete;
    virtual ~IncomingBody() = default;

    // Content-Length; unset where the body is chunked.
    virtual std::optional<std::uint64_t> declared_bytes() const = 0;

    // What has arrived, at least a byte, valid until the next call; empty at the body's end. No limit but the
    // server's minimum rate is kept: counting is the caller's. invalid_input (the coding is broken, or the
    // client went away), request_timeout.
    virtual Task<Result<std::string_view>> next() = 0;

    // Whether the end has been reached. If not when the handler returns, the connection ends.
    virtual bool done() const = 0;

    virtual std::size_t received_bytes() const = 0;
};

// A parsed request. Views point into the connection's buffers and live until the response is written.
struct Request {
    Method method = Method::other;
    std::string_view method_text;
    std::string_view target;  // as received
    std::string_view path;    // of the target, still percent-encoded
    std::string_view query;   // of the target, without '?'
    std::vector<Header> headers;
    std::string_view body;
    IncomingBody* incoming = nullptr;  // instead of `body`, where the route reads it itself
    std::string_view
        peer;  // the TCP peer's address in canonical text (IPv4-mapped IPv6 as IPv4), without port
    bool http_1_0 = false;
    bool sound = true;  // false: refused for its head, of which this is what could be understood

    std::size_t body_bytes() const { return incoming == nullptr ? body.size() : incoming->received_bytes(); }

    // The first header of that name (ignoring case); nothing if absent.
    std::optional<std::string_view> header(std::string_view name) const;

    // The first cookie of exactly that name, RFC 6265 section 5.4; quotes around the value are part of it.
    std::optional<std::string_view> cookie(std::string_view name) const;
};

// How a response's body is sent.
enum class Payload : std::uint8_t {
    none,      // no body, no Content-Type
    data,      // body is the JSON value `data`; the envelope of the contract is put around it
    complete,  // body is sent as it is; Content-Type is among the headers
    stream,    // the stream is sent piece by piece, and the connection ends with it; likewise
};

// A body that comes into being while it is sent, such as server-sent events. Read on the connection's worker.
class Stream {
public:
    Stream() = default;
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    virtual ~Stream() = default;

    // The next piece, as soon as there is one; an empty one is the end. Asked for only once the client has
    // taken what came before, so a slow client holds one piece. Cancelled once the client is gone or the
    // server closes: what it waits for must honour that.
    virtual Task<std::string> next() = 0;
};

struct Response {
    int status = 200;
    Payload payload = Payload::none;
    std::string body;
    std::vector<std::pair<std::string_view, std::string>> headers;  // names are string literals
    std::unique_ptr<Stream> stream{};

    Response& set(std::string_view name, std::string value)
    {
        headers.emplace_back(name, std::move(value));
        return *this;
    }
};

using Reply = Result<Response>;

// Who is asking. A platform notion: users and roles are the modules' affair.
struct Principal {
    std::int64_t user_id = 0;  // valid where `authenticated`
    bool authenticated = false;
    bool by_cookie = false;  // else by bearer token
    std::string session_id;  // the token's `sid`
    std::string token_id;    // the token's `jti`
};

class Claim;
struct Route;

// One request on its way. Lives on the connection's coroutine; never shared between threads.
class RequestContext {
public:
    RequestContext(const Request& incoming, Clock& system_clock) : request(incoming), clock(system_clock) {}

    RequestContext(const RequestContext&) = delete;
    RequestContext& operator=(const RequestContext&) = delete;

    const Request& request;
    Clock& clock;
    std::string request_id;
    std::string client_address;    // canonical IP text without port (design: trusted proxies)
    std::string path;              // decoded, for messages and logs
    const Route* route = nullptr;  // once matched
    std::size_t route_index = static_cast<std::size_t>(-1);  // its number among all, once matched
    std::vector<std::pair<std::string_view, std::string>> path_parameters;
    Principal principal;
    // Whom a good access token names, on whatever route; set once it has been looked at. Unlike `principal`
    // no proof that the route's guards were passed.
    std::optional<Principal> caller;
    bool caller_known = false;
    // The product's limit is yet to be counted: together with the row's own, or when a guard before that has
    // refused.
    bool admission_due = false;
    SteadyTime started{};
    SpanContext span;                  // of the server; invalid where traces and metrics are off
    std::uint64_t parent_span_id = 0;  // of the caller's span; 0: the trace begins here

    // The key by which a repetition of this request will be known; null on routes without idempotency.
    Claim* claim = nullptr;

    // The time in the answer's body where that was rendered ahead of time (rendering.hpp).
    std::optional<Timestamp> answered_at;

    // Headers that the response carries whatever its outcome, set by middlewares.
    std::vector<std::pair<std::string_view, std::string>> response_headers;

    // The decoded value of a `{name}` segment. The name must be one of the route's.
    std::string_view path_parameter(std::string_view name) const;

    // The first value of a query parameter, form-decoded; nothing if absent.
    std::optional<std::string> query_parameter(std::string_view name) const;

    // The body as a described struct; 400 "invalid payload" where it is not one. Defined in http/body.hpp.
    template <class T>
    Result<T> json() const;
};

}  // namespace kit::http
