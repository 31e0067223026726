// The load limits of all workers.
#pragma once

#include "platform/http/load_limit.hpp"
#include "platform/telemetry/metrics.hpp"

#include <memory>
#include <vector>

namespace kit::http {

class LoadLimits {
public:
    LoadLimits(std::size_t workers, LoadLimitOptions options, Clock& clock, telemetry::Registry& metrics);

    // One request's way through the limit of its worker: if admitted, it runs for as long as this lives.
    class Request {
    public:
        Request(const LoadLimits& limits, const Route& route);
        Request(const Request&) = delete;
        Request& operator=(const Request&) = delete;
        ~Request();

        bool is_admitted() const { return admitted_; }

        // It ended by itself: the time that it took is the time that its route takes.
        void answered() { answered_ = true; }

    private:
        const LoadLimits& limits_;
        const Route& route_;
        LoadLimit* limit_;  // null: nothing limits it
        SteadyTime began_;
        bool admitted_ = true;
        bool answered_ = false;
    };

private:
    LoadLimit* limit_of(const Route& route) const;

    Clock& clock_;
    std::vector<std::unique_ptr<LoadLimit>> limits_;
    telemetry::Counter shed_;
    telemetry::Registry::Observation observed_limit_;
};

}  // namespace kit::http
