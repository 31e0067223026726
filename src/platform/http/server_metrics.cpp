#include "platform/http/server_metrics.hpp"

#include "platform/core/workers.hpp"
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

ServerMetrics::ServerMetrics(telemetry::Registry& registry, std::size_t workers)
    : active_(registry, active_requests),
      duration_(registry, request_duration),
      request_bytes_(registry, request_body_size),
      response_bytes_(registry, response_body_size),
      validations_(registry, validation_events),
      remembered_(std::make_unique<Remembered[]>(workers)),
      workers_(workers)
{
}

void ServerMetrics::count_active(const Request& request, int change) const
{
    if (!active_.enabled()) {
        return;
    }
    const auto worker = Workers::current();
    if (worker >= workers_) {
        active_.add({method_name(request.method), scheme}, change);
        return;
    }
    auto& active = remembered_[worker].active[static_cast<std::size_t>(request.method)];
    if (!active) {
        active = active_.bind({method_name(request.method), scheme});
    }
    active.add(change);
}

ServerMetrics::Recent ServerMetrics::find(const RequestContext& ctx, int status) const
{
    std::array<char, 4> digits;
    const auto* const end = std::to_chars(digits.data(), digits.data() + digits.size(), status).ptr;
    const std::string_view code(digits.data(), end);
    const telemetry::Attributes attributes{
        method_name(ctx.request.method),
        code,
        ctx.route == nullptr ? std::string_view() : ctx.route->pattern,
        scheme,
        ctx.request.http_1_0 ? "1.0" : "1.1",
        status >= 500 ? code : std::string_view()
    };
    return {
        .route = ctx.route,
        .method = ctx.request.method,
        .http_1_0 = ctx.request.http_1_0,
        .status = status,
        .duration = duration_.bind(attributes),
        .request_bytes = request_bytes_.bind(attributes),
        .response_bytes = response_bytes_.bind(attributes)
    };
}

// Looked up by attributes only where the worker's place for such requests was taken by another kind.
ServerMetrics::Recent ServerMetrics::series_of(const RequestContext& ctx, int status) const
{
    const auto worker = Workers::current();
    if (worker >= workers_) {
        return find(ctx, status);
    }
    const auto place = (ctx.route_index * 7 + static_cast<std::size_t>(status)) % recent_max;
    auto& recent = remembered_[worker].recent[place];
    if (recent.status != status || recent.route != ctx.route || recent.method != ctx.request.method ||
        recent.http_1_0 != ctx.request.http_1_0) {
        recent = find(ctx, status);
    }
    return recent;
}

void ServerMetrics::answered(const RequestContext& ctx, const Outcome& outcome) const
{
    if (!duration_.enabled()) {
        return;
    }
    const auto series = series_of(ctx, outcome.status);
    series.duration.record(telemetry::seconds_between(ctx.started, outcome.ended), ctx.span, outcome.now);
    series.request_bytes.record(static_cast<double>(ctx.request.body_bytes()));
    series.response_bytes.record(static_cast<double>(outcome.body_bytes));
}

void ServerMetrics::validated(std::string_view middleware, std::string_view outcome) const
{
    validations_.add({middleware, outcome});
}

}  // namespace kit::http
