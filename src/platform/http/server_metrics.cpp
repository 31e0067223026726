#include "platform/http/server_metrics.hpp"

#include "platform/http/route.hpp"

#include <array>
#include <charconv>

namespace kit::http {

namespace {

using telemetry::Instrument;
using telemetry::InstrumentKind;

constexpr Instrument active_requests{
    .name = "http.server.active_requests",
    .kind = InstrumentKind::up_down_counter,
    .unit = "{request}",
    .description = "Requests that are being answered.",
    .attributes = {"http.request.method", "url.scheme"},
};

constexpr std::array<std::string_view, Instrument::attributes_max> request_attributes{
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "url.scheme",
    "network.protocol.version",
    "error.type"
};

constexpr Instrument request_duration{
    .name = "http.server.request.duration",
    .kind = InstrumentKind::histogram,
    .unit = "s",
    .description = "From the complete request to its answer.",
    .attributes = request_attributes,
    .bounds = telemetry::buckets::seconds,
};

constexpr Instrument request_body_size{
    .name = "http.server.request.body.size",
    .kind = InstrumentKind::histogram,
    .unit = "By",
    .description = "Bodies of requests.",
    .attributes = request_attributes,
    .bounds = telemetry::buckets::bytes,
};

constexpr Instrument response_body_size{
    .name = "http.server.response.body.size",
    .kind = InstrumentKind::histogram,
    .unit = "By",
    .description = "Bodies of responses.",
    .attributes = request_attributes,
    .bounds = telemetry::buckets::bytes,
};

constexpr Instrument validation_events{
    .name = "http.middleware.validation.events",
    .description = "What the global chain found.",
    .attributes = {"middleware", "outcome"},
};

constexpr std::string_view scheme = "http";  // TLS ends in front of this process

std::string_view method_name(Method method)
{
    return method == Method::other ? "_OTHER" : to_string(method);
}

}  // namespace

ServerMetrics::ServerMetrics(telemetry::Registry& registry)
    : active_(registry, active_requests),
      duration_(registry, request_duration),
      request_bytes_(registry, request_body_size),
      response_bytes_(registry, response_body_size),
      validations_(registry, validation_events)
{
}

void ServerMetrics::count_active(const Request& request, int change) const
{
    active_.add({method_name(request.method), scheme}, change);
}

void ServerMetrics::answered(const RequestContext& ctx, const Outcome& outcome) const
{
    std::array<char, 4> digits;
    const auto* const end = std::to_chars(digits.data(), digits.data() + digits.size(), outcome.status).ptr;
    const std::string_view code(digits.data(), end);
    const telemetry::Attributes attributes{
        method_name(ctx.request.method),
        code,
        ctx.route == nullptr ? std::string_view() : ctx.route->pattern,
        scheme,
        ctx.request.http_1_0 ? "1.0" : "1.1",
        outcome.status >= 500 ? code : std::string_view()
    };
    const auto seconds = telemetry::seconds_between(ctx.started, outcome.ended);
    duration_.record(seconds, attributes, ctx.span, outcome.now);
    request_bytes_.record(static_cast<double>(ctx.request.body.size()), attributes);
    response_bytes_.record(static_cast<double>(outcome.body_bytes), attributes);
}

void ServerMetrics::validated(std::string_view middleware, std::string_view outcome) const
{
    validations_.add({middleware, outcome});
}

}  // namespace kit::http
