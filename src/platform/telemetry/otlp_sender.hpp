// One export to a collector: HTTP/protobuf or unary gRPC. Of this folder only.
#pragma once

#include "platform/outbound/http_client.hpp"
#include "platform/telemetry/exporter.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

namespace kit::telemetry::otlp {

enum class Signal : std::uint8_t { traces, metrics, logs };

std::string_view to_string(Signal signal);

// What became of it. A cancelled one counts as to be tried again.
struct SendResult {
    enum class Kind : std::uint8_t { accepted, try_again, refused };

    Kind kind = Kind::accepted;
    std::int64_t rejected = 0;                               // of those in an accepted request
    std::optional<std::chrono::milliseconds> retry_after{};  // the collector's own wish
    std::string reason{};                                    // for the log
};

// What the specification lets a client try again; everything else is refused.
SendResult judge_http(const outbound::HttpResponse& response);
SendResult judge_grpc(const outbound::HttpResponse& response);

// Where a signal goes; empty where `endpoint` is none.
std::string signal_url(const ExportTarget& target, Signal signal);
bool speaks_grpc(const ExportTarget& target);

class Sender {
public:
    explicit Sender(ExportTarget target) : target_(std::move(target)), grpc_(speaks_grpc(target_)) {}

    // `request` is an Export…ServiceRequest. Blocks. Throws Unavailable where libcurl is missing.
    SendResult send(
        Signal signal, std::string request, std::chrono::milliseconds time_max, const std::stop_token& stop
    );

private:
    outbound::HttpRequest prepare(Signal signal, std::string request) const;

    ExportTarget target_;
    bool grpc_;
    outbound::HttpClient client_{{.connections_max = 2, .calls_max = 2}};
};

}  // namespace kit::telemetry::otlp
