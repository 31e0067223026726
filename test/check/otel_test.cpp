// The real collector takes what we send: KIT_OTELCOL names one with an OTLP receiver and a debug exporter.
#include "support/server.hpp"
#include "support/stub_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace kit::test {
namespace {

constexpr const char* trace_id = "0af7651916cd43dd8448eb211c80319c";

class Collector {
public:
    explicit Collector(const std::string& program)
        : grpc_port_(unused_port()),
          http_port_(unused_port()),
          process_({.command = {program, "--config", write_settings()}})
    {
        if (!process_.wait_for_line("Everything is ready")) {
            throw std::runtime_error("the collector did not start: " + process_.errors());
        }
    }

    std::string endpoint(bool grpc) const
    {
        return "127.0.0.1:" + std::to_string(grpc ? grpc_port_ : http_port_);
    }

    const Process& process() const { return process_; }

private:
    std::string write_settings() const
    {
        const auto file = folder_.path() / "collector.yaml";
        const std::string pipeline = "{receivers: [otlp], exporters: [debug]}";
        std::ofstream(file) << "receivers: {otlp: {protocols: {grpc: {endpoint: '" << endpoint(true)
                            << "'}, http: {endpoint: '" << endpoint(false)
                            << "'}}}}\nexporters: {debug: {verbosity: detailed}}\n"
                            << "service: {telemetry: {metrics: {level: none}}, pipelines: {traces: "
                            << pipeline << ", metrics: " << pipeline << ", logs: " << pipeline << "}}\n";
        return file;
    }

    TempDir folder_;
    std::uint16_t grpc_port_;
    std::uint16_t http_port_;
    Process process_;
};

struct Way {
    const char* name;
    const char* protocol;
    const char* compression;
};

class RealCollector : public testing::TestWithParam<Way> {};

TEST_P(RealCollector, TakesAllThreeSignals)
{
    const auto* const program = std::getenv("KIT_OTELCOL");
    if (program == nullptr) {
        GTEST_SKIP() << "./dev check otel builds the collector and runs this";
    }
    const Collector collector(program);
    const auto& way = GetParam();
    const Installation installation(
        Engine::sqlite,
        {{"OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint(std::string_view(way.protocol) == "grpc")},
         {"OTEL_EXPORTER_OTLP_PROTOCOL", way.protocol},
         {"OTEL_EXPORTER_OTLP_COMPRESSION", way.compression},
         {"OTEL_METRICS_ENABLED", "true"},
         {"OTEL_TRACING_ENABLED", "true"},
         {"OTEL_LOGS_ENABLED", "true"},
         {"OTEL_BSP_SCHEDULE_DELAY", "20"},
         {"OTEL_METRICS_EXPORT_INTERVAL", "50ms"}}
    );
    auto server = installation.start();
    server.client().send(
        {.target = "/health/live",
         .headers = {{"traceparent", std::string("00-") + trace_id + "-b7ad6b7169203331-01"}}}
    );
    const auto shows = [&](std::string_view part) {
        return collector.process().wait_for_line(part).has_value();
    };
    EXPECT_TRUE(shows(std::string("Trace ID       : ") + trace_id));
    EXPECT_TRUE(shows("Body: Str(http.request)"));
    EXPECT_TRUE(shows("-> Name: http.server.request.duration"));
    EXPECT_TRUE(shows("-> service.name: Str(everything-backend-starter-kit)"));
    EXPECT_EQ(server.stop(), 0);
    EXPECT_THAT(server.process().output(), testing::Not(testing::HasSubstr("otel export failed")));
}

INSTANTIATE_TEST_SUITE_P(
    Ways,
    RealCollector,
    testing::Values(
        Way{"http", "http/protobuf", "none"},
        Way{"http_gzip", "http/protobuf", "gzip"},
        Way{"grpc", "grpc", "none"},
        Way{"grpc_gzip", "grpc", "gzip"}
    ),
    [](const auto& info) { return info.param.name; }
);

}  // namespace
}  // namespace kit::test
