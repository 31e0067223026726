// The span of a request: OpenTelemetry's semantic conventions for HTTP servers.
#pragma once

#include "platform/http/outcome.hpp"
#include "platform/http/types.hpp"

#include <optional>
#include <string>

namespace kit::http {

// What the request says of the trace that it belongs to.
struct IncomingTrace {
    std::optional<SpanContext> parent{};
    std::string state{};
};

IncomingTrace incoming_trace(const Request& request);

// Records the request's span, the thread's current one, where its trace is recorded. Named by the route,
// never by the path.
void record_server_span(const RequestContext& ctx, const Outcome& outcome);

}  // namespace kit::http
