#include "platform/http/server_span.hpp"

#include "platform/core/encoding.hpp"
#include "platform/http/route.hpp"
#include "platform/telemetry/span.hpp"
#include "platform/telemetry/trace.hpp"

#include <array>
#include <charconv>

namespace kit::http {

namespace {

using telemetry::Field;

struct Authority {
    std::string_view host;
    std::int64_t port = 0;  // 0: the scheme's own
};

// "host", "host:port", "[v6]:port": the head guard has refused everything else.
Authority authority(const Request& request)
{
    Authority result{.host = request.header("host").value_or("")};
    const auto colon = result.host.rfind(':');
    if (colon == std::string_view::npos || result.host.find(']', colon) != std::string_view::npos) {
        return result;
    }
    const auto port = result.host.substr(colon + 1);
    std::from_chars(port.data(), port.data() + port.size(), result.port);
    result.host = result.host.substr(0, colon);
    return result;
}

// A row's name is made again and again, by each thread in memory of its own.
std::string_view span_name(const RequestContext& ctx)
{
    thread_local std::string name;
    name = ctx.request.method == Method::other ? std::string_view("HTTP") : to_string(ctx.request.method);
    if (ctx.route != nullptr) {
        name += ' ';
        name += ctx.route->pattern;
    }
    return name;
}

// In place, without memory of its own: a span has at most this many fields.
class Fields {
public:
    template <class Value>
    void add(std::string_view key, Value value)
    {
        fields_[size_++] = Field(key, value);
    }

    void add_text(std::string_view key, std::string_view text)
    {
        if (!text.empty()) {
            add(key, text);
        }
    }

    void add_size(std::string_view key, std::size_t bytes)
    {
        if (bytes > 0) {
            add(key, bytes);
        }
    }

    std::span<const Field> all() const { return std::span(fields_).first(size_); }

private:
    std::array<Field, 16> fields_{};
    std::size_t size_ = 0;
};

void add_request(Fields& fields, const RequestContext& ctx)
{
    const auto& request = ctx.request;
    const bool known = request.method != Method::other;
    fields.add("http.request.method", known ? to_string(request.method) : std::string_view("_OTHER"));
    if (!known) {
        fields.add("http.request.method_original", request.method_text);
    }
    fields.add("url.path", std::string_view(ctx.path));
    fields.add("url.scheme", "http");  // TLS ends in front of this process
    const auto [host, port] = authority(request);
    fields.add_text("server.address", host);
    if (port != 0) {
        fields.add("server.port", port);
    }
    fields.add_text("client.address", ctx.client_address);
    fields.add_text("network.peer.address", request.peer);
    fields.add("network.protocol.version", request.http_1_0 ? "1.0" : "1.1");
    fields.add_text("user_agent.original", request.header("user-agent").value_or(""));
    fields.add_size("http.request.body.size", request.body_bytes());
}

}  // namespace

IncomingTrace incoming_trace(const Request& request)
{
    IncomingTrace trace;
    if (const auto parent = request.header("traceparent")) {
        trace.parent = telemetry::parse_traceparent(*parent);
    }
    if (!trace.parent) {
        return trace;  // section 4.3: its state says nothing then
    }
    std::vector<std::string_view> states;
    for (const auto& header : request.headers) {
        if (equal_ignoring_case(header.name, "tracestate")) {
            states.push_back(header.value);
        }
    }
    trace.state = telemetry::join_tracestate(states);
    return trace;
}

void record_server_span(const RequestContext& ctx, const Outcome& outcome)
{
    const auto& own = current_span();
    if (own.tracer == nullptr) {
        return;
    }
    std::array<char, 4> digits;
    Fields fields;
    add_request(fields, ctx);
    if (ctx.route != nullptr) {
        fields.add("http.route", ctx.route->pattern);
    }
    fields.add("http.response.status_code", outcome.status);
    fields.add_size("http.response.body.size", outcome.body_bytes);
    const bool failed = outcome.status >= 500;
    if (failed) {
        const auto* const end =
            std::to_chars(digits.data(), digits.data() + digits.size(), outcome.status).ptr;
        fields.add("error.type", std::string_view(digits.data(), end));
    }
    own.tracer->record({
        .span = own.span,
        .parent_id = ctx.parent_span_id,
        .remote_parent = ctx.parent_span_id != 0,
        .tracestate = own.origin->tracestate,
        .name = span_name(ctx),
        .kind = telemetry::SpanKind::server,
        .start = telemetry::unix_time(own, ctx.started),
        .end = telemetry::unix_time(own, outcome.ended),
        .failed = failed,
        .fields = fields.all(),
    });
}

}  // namespace kit::http
