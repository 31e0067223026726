#include "platform/http/pipeline.hpp"

#include "platform/core/append.hpp"
#include "platform/core/encoding.hpp"
#include "platform/core/fail_point.hpp"
#include "platform/http/problem.hpp"
#include "platform/http/rendering.hpp"
#include "platform/http/server_span.hpp"

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <exception>

namespace kit::http {

namespace {

// On every response.
constexpr std::string_view security_headers =
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "Referrer-Policy: strict-origin-when-cross-origin\r\n"
    "Content-Security-Policy: default-src 'self'\r\n";

constexpr std::string_view cors_common =
    "Access-Control-Allow-Headers: Content-Type, Authorization, X-CSRF-Token, Idempotency-Key, "
    "If-None-Match, X-Request-Id\r\n"
    "Access-Control-Allow-Methods: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"
    "Access-Control-Expose-Headers: ETag, Link, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, "
    "X-RateLimit-Reset, "
    "X-Idempotency-Replayed, X-Request-Id\r\n"
    "Access-Control-Max-Age: 600\r\n";

void append_header(std::string& out, std::string_view name, std::string_view value)
{
    append_all(out, name, ": ", value, "\r\n");
}

// Its text changes once a second: made anew then, by each thread for itself.
void append_date(std::string& out, Timestamp now)
{
    thread_local std::chrono::sys_seconds second{};
    thread_local std::string text;
    const auto current = std::chrono::floor<std::chrono::seconds>(now);
    if (current != second || text.empty()) {
        second = current;
        text = "Date: " + to_http_date(current) + "\r\n";
    }
    out += text;
}

void append_status_line(std::string& out, int status)
{
    out += "HTTP/1.1 ";
    append_number(out, static_cast<std::size_t>(status));
    out += ' ';
    out += reason_phrase(status);
    out += "\r\n";
}

// Whole seconds, rounded up (RFC 9110 section 10.2.3): a client that waits so long is not refused again.
std::size_t retry_seconds(std::chrono::milliseconds wait)
{
    return static_cast<std::size_t>(
        std::max<std::chrono::seconds::rep>(1, std::chrono::ceil<std::chrono::seconds>(wait).count())
    );
}

void append_error_headers(std::string& out, const Error& error, int status)
{
    if (status == 401) {
        append_header(out, "WWW-Authenticate", "Bearer");
    }
    if (error.retry_after().count() > 0) {
        out += "Retry-After: ";
        append_number(out, retry_seconds(error.retry_after()));
        out += "\r\n";
    }
}

// Writes the body behind a head that ends with its length, which is only known afterwards: room for the
// digits is left, and what of it was not needed is taken out again.
template <class WriteBody>
std::size_t append_body(std::string& out, bool head_only, WriteBody write_body)
{
    static constexpr std::size_t digits_max = 20;
    out += "Content-Length: ";
    const auto length_at = out.size();
    out.append(digits_max, ' ');
    out += "\r\n\r\n";
    const auto body_at = out.size();
    write_body(out);
    const auto length = out.size() - body_at;
    if (head_only) {
        out.resize(body_at);
    }
    const auto end = std::to_chars(out.data() + length_at, out.data() + length_at + digits_max, length).ptr;
    const auto width = static_cast<std::size_t>(end - out.data()) - length_at;
    out.erase(length_at + width, digits_max - width);
    return head_only ? 0 : length;
}

// The rest of a response after its common headers; returns the body's bytes.
std::size_t append_failure(std::string& out, const RequestContext& ctx, const Error& error, Timestamp now)
{
    append_error_headers(out, error, wire_code(error.code()).status);
    append_header(out, "Content-Type", error_type(ctx));
    return append_body(out, ctx.request.method == Method::head, [&](std::string& to) {
        append_error(to, ctx, error, now);
    });
}

std::size_t append_success(
    std::string& out, const RequestContext& ctx, const Response& response, Timestamp now
)
{
    for (const auto& [name, value] : response.headers) {
        append_header(out, name, value);
    }
    const bool head_only = ctx.request.method == Method::head;
    switch (response.payload) {
        case Payload::data:
            append_header(out, "Content-Type", "application/json");
            return append_body(out, head_only, [&](std::string& to) {
                append_envelope(to, response.body, ctx, now);
            });
        case Payload::complete:
            return append_body(out, head_only, [&](std::string& to) { to += response.body; });
        case Payload::stream:
            // Neither a length nor chunks: the connection's end is the body's, RFC 9112 section 6.3.
            out += "\r\n";
            return 0;
        case Payload::none:
            break;
    }
    // 204 and 304 have no body and no length of one: RFC 9110 section 8.6.
    out += response.status == 204 || response.status == 304 ? "\r\n" : "Content-Length: 0\r\n\r\n";
    return 0;
}

// "GET /api/v1/me", and a last one for requests of no route.
std::vector<std::string> route_names(const Router& router)
{
    std::vector<std::string> names;
    for (const auto& endpoint : router.endpoints()) {
        names.push_back(
            std::string(to_string(endpoint.route.method)) + ' ' + std::string(endpoint.route.pattern)
        );
    }
    names.emplace_back("none");
    return names;
}

bool is_stream(const Reply& reply)
{
    return reply && reply->payload == Payload::stream;
}

Task<Reply> answer_nowhere(RequestContext&)
{
    co_return failure(Error::not_found("not found"));
}

// What answers where no row matches.
const Handler nowhere = answer_nowhere;

Error outage()
{
    return {ErrorCode::unavailable, "service temporarily unavailable"};
}

Error overload()
{
    return Error(ErrorCode::unavailable, "too many requests are being handled")
        .with_wire_code("OVERLOADED")
        .with_retry_after(std::chrono::seconds(1));
}

}  // namespace

Pipeline::Pipeline(Router router, PipelineOptions options, Deps deps)
    : router_(std::move(router)),
      options_(std::move(options)),
      clock_(deps.clock),
      logger_(deps.logger),
      admission_(deps.admission),
      request_ids_(options_.hostname, deps.random),
      metrics_(deps.metrics, options_.workers),
      windows_(route_names(router_), options_.workers),
      load_(options_.workers, options_.load, deps.clock, deps.metrics)
{
    if (options_.sampling_ratio) {
        tracer_.emplace(*options_.sampling_ratio, deps.random, deps.clock, deps.recorder);
    }
}

std::size_t Pipeline::body_bytes_max(const Request& head) const
{
    const auto match = router_.match(head.method, head.path);
    if (match.endpoint == nullptr) {
        return options_.body_bytes_max;
    }
    return match.endpoint->route.options.body_bytes_max.value_or(options_.body_bytes_max);
}

bool Pipeline::streams_body(const Request& head) const
{
    const auto match = router_.match(head.method, head.path);
    return match.endpoint != nullptr && match.endpoint->route.options.streams_body;
}

// The order is the contract's. Inside out, so that what comes first here also sees the answer last:
Task<std::unique_ptr<Stream>> Pipeline::respond(const Request& request, bool close, std::string& out)
{
    RequestContext ctx(request, clock_);
    const ServerMetrics::Active active(metrics_, request);
    // 1. The ids, so that every line and answer after it can carry them.
    // 2. The client's address, which logs and limits need.
    const ActiveSpan active_span(identify(ctx));
    count_validation(request);
    // 3. Recovery around everything that can throw; the body limit was kept by the server while it read.
    auto reply = co_await recover(ctx);
    if (!reply && ctx.route != nullptr && ctx.route->options.on_error) {
        reply = ctx.route->options.on_error(ctx, reply.error());
    }
    // 4. On the way back: security and CORS headers, the negotiated body, the access log line, the metrics.
    const bool unread = request.incoming != nullptr && !request.incoming->done();
    finish(ctx, reply, close || unread || is_stream(reply), out);
    KIT_FAIL_POINT("http.answered");
    if (!is_stream(reply) || request.method == Method::head) {
        co_return nullptr;
    }
    co_return std::move(reply->stream);
}

// The request's span, for all who work for it to find.
CurrentSpan Pipeline::identify(RequestContext& ctx)
{
    const auto& request = ctx.request;
    ctx.started = clock_.steady_now();
    ctx.request_id = request_ids_.next(request);
    ctx.client_address = client_address(request, options_.trusted_proxies);
    ctx.path = percent_decode(request.path).value_or(std::string(request.path));
    RequestOrigin origin{.request_id = ctx.request_id, .tracestate = {}};
    CurrentSpan current;
    if (tracer_) {
        auto incoming = incoming_trace(request);
        origin.tracestate = std::move(incoming.state);
        ctx.span = tracer_->start(incoming.parent);
        ctx.parent_span_id = incoming.parent ? incoming.parent->span_id : 0;
        current.span = ctx.span;
        if (tracer_->records(ctx.span)) {
            current.tracer = &*tracer_;
            current.clock_offset = telemetry::clock_offset(clock_.now(), ctx.started);
        }
    }
    current.origin = std::make_shared<const RequestOrigin>(std::move(origin));
    return current;
}

void Pipeline::count_validation(const Request& request) const
{
    if (const auto origin = request.header("origin")) {
        metrics_.validated("cors", allowed_origin(*origin) ? "allow_origin" : "rejected_origin");
    }
    if (request.method == Method::options) {
        metrics_.validated("cors", "preflight");
    }
}

Task<Reply> Pipeline::recover(RequestContext& ctx)
{
    std::string cause;
    std::optional<Error> error;
    try {
        co_return co_await serve(ctx);
    } catch (const Overloaded& overload) {
        cause = overload.what();
        error = outage().with_retry_after(overload.retry_after());
    } catch (const Unavailable& unavailable) {
        cause = unavailable.what();
        error = outage().with_retry_after(std::chrono::seconds(1));
    } catch (const Cancelled& cancelled) {
        cause = cancelled.what();
        error = outage();
    } catch (const boost::system::system_error& failed) {
        cause = failed.what();
        error = outage();
    } catch (const std::exception& failed) {
        cause = failed.what();
        error = Error::internal("internal server error");
    }
    logger_.write(
        error->code() == ErrorCode::internal ? telemetry::LogLevel::error : telemetry::LogLevel::warn,
        "http.request.failed",
        {{"error", cause}, {"path", ctx.path}}
    );
    co_return std::unexpected(std::move(*error));
}

Task<Reply> Pipeline::serve(RequestContext& ctx)
{
    // Every OPTIONS is CORS's to answer, known path or not.
    if (ctx.request.method == Method::options) {
        co_return Response{.status = 204};
    }
    auto match = router_.match(ctx.request.method, ctx.request.path);
    if (match.endpoint != nullptr) {
        ctx.route = &match.endpoint->route;
        ctx.route_index = match.endpoint->index;
        ctx.path_parameters = std::move(match.parameters);
    }
    if (ctx.route == nullptr) {
        co_return co_await run(ctx, std::move(match));
    }
    // Before anything is asked of anybody: what is refused must cost next to nothing.
    LoadLimits::Request load(load_, *ctx.route);
    if (!load.is_admitted()) {
        co_return failure(overload());
    }
    auto reply = co_await run(ctx, std::move(match));
    load.answered();
    co_return reply;
}

Task<Reply> Pipeline::run(RequestContext& ctx, Match match)
{
    if (auto refused = co_await admission_.enter(ctx)) {
        co_return failure(std::move(*refused));
    }
    auto reply = co_await dispatch(ctx, std::move(match));
    if (auto refused = co_await admission_.leave(ctx)) {
        co_return failure(std::move(*refused));
    }
    co_return reply;
}

Task<Reply> Pipeline::dispatch(RequestContext& ctx, Match match)
{
    if (match.endpoint != nullptr) {
        co_return co_await Next(match.chain, match.endpoint->route.handler)(ctx);
    }
    auto refused = co_await Next(match.chain, nowhere)(ctx);
    if (refused.error().code() == ErrorCode::not_found && !match.allow.empty()) {
        ctx.response_headers.emplace_back("Allow", std::move(match.allow));
        refused = failure({ErrorCode::method_not_allowed, "method not allowed"});
    }
    co_return refused;
}

bool Pipeline::allowed_origin(std::string_view origin) const
{
    return std::ranges::find(options_.cors_allowed_origins, origin) != options_.cors_allowed_origins.end();
}

void Pipeline::append_cors(const Request& request, std::string& out) const
{
    const auto origin = request.header("origin");
    if (!origin) {
        return;
    }
    if (allowed_origin(*origin)) {
        append_header(out, "Access-Control-Allow-Origin", *origin);
        append_header(out, "Access-Control-Allow-Credentials", "true");
    }
    out += cors_common;
}

void Pipeline::finish(RequestContext& ctx, const Reply& reply, bool close, std::string& out)
{
    const auto now = ctx.answered_at.value_or(clock_.now());
    const int status = reply ? reply->status : wire_code(reply.error().code()).status;
    append_status_line(out, status);
    append_date(out, now);
    out += security_headers;
    append_header(out, "X-Request-Id", ctx.request_id);
    append_cors(ctx.request, out);
    // Whether an origin is allowed changes every answer; only errors are negotiated.
    append_header(out, "Vary", reply ? "Origin" : "Origin, Accept");
    for (const auto& [name, value] : ctx.response_headers) {
        append_header(out, name, value);
    }
    if (close) {
        append_header(out, "Connection", "close");
    } else if (ctx.request.http_1_0) {
        append_header(out, "Connection", "keep-alive");
    }
    const auto bytes =
        reply ? append_success(out, ctx, *reply, now) : append_failure(out, ctx, reply.error(), now);
    const Outcome outcome{
        .status = status, .body_bytes = bytes, .ended = clock_.steady_now(), .now = clock_.now()
    };
    metrics_.answered(ctx, outcome);
    const auto route = std::min(ctx.route_index, router_.endpoints().size());
    windows_.record(route, outcome.ended - ctx.started, status >= 500);
    log(ctx, outcome);
    record_server_span(ctx, outcome);
}

void Pipeline::log(const RequestContext& ctx, const Outcome& outcome)
{
    const auto level = outcome.status >= 500 ? telemetry::LogLevel::error : telemetry::LogLevel::info;
    if (!logger_.enabled(level)) {
        return;
    }
    const auto& request = ctx.request;
    const auto elapsed = std::chrono::duration_cast<std::chrono::microseconds>(outcome.ended - ctx.started);
    logger_.write(
        level,
        "http.request",
        {{"method", request.method == Method::other ? request.method_text : to_string(request.method)},
         {"path", ctx.path},
         {"route", ctx.route == nullptr ? std::string_view() : ctx.route->pattern},
         {"status", outcome.status},
         {"bytes", outcome.body_bytes},
         {"duration_ms", static_cast<double>(elapsed.count()) / 1000.0},
         {"request_id", ctx.request_id},
         {"client_ip", ctx.client_address},
         {"user_agent", request.header("user-agent").value_or("")}}
    );
}

void Pipeline::refuse(const Request& head, const Error& error, std::string& out)
{
    RequestContext ctx(head, clock_);
    const ActiveSpan active_span(identify(ctx));
    if (error.code() == ErrorCode::payload_too_large) {
        metrics_.validated("body_limit", "rejected_too_large");
    } else if (head.sound && error.code() != ErrorCode::unavailable) {
        metrics_.validated("body_limit", "read_error");
    }
    finish(ctx, Reply(failure(error)), true, out);
}

}  // namespace kit::http
