// Spans, metrics and log lines on their way to a collector, over both protocols, and collectors that
// misbehave.
#include "support/certificate.hpp"
#include "support/json.hpp"
#include "support/otlp_collector.hpp"
#include "support/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

using namespace kit::test;
using testing::AllOf;
using testing::AnyOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Key;
using testing::Not;
using testing::Pair;

namespace {

using Mood = OtlpCollector::Mood;
using Taken = OtlpCollector::Taken;

constexpr const char* trace_id = "0af7651916cd43dd8448eb211c80319c";

Environment exporting(const std::string& endpoint, const Environment& more = {})
{
    Environment settings = more;
    settings.merge(Environment{
        {"OTEL_EXPORTER_OTLP_ENDPOINT", endpoint},
        {"OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"},
        {"OTEL_METRICS_ENABLED", "true"},
        {"OTEL_TRACING_ENABLED", "true"},
        {"OTEL_LOGS_ENABLED", "true"},
        {"OTEL_BSP_SCHEDULE_DELAY", "20"},
        {"OTEL_METRICS_EXPORT_INTERVAL", "50ms"},
    });
    return settings;
}

HttpResponse get_traced(Server& server)
{
    return server.client().send(
        {.target = "/health/live",
         .headers = {{"traceparent", std::string("00-") + trace_id + "-b7ad6b7169203331-01"}}}
    );
}

const OtlpSpan* find_span(const Taken& taken)
{
    const auto found = std::ranges::find(taken.spans, trace_id, &OtlpSpan::trace_id);
    return found == taken.spans.end() ? nullptr : &*found;
}

const OtlpLogLine* find_line(const Taken& taken)
{
    const auto found = std::ranges::find_if(taken.lines, [](const OtlpLogLine& line) {
        return line.trace_id == trace_id && line.body == "http.request";
    });
    return found == taken.lines.end() ? nullptr : &*found;
}

const OtlpMetric* find_metric(const Taken& taken, std::string_view name)
{
    const auto last =
        std::ranges::find(taken.metrics.rbegin(), taken.metrics.rend(), name, &OtlpMetric::name);
    return last == taken.metrics.rend() ? nullptr : &*last;
}

const OtlpExemplar* find_exemplar(const Taken& taken)
{
    const auto* const metric = find_metric(taken, "http.server.request.duration");
    if (metric == nullptr) {
        return nullptr;
    }
    for (const auto& point : metric->points) {
        for (const auto& exemplar : point.exemplars) {
            if (exemplar.trace_id == trace_id) {
                return &exemplar;
            }
        }
    }
    return nullptr;
}

bool has_all_signals(const Taken& taken)
{
    return find_span(taken) != nullptr && find_line(taken) != nullptr && find_exemplar(taken) != nullptr;
}

struct Way {
    const char* name;
    const char* protocol;
    const char* compression;
};

class Export : public testing::TestWithParam<Way> {
protected:
    OtlpCollector collector;
    Installation installation{
        Engine::sqlite,
        exporting(
            collector.endpoint(),
            {{"OTEL_EXPORTER_OTLP_PROTOCOL", GetParam().protocol},
             {"OTEL_EXPORTER_OTLP_COMPRESSION", GetParam().compression},
             {"OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=s3cret%2Cvalue, x-tenant=a"},
             {"OTEL_SERVICE_NAME", "shop"},
             {"OTEL_ENVIRONMENT", "blue"},
             {"OTEL_RESOURCE_ATTRIBUTES", "team=payments,host.name=box,service.name=ignored"}}
        )
    };
};

INSTANTIATE_TEST_SUITE_P(
    Ways,
    Export,
    testing::Values(
        Way{"http", "http/protobuf", "none"},
        Way{"http_gzip", "http/protobuf", "gzip"},
        Way{"grpc", "grpc", "none"},
        Way{"grpc_gzip", "grpc", "gzip"}
    ),
    [](const auto& info) { return info.param.name; }
);

TEST_P(Export, FromAnExemplarToTheTraceToTheLogLine)
{
    auto server = installation.start();
    EXPECT_EQ(get_traced(server).status, 200);
    ASSERT_TRUE(collector.wait_until(has_all_signals)) << server.process().output();
    const auto taken = collector.taken();
    const auto* const exemplar = find_exemplar(taken);
    const auto* const span = find_span(taken);
    const auto* const line = find_line(taken);
    EXPECT_EQ(exemplar->span_id, span->span_id);
    EXPECT_EQ(line->span_id, span->span_id);
    EXPECT_EQ(span->parent_span_id, "b7ad6b7169203331");
    EXPECT_EQ(span->kind, 2);
    EXPECT_GT(span->end_time, span->start_time);
    EXPECT_EQ(line->severity_number, 9);
    EXPECT_EQ(line->severity_text, "INFO");
    EXPECT_THAT(line->attributes, Contains(Pair("status", "200")));
    EXPECT_EQ(server.stop(), 0);
}

TEST_P(Export, NamesTheProcessAndTheSender)
{
    auto server = installation.start();
    get_traced(server);
    ASSERT_TRUE(collector.wait_until(has_all_signals));
    const auto taken = collector.taken();
    EXPECT_EQ(taken.scope, "everything-backend-starter-kit");
    EXPECT_THAT(
        taken.resource,
        IsSupersetOf(OtlpAttributes{
            {"service.name", "shop"},
            {"deployment.environment", "blue"},
            {"deployment.environment.name", "blue"},
            {"telemetry.sdk.language", "cpp"},
            {"host.name", "box"},
            {"team", "payments"},
        })
    );
    EXPECT_EQ(taken.resource.at("service.instance.id").size(), 36U);
    EXPECT_FALSE(taken.resource.at("service.version").empty());
    for (const auto& request : taken.requests) {
        EXPECT_THAT(request.headers, Contains(Pair("x-api-key", "s3cret,value")));
        EXPECT_THAT(request.headers, Contains(Pair("x-tenant", "a")));
    }
    EXPECT_THAT(server.process().output(), Not(HasSubstr("s3cret")));
}

TEST_P(Export, MetricsAreCumulativeSinceTheStart)
{
    auto server = installation.start();
    get_traced(server);
    ASSERT_TRUE(collector.wait_until(has_all_signals));
    const auto taken = collector.taken();
    const auto* const duration = find_metric(taken, "http.server.request.duration");
    EXPECT_EQ(duration->kind, OtlpMetric::Kind::histogram);
    EXPECT_EQ(duration->unit, "s");
    EXPECT_EQ(duration->temporality, 2);
    const auto& point = duration->points.at(0);
    EXPECT_EQ(point.buckets.size(), point.bounds.size() + 1);
    EXPECT_LT(point.start_time, point.time);
    EXPECT_THAT(point.attributes, Contains(Pair("http.route", "/health/live")));
    const auto* const active = find_metric(taken, "http.server.active_requests");
    EXPECT_EQ(active->kind, OtlpMetric::Kind::sum);
    EXPECT_FALSE(active->monotonic);
    const auto* const started = find_metric(taken, "database.startup.events");
    EXPECT_TRUE(started->monotonic);
    EXPECT_TRUE(started->points.at(0).is_integer);
    EXPECT_EQ(started->points.at(0).number, 1);
    EXPECT_EQ(find_metric(taken, "pool.queue.length")->kind, OtlpMetric::Kind::gauge);
}

TEST_P(Export, WhatWaitsIsSentAtTheEnd)
{
    installation.set("OTEL_BSP_SCHEDULE_DELAY", "600000");
    installation.set("OTEL_METRICS_EXPORT_INTERVAL", "1h");
    auto server = installation.start();
    get_traced(server);
    EXPECT_EQ(collector.requests(), 0U);
    EXPECT_EQ(server.stop(), 0);
    const auto taken = collector.taken();
    ASSERT_TRUE(has_all_signals(taken));
    EXPECT_EQ(taken.lines.back().body, "server stopped");
}

TEST_P(Export, ALimitedCollectorGetsAllLater)
{
    collector.set_mood(Mood::limited);
    auto server = installation.start();
    get_traced(server);
    ASSERT_TRUE(server.process().wait_for_line("otel export failed"));
    EXPECT_TRUE(collector.taken().spans.empty());
    collector.set_mood(Mood::healthy);
    EXPECT_TRUE(collector.wait_until(has_all_signals));
    EXPECT_TRUE(server.process().wait_for_line("otel export recovered"));
}

std::uint16_t admin_port(Server& server)
{
    const auto line = server.process().wait_for_line("admin server starting").value();
    const auto address = std::string(text_at(parse_json(line), "/addr"));
    return static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
}

struct Fault {
    const char* name;
    std::optional<Mood> mood;  // nothing: nobody listens
    const char* protocol;
};

class CollectorFault : public testing::TestWithParam<Fault> {
protected:
    CollectorFault()
    {
        if (GetParam().mood) {
            collector.set_mood(*GetParam().mood);
        }
        installation.set(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            GetParam().mood ? collector.endpoint() : "127.0.0.1:" + std::to_string(unused_port())
        );
        installation.set("OTEL_EXPORTER_OTLP_PROTOCOL", GetParam().protocol);
    }

    static std::chrono::milliseconds time_of_stop(Server& server)
    {
        const auto begin = std::chrono::steady_clock::now();
        EXPECT_EQ(server.stop(), 0);
        return std::chrono::duration_cast<std::chrono::milliseconds>(
            std::chrono::steady_clock::now() - begin
        );
    }

    OtlpCollector collector;
    Installation installation{
        Engine::sqlite,
        exporting(
            "",
            {{"ADMIN_HTTP_ADDR", "127.0.0.1:0"},
             {"OTEL_BSP_MAX_QUEUE_SIZE", "10"},
             {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5"}}
        )
    };
};

INSTANTIATE_TEST_SUITE_P(
    Faults,
    CollectorFault,
    testing::Values(
        Fault{"gone", std::nullopt, "http/protobuf"},
        Fault{"gone_grpc", std::nullopt, "grpc"},
        Fault{"silent", Mood::silent, "http/protobuf"},
        Fault{"silent_grpc", Mood::silent, "grpc"},
        Fault{"slow", Mood::slow, "http/protobuf"},
        Fault{"limited", Mood::limited, "http/protobuf"},
        Fault{"limited_grpc", Mood::limited, "grpc"},
        Fault{"refusing", Mood::refusing, "http/protobuf"},
        Fault{"refusing_grpc", Mood::refusing, "grpc"}
    ),
    [](const auto& info) { return info.param.name; }
);

TEST_P(CollectorFault, CostsCountedRecordsAndNothingElse)
{
    auto server = installation.start();
    HttpClient admin(kit::test::Endpoint{.port = admin_port(server)});
    auto client = server.client();
    const auto lost = std::string("telemetry_export_dropped_total{signal=\"traces\",reason=\"") +
                      (GetParam().mood == Mood::refusing ? "refused" : "buffer_full") + "\"}";
    std::string page;
    EXPECT_TRUE(eventually([&] {
        for (int request = 0; request < 20; ++request) {
            EXPECT_EQ(client.get("/health/live").status, 200);
        }
        page = admin.get("/metrics").body;
        return page.contains(lost) && !page.contains(lost + " 0\n");
    })) << page;
    // A healthy end takes some tenths of a second.
    EXPECT_LT(time_of_stop(server), std::chrono::milliseconds(2'500));
}

// What terminates TLS before the collector.
class TlsRelay {
public:
    TlsRelay(const Certificate& certificate, std::uint16_t collector_port)
        : process_(
              {.command =
                   {"/usr/bin/python3",
                    "test/support/tls_relay.py",
                    certificate.certificate.string(),
                    certificate.key.string(),
                    std::to_string(collector_port)}}
          ),
          port_(process_.wait_for_line("port ").value_or("port ?").substr(5))
    {
    }

    std::string url() const { return "https://127.0.0.1:" + port_; }

private:
    Process process_;
    std::string port_;
};

class ExportOverTls : public testing::TestWithParam<const char*> {
protected:
    OtlpCollector collector;
    TempDir folder;
    Certificate certificate = make_certificate(folder.path(), "IP:127.0.0.1");
    TlsRelay relay{certificate, collector.port()};
    Installation installation{
        Engine::sqlite, exporting(relay.url(), {{"OTEL_EXPORTER_OTLP_PROTOCOL", GetParam()}})
    };
};

INSTANTIATE_TEST_SUITE_P(
    Protocols,
    ExportOverTls,
    testing::Values("http/protobuf", "grpc"),
    [](const auto& info) { return std::string(info.param).substr(0, 4); }
);

TEST_P(ExportOverTls, TrustsTheAuthorityThatItIsGiven)
{
    installation.set("OTEL_EXPORTER_OTLP_CERTIFICATE", certificate.certificate.string());
    auto server = installation.start();
    get_traced(server);
    EXPECT_TRUE(collector.wait_until(has_all_signals)) << server.process().output();
    EXPECT_EQ(server.stop(), 0);
}

TEST_P(ExportOverTls, SendsNothingToACollectorThatItCannotTrust)
{
    auto server = installation.start();
    get_traced(server);
    EXPECT_TRUE(server.process().wait_for_line("otel export failed")) << server.process().output();
    EXPECT_EQ(server.stop(), 0);
    EXPECT_EQ(collector.requests(), 0U);
}

std::string memory_map(const Process& process)
{
    std::ifstream file("/proc/" + std::to_string(process.pid()) + "/maps");
    return {std::istreambuf_iterator<char>(file), {}};
}

TEST(ExportOff, WithoutACollectorNothingIsLoaded)
{
    Installation installation(Engine::sqlite, exporting("127.0.0.1:1"));
    installation.set("OTEL_EXPORTER_OTLP_ENDPOINT", "");
    auto server = installation.start();
    const auto output = server.process().output();
    EXPECT_THAT(
        output,
        AllOf(
            HasSubstr("otel logs disabled"),
            HasSubstr("otel metrics disabled"),
            HasSubstr("otel tracing disabled")
        )
    );
    EXPECT_EQ(get_traced(server).status, 200);
    EXPECT_THAT(memory_map(server.process()), Not(HasSubstr("libcurl")));
    EXPECT_EQ(server.stop(), 0);
}

TEST(ExportOff, EachSignalHasItsSwitch)
{
    const OtlpCollector collector;
    const Installation installation(
        Engine::sqlite, exporting(collector.endpoint(), {{"OTEL_TRACING_ENABLED", "false"}})
    );
    auto server = installation.start();
    const auto output = server.process().output();
    EXPECT_THAT(output, HasSubstr(R"("msg":"otel logs initialized","endpoint":"127.0.0.1:)"));
    EXPECT_THAT(output, HasSubstr("otel metrics initialized"));
    EXPECT_THAT(output, HasSubstr("otel tracing disabled"));
    get_traced(server);
    EXPECT_TRUE(collector.wait_until([](const Taken& taken) {
        return !taken.metrics.empty() && !taken.lines.empty();
    }));
    EXPECT_EQ(server.stop(), 0);
    EXPECT_TRUE(collector.taken().spans.empty());
}

}  // namespace
