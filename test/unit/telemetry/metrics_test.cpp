#include "platform/telemetry/metrics.hpp"

#include "platform/core/workers.hpp"
#include "platform/telemetry/exposition.hpp"

#include <boost/asio/post.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <thread>

namespace kit::telemetry {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr Instrument logins{
    .name = "test.logins",
    .description = "Logins.",
    .attributes = {"status", "error.type"},
    .series_max = 3,
};
constexpr Instrument active{
    .name = "test.active",
    .kind = InstrumentKind::up_down_counter,
    .unit = "{request}",
    .description = "Active requests.",
};
constexpr Instrument duration{
    .name = "test.duration",
    .kind = InstrumentKind::histogram,
    .unit = "s",
    .description = "Durations.",
    .attributes = {"route"},
    .bounds = buckets::seconds,
};
constexpr Instrument fullness{
    .name = "test.fullness",
    .kind = InstrumentKind::gauge,
    .unit = "1",
    .description = "Fullness.",
    .attributes = {"pool"},
};

constexpr SpanContext sampled_span{.trace_high = 1, .trace_low = 2, .span_id = 3, .flags = 1};

SeriesReading only_series(const Registry& registry)
{
    return registry.collect().at(0).series.at(0);
}

TEST(Metrics, CountsWithoutLossFromWorkersAndOtherThreads)
{
    constexpr int each = 20'000;
    Registry registry({.workers = 2});
    const Counter counter(registry, logins);
    const Histogram histogram(registry, duration);
    const auto record = [&] {
        for (int index = 0; index < each; ++index) {
            counter.add({"success", ""});
            histogram.record(0.25, {"/a"});
        }
    };
    {
        Workers workers(2);
        std::latch done(2);
        workers.start();
        for (std::size_t index = 0; index < 2; ++index) {
            asio::post(workers.executor(index), [&] {
                record();
                done.count_down();
            });
        }
        std::thread first(record);
        std::thread second(record);
        first.join();
        second.join();
        done.wait();
    }
    const auto readings = registry.collect();
    ASSERT_EQ(readings.size(), 2);
    EXPECT_EQ(readings[0].series.at(0).count, 4 * each);
    EXPECT_EQ(readings[0].series.at(0).number, 0.25 * 4 * each);
    EXPECT_EQ(readings[1].series.at(0).count, 4 * each);
}

TEST(Metrics, BucketsIncludeTheirUpperBound)
{
    Registry registry({});
    const Histogram histogram(registry, duration);
    for (const double value : {0.001, 0.005, 0.006, 10.0, 11.0}) {
        histogram.record(value, {""});
    }
    const auto series = only_series(registry);
    EXPECT_EQ(series.buckets.at(0), 2);
    EXPECT_EQ(series.buckets.at(1), 1);
    EXPECT_EQ(series.buckets.at(13), 1);
    EXPECT_EQ(series.buckets.at(14), 1);
    EXPECT_EQ(series.count, 5);
}

TEST(Metrics, CountsWhatExceedsTheCapTogether)
{
    Registry registry({});
    const Counter counter(registry, logins);
    for (const char* type : {"a", "b", "c", "d", "e", "a"}) {
        counter.add({"failure", type});
    }
    const auto series = registry.collect().at(0).series;
    ASSERT_EQ(series.size(), 4);
    EXPECT_EQ(series[0].count, 2);
    EXPECT_TRUE(series[3].overflow);
    EXPECT_EQ(series[3].count, 2);
    EXPECT_THAT(
        expose(registry, Exposition::prometheus),
        HasSubstr("test_logins_total{otel_metric_overflow=\"true\"} 2\n")
    );
}

TEST(Metrics, RefusesAttributesThatDoNotFit)
{
    Registry registry({});
    EXPECT_THROW(Counter(registry, logins).add({"success"}), std::logic_error);
    constexpr Instrument impostor{.name = "test.logins", .description = "Another."};
    EXPECT_THROW(Counter(registry, impostor), std::logic_error);
}

TEST(Metrics, RecordsNothingWhereDisabled)
{
    Registry registry({.enabled = false});
    Counter(registry, logins).add({"success", ""});
    Histogram(registry, duration).record(1, {"/a"}, sampled_span);
    const auto observation = registry.observe(fullness, {"a"}, [] { return 1.0; });
    for (const auto& reading : registry.collect()) {
        EXPECT_TRUE(reading.series.empty()) << reading.instrument->name;
    }
}

TEST(Metrics, KeepsAnExemplarOfSampledSpansOnly)
{
    Registry registry({});
    const Histogram histogram(registry, duration);
    const Timestamp start = std::chrono::sys_days(std::chrono::year(2026) / 3 / 1);
    histogram.record(0.001, {"/a"}, {.trace_high = 9, .trace_low = 9, .span_id = 9, .flags = 0}, start);
    EXPECT_FALSE(only_series(registry).exemplars.at(0));
    histogram.record(0.002, {"/a"}, sampled_span, start);
    histogram.record(0.003, {"/a"}, sampled_span, start + std::chrono::milliseconds(99));
    EXPECT_EQ(only_series(registry).exemplars.at(0).value().value, 0.002) << "a fresh one stays";
    histogram.record(0.004, {"/a"}, sampled_span, start + std::chrono::milliseconds(100));
    const auto exemplar = only_series(registry).exemplars.at(0).value();
    EXPECT_EQ(exemplar.value, 0.004);
    EXPECT_EQ(exemplar.span, sampled_span);
}

TEST(Metrics, AsksGaugesUntilTheirObservationEnds)
{
    Registry registry({});
    double value = 0.5;
    {
        const auto observation = registry.observe(fullness, {"hash"}, [&value] { return value; });
        value = 0.75;
        EXPECT_THAT(
            expose(registry, Exposition::prometheus), HasSubstr("test_fullness_ratio{pool=\"hash\"} 0.75\n")
        );
    }
    EXPECT_TRUE(registry.collect().at(0).series.empty());
}

TEST(Exposition, WritesThePrometheusText)
{
    Registry registry({});
    Counter(registry, logins).add({"quo\"te\\\n", ""}, 2);
    const Counter requests(registry, active);
    requests.add({}, 3);
    requests.add({}, -1);
    Histogram(registry, duration).record(0.3, {"/a"}, sampled_span, Timestamp(std::chrono::seconds(5)));
    const auto text = expose(registry, Exposition::prometheus);
    EXPECT_THAT(text, HasSubstr("# HELP test_logins_total Logins.\n# TYPE test_logins_total counter\n"));
    EXPECT_THAT(text, HasSubstr("test_logins_total{status=\"quo\\\"te\\\\\\n\"} 2\n"));
    EXPECT_THAT(text, HasSubstr("# TYPE test_active gauge\ntest_active 2\n"));
    EXPECT_THAT(text, HasSubstr("test_duration_seconds_bucket{route=\"/a\",le=\"0.25\"} 0\n"));
    EXPECT_THAT(text, HasSubstr("test_duration_seconds_bucket{route=\"/a\",le=\"0.5\"} 1\n"));
    EXPECT_THAT(text, HasSubstr("test_duration_seconds_bucket{route=\"/a\",le=\"+Inf\"} 1\n"));
    EXPECT_THAT(text, HasSubstr("test_duration_seconds_sum{route=\"/a\"} 0.3\n"));
    EXPECT_THAT(text, HasSubstr("test_duration_seconds_count{route=\"/a\"} 1\n"));
    EXPECT_THAT(text, Not(HasSubstr("trace_id")));
}

TEST(Exposition, WritesOpenMetricsWithExemplars)
{
    Registry registry({});
    Counter(registry, logins).add({"success", "x"});
    Histogram(registry, duration)
        .record(0.3, {"/a"}, sampled_span, Timestamp(std::chrono::milliseconds(5'001)));
    const auto text = expose(registry, Exposition::openmetrics);
    EXPECT_THAT(text, HasSubstr("# TYPE test_logins counter\n"));
    EXPECT_THAT(text, HasSubstr("test_logins_total{status=\"success\",error_type=\"x\"} 1\n"));
    EXPECT_THAT(text, HasSubstr("# UNIT test_duration_seconds seconds\n"));
    EXPECT_THAT(
        text,
        HasSubstr(
            "le=\"0.5\"} 1 # {trace_id=\"00000000000000010000000000000002\",span_id=\"0000000000000003\"} "
            "0.3 5.001000\n"
        )
    );
    EXPECT_TRUE(text.ends_with("# EOF\n"));
}

TEST(Exposition, IsChosenByTheAcceptHeader)
{
    const auto choose = [](std::string_view accept) { return choose_exposition(accept); };
    EXPECT_EQ(choose(""), Exposition::prometheus);
    EXPECT_EQ(choose("*/*"), Exposition::prometheus);
    EXPECT_EQ(choose("text/plain;version=0.0.4"), Exposition::prometheus);
    EXPECT_EQ(
        choose("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"),
        Exposition::openmetrics
    );
    EXPECT_EQ(choose("text/plain, Application/OpenMetrics-Text"), Exposition::openmetrics);
    EXPECT_EQ(choose("application/openmetrics-text;q=0.0"), Exposition::prometheus);
}

}  // namespace
}  // namespace kit::telemetry
