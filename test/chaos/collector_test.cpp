// A collector that fails changes nothing for a request, measured beside one that works.
#include "chaos/release.hpp"
#include "support/otlp_collector.hpp"
#include "support/server.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

using namespace kit::test;
using namespace std::chrono_literals;

namespace {

using Mood = OtlpCollector::Mood;
using Microseconds = std::chrono::duration<double, std::micro>;

constexpr std::size_t mib = 1024UL * 1024;
constexpr std::size_t rounds = 15;
constexpr std::size_t requests_per_round = 2'000;

struct Fault {
    const char* name;
    std::optional<Mood> mood;  // nothing: nobody listens
    const char* protocol;
};

class Node {
public:
    Node(std::optional<Mood> mood, const char* protocol)
        : installation_(
              Engine::sqlite,
              {{"OTEL_EXPORTER_OTLP_ENDPOINT",
                mood ? collector_.endpoint() : "127.0.0.1:" + std::to_string(unused_port())},
               {"OTEL_EXPORTER_OTLP_PROTOCOL", protocol},
               {"OTEL_METRICS_ENABLED", "true"},
               {"OTEL_TRACING_ENABLED", "true"},
               {"OTEL_LOGS_ENABLED", "true"}},
              release_binary()
          ),
          server_(installation_.command({"api"})),
          client_(server_.client())
    {
        collector_.set_mood(mood.value_or(Mood::healthy));
    }

    // The 99th percentile of a round.
    Microseconds round()
    {
        std::vector<Microseconds> times;
        times.reserve(requests_per_round);
        for (std::size_t request = 0; request < requests_per_round; ++request) {
            const auto begin = std::chrono::steady_clock::now();
            EXPECT_EQ(client_.get("/health/live").status, 200);
            times.emplace_back(std::chrono::steady_clock::now() - begin);
        }
        const auto p99 = times.begin() + static_cast<std::ptrdiff_t>(times.size() * 99 / 100);
        std::ranges::nth_element(times, p99);
        return *p99;
    }

    std::size_t memory() { return server_.process().resident_bytes_peak(); }

    std::chrono::milliseconds stop()
    {
        const auto begin = std::chrono::steady_clock::now();
        EXPECT_EQ(server_.stop(), 0);
        return std::chrono::duration_cast<std::chrono::milliseconds>(
            std::chrono::steady_clock::now() - begin
        );
    }

private:
    OtlpCollector collector_;
    Installation installation_;
    Server server_;
    HttpClient client_;
};

Microseconds median(std::array<Microseconds, rounds> values)
{
    std::ranges::sort(values);
    return values[rounds / 2];
}

class FailingCollector : public testing::TestWithParam<Fault> {};

TEST_P(FailingCollector, ChangesNothingForARequest)
{
    Node healthy(Mood::healthy, GetParam().protocol);
    Node failing(GetParam().mood, GetParam().protocol);
    std::array<Microseconds, rounds> with{};
    std::array<Microseconds, rounds> without{};
    for (std::size_t round = 0; round < rounds; ++round) {
        with[round] = healthy.round();
        without[round] = failing.round();
    }
    RecordProperty("p99_healthy_us", static_cast<int>(median(with).count()));
    RecordProperty("p99_failing_us", static_cast<int>(median(without).count()));
    EXPECT_LE(median(without), median(with) * 1.05);
    EXPECT_LE(failing.memory(), healthy.memory() + 16 * mib);
    EXPECT_LE(failing.stop(), healthy.stop() + 2s);
}

INSTANTIATE_TEST_SUITE_P(
    Faults,
    FailingCollector,
    testing::Values(
        Fault{"gone", std::nullopt, "http/protobuf"},
        Fault{"silent", Mood::silent, "http/protobuf"},
        Fault{"slow", Mood::slow, "http/protobuf"},
        Fault{"limited", Mood::limited, "http/protobuf"},
        Fault{"silent_grpc", Mood::silent, "grpc"},
        Fault{"limited_grpc", Mood::limited, "grpc"}
    ),
    [](const auto& info) { return info.param.name; }
);

}  // namespace
