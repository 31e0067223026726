// What operators' tools read, on a listener of its own that the public never reaches.
#pragma once

#include "app/telemetry_views.hpp"
#include "platform/core/blocking_pool.hpp"
#include "platform/http/server.hpp"
#include "platform/telemetry/metrics.hpp"

#include <memory>
#include <string>

namespace kit::app {

// GET /metrics: Prometheus text, or OpenMetrics where asked for. GET / lists the views of
// telemetry_views.hpp, as JSON. Thread-safe.
class Admin final : public http::Application {
public:
    // Views are made on a thread of their own: they read some megabytes, which no request should wait for.
    static constexpr std::size_t views_waiting_max = 8;

    Admin(const telemetry::Registry& metrics, TelemetryViews::Sources sources)
        : metrics_(metrics),
          views_(sources),
          pool_({.name = "admin", .threads_max = 1, .queue_max = views_waiting_max})
    {
    }

    std::size_t body_bytes_max(const http::Request& head) const override;
    Task<std::unique_ptr<http::Stream>> respond(const http::Request& request, bool close, std::string& out)
        override;
    void refuse(const http::Request& head, const Error& error, std::string& out) override;

private:
    Task<Result<std::string>> view(std::string path, std::string query);

    const telemetry::Registry& metrics_;
    TelemetryViews views_;
    BlockingPool pool_;
};

}  // namespace kit::app
