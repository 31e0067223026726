// The HTTP server's metrics: OpenTelemetry's semantic conventions for HTTP, and the contract's for the global
// chain.
#pragma once

#include "platform/http/outcome.hpp"
#include "platform/http/types.hpp"
#include "platform/telemetry/metrics.hpp"

#include <array>
#include <memory>
#include <string_view>

namespace kit::http {

class ServerMetrics {
public:
    // `workers`: of the process; each remembers the series that it records.
    ServerMetrics(telemetry::Registry& registry, std::size_t workers);

    // Counts a request as active for as long as it lives.
    class Active {
    public:
        Active(const ServerMetrics& metrics, const Request& request) : metrics_(metrics), request_(request)
        {
            metrics_.count_active(request_, 1);
        }

        Active(const Active&) = delete;
        Active& operator=(const Active&) = delete;

        ~Active() { metrics_.count_active(request_, -1); }

    private:
        const ServerMetrics& metrics_;
        const Request& request_;
    };

    // A request that has been answered. Its route is named by the table's pattern, never by its path.
    void answered(const RequestContext& ctx, const Outcome& outcome) const;

    // What a middleware of the global chain found.
    void validated(std::string_view middleware, std::string_view outcome) const;

private:
    // What the attributes are made of, and their series.
    struct Recent {
        const Route* route = nullptr;
        Method method = Method::other;
        bool http_1_0 = false;
        int status = 0;
        telemetry::Histogram::Bound duration;
        telemetry::Histogram::Bound request_bytes;
        telemetry::Histogram::Bound response_bytes;
    };

    static constexpr std::size_t recent_max = 64;

    static constexpr std::size_t methods = static_cast<std::size_t>(Method::other) + 1;

    // Of one worker, which alone touches it.
    struct Remembered {
        std::array<Recent, recent_max> recent;
        std::array<telemetry::Counter::Bound, methods> active;
    };

    void count_active(const Request& request, int change) const;
    Recent find(const RequestContext& ctx, int status) const;
    Recent series_of(const RequestContext& ctx, int status) const;

    telemetry::Counter active_;
    telemetry::Histogram duration_;
    telemetry::Histogram request_bytes_;
    telemetry::Histogram response_bytes_;
    telemetry::Counter validations_;
    std::unique_ptr<Remembered[]> remembered_;  // one for each worker
    std::size_t workers_;
};

}  // namespace kit::http
