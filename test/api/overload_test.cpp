// More at once than the limit: refused early, the probes never.
#include "api_fixture.hpp"
#include "platform/telemetry/exposition.hpp"

#include <atomic>
#include <latch>
#include <thread>

namespace kit::test {

namespace {

using testing::HasSubstr;

TEST(Overload, BeyondTheLimitRequestsAreShedAndProbesAreNot)
{
    Api api(ApiEngine::sqlite, [](config::Config& config) {
        config.http_limits.concurrency_min = 1;
        config.http_limits.concurrency_max = 1;
    });
    static constexpr int clients_count = 8;
    std::latch together(clients_count);
    std::atomic<int> answered = 0;
    std::atomic<int> shed = 0;
    std::vector<std::jthread> clients;
    clients.reserve(clients_count);
    for (int client = 0; client < clients_count; ++client) {
        clients.emplace_back([&] {
            together.arrive_and_wait();
            // Hashes, so that all are there before the first is done.
            const auto response = api.send(
                {.method = "POST",
                 .path = "/api/v1/auth/local/login",
                 .body = R"({"email":"nobody@example.com","password":"x"})"}
            );
            if (response.status == 503) {
                EXPECT_THAT(response.body, HasSubstr(R"("code":"OVERLOADED")"));
                EXPECT_EQ(response.header("retry-after"), "1");
                EXPECT_EQ(api.send({.path = "/health/live"}).status, 200);
                ++shed;
            } else {
                EXPECT_EQ(response.status, 401);
                ++answered;
            }
        });
    }
    clients.clear();
    EXPECT_GE(answered, 1);
    EXPECT_EQ(answered + shed, clients_count);
    EXPECT_GE(shed, 1);
    const auto page = telemetry::expose(api.metrics(), telemetry::Exposition::prometheus);
    EXPECT_THAT(
        page,
        HasSubstr(
            "http_server_shed_requests_total{http_route=\"/api/v1/auth/local/login\"} " + std::to_string(shed)
        )
    );
    EXPECT_EQ(api.send({.path = "/api/v1/me"}).status, 401) << "it recovers by itself";
}

}  // namespace

}  // namespace kit::test
