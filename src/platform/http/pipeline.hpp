// The global chain around every route: what happens to a request between the parser and its row, and on the
// way back.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/http/admission.hpp"
#include "platform/http/client_address.hpp"
#include "platform/http/load_limits.hpp"
#include "platform/http/outcome.hpp"
#include "platform/http/request_id.hpp"
#include "platform/http/router.hpp"
#include "platform/http/server.hpp"
#include "platform/http/server_metrics.hpp"
#include "platform/telemetry/logger.hpp"
#include "platform/telemetry/metrics.hpp"
#include "platform/telemetry/route_windows.hpp"
#include "platform/telemetry/span.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace kit::http {

struct PipelineOptions {
    std::vector<std::string> cors_allowed_origins;  // compared to the letter; no wildcard
    std::vector<AddressRange> trusted_proxies;      // whose forwarding headers count
    std::size_t body_bytes_max = 1024UL * 1024;     // of a route that says nothing else
    std::string hostname = "localhost";             // in request ids
    std::optional<double> sampling_ratio;           // of traces; unset: requests belong to none
    std::size_t workers = 0;                        // of the process
    LoadLimitOptions load{};
};

// Immutable after construction but for counters; used by all workers at once.
class Pipeline final : public Application {
public:
    struct Deps {
        Clock& clock;
        Random& random;
        telemetry::Logger& logger;
        telemetry::Registry& metrics;
        const Admission& admission;
        telemetry::Recorder* recorder = nullptr;  // of spans; null: they are not recorded
    };

    Pipeline(Router router, PipelineOptions options, Deps deps);

    std::size_t body_bytes_max(const Request& head) const override;
    bool streams_body(const Request& head) const override;
    Task<std::unique_ptr<Stream>> respond(const Request& request, bool close, std::string& out) override;
    void refuse(const Request& head, const Error& error, std::string& out) override;

    const Router& router() const { return router_; }

    telemetry::RouteWindows& windows() { return windows_; }

private:
    CurrentSpan identify(RequestContext& ctx);
    Task<Reply> serve(RequestContext& ctx);
    Task<Reply> run(RequestContext& ctx, Match match);
    Task<Reply> dispatch(RequestContext& ctx, Match match);
    Task<Reply> recover(RequestContext& ctx);
    void finish(RequestContext& ctx, const Reply& reply, bool close, std::string& out);
    void log(const RequestContext& ctx, const Outcome& outcome);
    void append_cors(const Request& request, std::string& out) const;
    bool allowed_origin(std::string_view origin) const;
    void count_validation(const Request& request) const;

    Router router_;
    PipelineOptions options_;
    Clock& clock_;
    telemetry::Logger& logger_;
    const Admission& admission_;
    RequestIds request_ids_;
    ServerMetrics metrics_;
    telemetry::RouteWindows windows_;  // a route for each endpoint, and one for what is none
    LoadLimits load_;
    std::optional<telemetry::Tracer> tracer_;
};

}  // namespace kit::http
