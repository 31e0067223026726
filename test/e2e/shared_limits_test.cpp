// Two processes that share a Redis: together they admit what one would.
#include "support/redis_server.hpp"
#include "support/server.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <charconv>
#include <thread>

using namespace kit::test;
using namespace std::chrono_literals;

namespace {

class SharedLimits : public testing::Test {
protected:
    Installation node(Environment settings) const
    {
        settings.emplace("REDIS_ADDR", redis.address());
        settings.emplace("RATE_LIMIT_REDIS_ENABLED", "true");
        settings.emplace("REDIS_COMMAND_TIMEOUT", "3s");  // of a sanitized binary on a busy machine
        return Installation(Engine::sqlite, std::move(settings));
    }

    RedisServer redis;
};

TEST_F(SharedLimits, ManyClientsOfTwoNodesAreAdmittedAsOftenAsTheLimitSays)
{
    constexpr int limit = 50;
    constexpr int requests = 25;  // of each of eight
    const auto one = node({{"API_RATE_LIMIT_PER_MIN", std::to_string(limit)}});
    const auto two = node({{"API_RATE_LIMIT_PER_MIN", std::to_string(limit)}});
    auto first = one.start();
    auto second = two.start();
    std::atomic<int> admitted = 0;
    std::atomic<int> refused = 0;
    std::vector<std::jthread> clients;
    for (int number = 0; number < 8; ++number) {
        clients.emplace_back([&, client = number % 2 == 0 ? first.client() : second.client()]() mutable {
            for (int request = 0; request < requests; ++request) {
                const auto status = client.get("/nowhere").status;
                admitted += status == 404 ? 1 : 0;
                refused += status == 429 ? 1 : 0;
            }
        });
    }
    clients.clear();
    EXPECT_EQ(admitted, limit);
    EXPECT_EQ(refused, 8 * requests - limit);
    EXPECT_EQ(first.stop(), 0);
    EXPECT_EQ(second.stop(), 0);
}

TEST_F(SharedLimits, WhoWaitsAsToldIsNotRefusedAgain)
{
    constexpr int refusals_wanted = 4;
    const Environment settings{{"API_RATE_LIMIT_PER_MIN", "180"}, {"RATE_LIMIT_SUSTAINED_WINDOW", "1s"}};
    const auto one = node(settings);
    const auto two = node(settings);
    auto first = one.start();
    auto second = two.start();
    std::array clients{first.client(), second.client()};
    int refusals = 0;
    bool was_refused = false;
    for (std::size_t number = 0; refusals < refusals_wanted; ++number) {
        const auto response = clients[number % 2].get("/nowhere");
        if (response.status != 429) {
            was_refused = false;
            continue;
        }
        ASSERT_FALSE(was_refused) << "twice in a row";
        was_refused = true;
        ++refusals;
        const auto wait = response.header("Retry-After").value();
        int seconds = 0;
        std::from_chars(wait.data(), wait.data() + wait.size(), seconds);
        ASSERT_GE(seconds, 1);
        std::this_thread::sleep_for(std::chrono::seconds(seconds));  // as told
    }
}

}  // namespace
