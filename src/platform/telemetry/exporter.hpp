// Sends what the process records to an OpenTelemetry collector, on a thread of its own. A collector that is
// gone, slow or refuses costs a request nothing: what waits is bounded, and what is lost is counted.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/telemetry/logger.hpp"
#include "platform/telemetry/metrics.hpp"
#include "platform/telemetry/record_buffer.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace kit::telemetry {

// The collector, as OTEL_EXPORTER_OTLP_* name it.
struct ExportTarget {
    enum class Protocol : std::uint8_t { by_port, grpc, http_protobuf };

    std::string endpoint;  // host:port, or http(s)://host[:port][/path]
    Protocol protocol = Protocol::by_port;
    bool insecure = true;  // without a scheme: no TLS
    bool gzip = false;
    std::vector<std::pair<std::string, std::string>> headers{};
    std::string ca_file{};
    std::string client_certificate_file{};
    std::string client_key_file{};
};

// "k=v,k=v" with percent-encoded values, as OTEL_EXPORTER_OTLP_HEADERS and OTEL_RESOURCE_ATTRIBUTES have it.
// What is no pair is left out.
std::vector<std::pair<std::string, std::string>> parse_pairs(std::string_view text);

// Wakes the exporter when a buffer has a whole batch. Made before the buffers, which ring it. Thread-safe.
class ExportBell {
public:
    void ring();

    // True where it rang since the last time, or rings before `limit` has passed.
    bool wait_for(std::chrono::steady_clock::duration limit);

private:
    std::mutex mutex_;
    std::condition_variable rung_;
    bool ringing_ = false;
};

class Exporter {
public:
    static constexpr std::string_view scope_name = "everything-backend-starter-kit";
    static constexpr std::size_t batch_bytes_max = 2UL * 1024 * 1024;

    struct Options {
        ExportTarget target;
        std::vector<std::pair<std::string, std::string>> resource{};
        std::chrono::milliseconds time_max{10'000};     // for one export
        std::chrono::milliseconds record_delay{5'000};  // between two exports of spans or log lines
        std::chrono::milliseconds metrics_interval{10'000};
        std::size_t batch_records_max = 512;
        std::chrono::milliseconds retry_delay_min{1'000};  // doubled with each failure
        std::chrono::milliseconds retry_delay_max{30'000};
        std::chrono::milliseconds retry_time_max{60'000};  // a batch that is older is given up
    };

    // What is exported; null: that signal is not.
    struct Sources {
        RecordBuffer* spans = nullptr;
        RecordBuffer* logs = nullptr;
        const Registry* metrics = nullptr;
    };

    struct Environment {
        Clock& clock;
        Random& random;
        Logger& logger;
        Registry& metrics;  // where it counts its own losses
        ExportBell& bell;
    };

    Exporter(Options options, Sources sources, Environment environment);
    Exporter(const Exporter&) = delete;
    Exporter& operator=(const Exporter&) = delete;
    ~Exporter();  // as stop(0)

    // Sends what waits, for at most `time_max`, and ends the thread. Idempotent.
    void stop(std::chrono::milliseconds time_max);

private:
    class Loop;

    std::unique_ptr<Loop> loop_;
};

}  // namespace kit::telemetry
