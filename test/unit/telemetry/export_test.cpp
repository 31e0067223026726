// What an exporter sends, and what it makes of the answers.
#include "platform/telemetry/otlp_export.hpp"
#include "platform/telemetry/otlp_sender.hpp"
#include "support/otlp_decode.hpp"

#include <protozero/pbf_writer.hpp>

namespace kit::telemetry::otlp {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using Kind = SendResult::Kind;

outbound::HttpResponse answer(int status, std::vector<std::pair<std::string, std::string>> headers = {})
{
    return {.status = status, .headers = std::move(headers), .body = {}};
}

TEST(OtlpAnswers, OfHttpThatMayBeTriedAgain)
{
    for (const int status : {429, 502, 503, 504}) {
        EXPECT_EQ(judge_http(answer(status)).kind, Kind::try_again) << status;
    }
    for (const int status : {301, 400, 401, 403, 404, 413, 500, 501}) {
        EXPECT_EQ(judge_http(answer(status)).kind, Kind::refused) << status;
    }
    EXPECT_EQ(judge_http(answer(200)).kind, Kind::accepted);
}

TEST(OtlpAnswers, RetryAfterIsTakenWithinReason)
{
    EXPECT_EQ(judge_http(answer(429, {{"retry-after", "3"}})).retry_after, milliseconds(3'000));
    EXPECT_EQ(judge_http(answer(503, {{"retry-after", "86400"}})).retry_after, milliseconds(60'000));
    EXPECT_EQ(judge_http(answer(429, {{"retry-after", "-1"}})).retry_after, std::nullopt);
    EXPECT_EQ(
        judge_http(answer(429, {{"retry-after", "Fri, 31 Dec 1999 23:59:59 GMT"}})).retry_after, std::nullopt
    );
}

TEST(OtlpAnswers, OfGrpcThatMayBeTriedAgain)
{
    for (const int status : {1, 4, 10, 11, 14, 15}) {
        EXPECT_EQ(judge_grpc(answer(200, {{"grpc-status", std::to_string(status)}})).kind, Kind::try_again);
    }
    for (const int status : {2, 3, 5, 6, 7, 8, 9, 12, 13, 16}) {
        EXPECT_EQ(judge_grpc(answer(200, {{"grpc-status", std::to_string(status)}})).kind, Kind::refused);
    }
    EXPECT_EQ(judge_grpc(answer(200, {{"grpc-status", "0"}})).kind, Kind::accepted);
    EXPECT_EQ(judge_grpc(answer(200)).kind, Kind::refused) << "no gRPC server";
    EXPECT_EQ(judge_grpc(answer(503)).kind, Kind::try_again);
}

TEST(OtlpAnswers, AnExhaustedGrpcServerIsTriedAgainOnlyWhenItSaysWhen)
{
    // google.rpc.Status{code 8, details {RetryInfo{retry_delay{seconds 2, nanos 500000000}}}}, base64
    std::string duration;
    protozero::pbf_writer duration_writer(duration);
    duration_writer.add_int64(1, 2);
    duration_writer.add_int32(2, 500'000'000);
    std::string info;
    protozero::pbf_writer(info).add_message(1, duration);
    std::string any;
    protozero::pbf_writer any_writer(any);
    any_writer.add_string(1, "type.googleapis.com/google.rpc.RetryInfo");
    any_writer.add_bytes(2, info);
    std::string status;
    protozero::pbf_writer status_writer(status);
    status_writer.add_int32(1, 8);
    status_writer.add_message(3, any);
    EXPECT_EQ(retry_delay(status), milliseconds(2'500));
    EXPECT_EQ(retry_delay(""), std::nullopt);
    EXPECT_EQ(retry_delay("\x1a\xff"), std::nullopt);
    const auto details =
        "CAgaMAoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIECgIIAg";  // two seconds
    const auto judged = judge_grpc(answer(200, {{"grpc-status", "8"}, {"grpc-status-details-bin", details}}));
    EXPECT_EQ(judged.kind, Kind::try_again);
    EXPECT_EQ(judged.retry_after, milliseconds(2'000));
}

TEST(OtlpAnswers, PartialSuccessIsCounted)
{
    std::string partial;
    protozero::pbf_writer partial_writer(partial);
    partial_writer.add_int64(1, 7);
    partial_writer.add_string(2, "too old");
    std::string response;
    protozero::pbf_writer(response).add_message(1, partial);
    EXPECT_EQ(rejected_records(response), 7);
    EXPECT_EQ(rejected_records(""), 0);
    EXPECT_EQ(rejected_records("\x0a\xff"), 0);
}

TEST(OtlpTarget, UrlsBySignalAndProtocol)
{
    using Protocol = ExportTarget::Protocol;
    EXPECT_EQ(signal_url({.endpoint = "a:4318"}, Signal::traces), "http://a:4318/v1/traces");
    EXPECT_EQ(signal_url({.endpoint = "a:4318", .insecure = false}, Signal::logs), "https://a:4318/v1/logs");
    EXPECT_EQ(signal_url({.endpoint = "https://a/otlp/"}, Signal::metrics), "https://a/otlp/v1/metrics");
    EXPECT_EQ(
        signal_url({.endpoint = "a:4317"}, Signal::traces),
        "http://a:4317/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    );
    EXPECT_EQ(
        signal_url({.endpoint = "http://[::1]:9", .protocol = Protocol::grpc}, Signal::metrics),
        "http://[::1]:9/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
    );
    EXPECT_FALSE(speaks_grpc({.endpoint = "a:4317", .protocol = Protocol::http_protobuf}));
    EXPECT_FALSE(speaks_grpc({.endpoint = "https://a"}));
}

TEST(OtlpTarget, PairsOfHeadersAndResources)
{
    EXPECT_THAT(
        parse_pairs("a=1, b = two%20words ,c=x=y,,=z,bare,d="),
        ElementsAre(Pair("a", "1"), Pair("b", "two words"), Pair("c", "x=y"), Pair("d", ""))
    );
    EXPECT_THAT(parse_pairs(""), IsEmpty());
}

constexpr Instrument requests{
    .name = "requests", .unit = "{request}", .description = "All.", .attributes = {"route", "status"}
};
constexpr Instrument wait_time{
    .name = "wait",
    .kind = InstrumentKind::histogram,
    .unit = "s",
    .description = "",
    .bounds = buckets::seconds
};
constexpr Instrument level{.name = "level", .kind = InstrumentKind::gauge, .description = ""};

TEST(OtlpMetrics, HoldWhatTheRegistryHas)
{
    Registry registry({.workers = 1});
    const Counter counter(registry, requests);
    counter.add({"/a", ""}, 3);
    const Histogram histogram(registry, wait_time);
    const SpanContext span{.trace_high = 0x0123456789abcdef, .trace_low = 2, .span_id = 3, .flags = 1};
    histogram.record(0.006, {}, span, Timestamp(std::chrono::seconds(100)));
    histogram.record(99, {});
    const auto observation = registry.observe(level, {}, [] { return 0.5; });
    const auto framed = encode_metrics(
        registry.collect(), Timestamp(std::chrono::seconds(1)), Timestamp(std::chrono::seconds(2))
    );
    const auto all = test::decode_otlp("/v1/metrics", export_request("", "scope", framed));
    EXPECT_EQ(all.scope, "scope");
    ASSERT_EQ(all.metrics.size(), 3U);
    const auto& gauge = all.metrics[0];
    EXPECT_EQ(gauge.kind, test::OtlpMetric::Kind::gauge);
    EXPECT_EQ(gauge.points.at(0).number, 0.5);
    const auto& sum = all.metrics[1];
    EXPECT_EQ(sum.unit, "{request}");
    EXPECT_EQ(sum.description, "All.");
    EXPECT_EQ(sum.temporality, 2);
    EXPECT_TRUE(sum.monotonic);
    EXPECT_EQ(sum.points.at(0).number, 3);
    EXPECT_THAT(sum.points.at(0).attributes, ElementsAre(Pair("route", "/a")));
    EXPECT_EQ(sum.points.at(0).start_time, 1'000'000'000U);
    EXPECT_EQ(sum.points.at(0).time, 2'000'000'000U);
    const auto& point = all.metrics[2].points.at(0);
    EXPECT_EQ(point.count, 2U);
    EXPECT_DOUBLE_EQ(point.number, 99.006);
    EXPECT_THAT(point.buckets, ElementsAre(0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1));
    EXPECT_EQ(point.bounds.size(), 14U);
    ASSERT_EQ(point.exemplars.size(), 1U);
    EXPECT_EQ(point.exemplars[0].trace_id, "0123456789abcdef0000000000000002");
    EXPECT_EQ(point.exemplars[0].span_id, "0000000000000003");
    EXPECT_EQ(point.exemplars[0].value, 0.006);
    EXPECT_EQ(point.exemplars[0].time, 100'000'000'000U);
}

TEST(OtlpMetrics, AnOverflowingInstrumentSaysSo)
{
    static constexpr Instrument narrow{.name = "n", .description = "", .attributes = {"k"}, .series_max = 1};
    Registry registry({.workers = 1});
    const Counter counter(registry, narrow);
    counter.add({"a"});
    counter.add({"b"});
    const auto all =
        test::decode_otlp("/v1/metrics", export_request("", "", encode_metrics(registry.collect(), {}, {})));
    ASSERT_EQ(all.metrics.at(0).points.size(), 2U);
    EXPECT_THAT(all.metrics[0].points[1].attributes, ElementsAre(Pair("otel.metric.overflow", "true")));
}

}  // namespace
}  // namespace kit::telemetry::otlp
