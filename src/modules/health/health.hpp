// Is the process alive; is it ready for traffic.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/core/task.hpp"
#include "platform/telemetry/metrics.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace kit::http {
struct Route;
}  // namespace kit::http

namespace kit::health {

// A dependency. `probe` returns once it has answered and throws where it does not.
struct Check {
    std::string name;
    std::function<Task<void>()> probe;
};

struct CheckResult {
    std::string name;
    bool healthy = false;
    std::optional<std::string> error;  // a fixed text, never a driver's
};

struct Readiness {
    bool ready = false;
    std::vector<CheckResult> checks;
};

struct Settings {
    std::chrono::milliseconds probe_timeout{1'000};  // for each check
    std::chrono::milliseconds start_grace{0};        // after the start of listening; not ready until then
};

// Thread-safe.
class Service {
public:
    Service(std::vector<Check> checks, Clock& clock, telemetry::Registry& metrics, Settings settings);

    // All checks, one after the other, even if one fails. While starting or stopping no dependency is asked.
    Task<Readiness> readiness();

    // The listener stands: the start grace runs from here.
    void listening();

    // The process has been told to end: never ready again.
    void stopping() { stopping_.store(true); }

private:
    Task<CheckResult> run(const Check& check);
    void count(const CheckResult& result, double seconds) const;

    std::vector<Check> checks_;
    Clock& clock_;
    Settings settings_;
    std::atomic<SteadyTime::rep> grace_ends_;
    std::atomic<bool> stopping_{false};
    telemetry::Counter results_;
    telemetry::Histogram duration_;
};

std::vector<http::Route> routes(Service& service);

}  // namespace kit::health
