// The rows of the one route table, and the chain around a handler.
#pragma once

#include "platform/http/guard.hpp"
#include "platform/http/route_doc.hpp"
#include "platform/http/types.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace kit::http {

using Handler = std::function<Task<Reply>(RequestContext&)>;

// Adds to the stored answer of a repeated request what is made anew each time, such as cookies.
using Renewal = std::function<Task<void>(RequestContext&, Response&)>;

// What people see instead of an error's JSON, whoever refused: a guard, a limit, an outage.
using ErrorPage = std::function<Response(const RequestContext&, const Error&)>;

struct RouteOptions {
    std::optional<std::size_t> body_bytes_max;  // unset: the server's limit
    bool always_answered = false;               // however much there is to do: probes, and what has a limit
                                                // of its own
    bool streams_body = false;  // the handler reads it while it arrives, under limits of its own
    Renewal on_replay{};        // of a success, where the row has `idempotent`
    ErrorPage on_error{};       // unset: the error's JSON
};

struct Route {
    Method method;
    std::string_view pattern;   // literal segments and {name} segments
    std::vector<Guard> guards;  // applied left to right; a route without any says {}
    Handler handler;
    RouteDoc doc;
    RouteOptions options{};
};

// At and below `prefix`, the guards also stand before the answer that there is no such path or method: what
// is there is not told to everybody.
struct Subtree {
    std::string_view prefix;
    std::vector<Guard> guards;
};

class Middleware;

// The rest of a chain: what is left of the guards, then the handler.
class Next {
public:
    Next(std::span<const std::unique_ptr<Middleware>> rest, const Handler& handler)
        : rest_(rest), handler_(&handler)
    {
    }

    Task<Reply> operator()(RequestContext& ctx) const;

private:
    std::span<const std::unique_ptr<Middleware>> rest_;
    const Handler* handler_;
};

// One guard at work. Immutable after start; used by all workers at once. Refusals are returned, never thrown.
class Middleware {
public:
    Middleware() = default;
    Middleware(const Middleware&) = delete;
    Middleware& operator=(const Middleware&) = delete;
    virtual ~Middleware() = default;

    virtual Task<Reply> handle(RequestContext& ctx, Next next) const = 0;
};

// Binds what a row's guard asks for.
using GuardBinder = std::function<std::unique_ptr<Middleware>(const Guard&)>;

// A handler of the form `Task<Reply> f(Service&, RequestContext&)` with its service.
template <class Service>
Handler bind(Task<Reply> (*handler)(Service&, RequestContext&), Service& service)
{
    return [handler, &service](RequestContext& ctx) { return handler(service, ctx); };
}

}  // namespace kit::http
