// What operators' tools read, on a listener of its own that the public never reaches.
#pragma once

#include "platform/http/server.hpp"
#include "platform/telemetry/metrics.hpp"

#include <memory>
#include <string>

namespace kit::app {

// GET /metrics: Prometheus text, or OpenMetrics where asked for. Thread-safe.
class Admin final : public http::Application {
public:
    explicit Admin(const telemetry::Registry& metrics) : metrics_(metrics) {}

    std::size_t body_bytes_max(const http::Request& head) const override;
    Task<std::unique_ptr<http::Stream>> respond(const http::Request& request, bool close, std::string& out)
        override;
    void refuse(const http::Request& head, const Error& error, std::string& out) override;

private:
    const telemetry::Registry& metrics_;
};

}  // namespace kit::app
