// Redis in every kind of trouble while people go on asking: their requests succeed, none waits long, and the
// server takes Redis back by itself.
#include "chaos/release.hpp"
#include "support/account.hpp"
#include "support/fault_proxy.hpp"
#include "support/open_load.hpp"
#include "support/redis_server.hpp"
#include "support/server.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <thread>

using namespace kit::test;
using namespace std::chrono_literals;

namespace {

constexpr double requests_per_second = 1'000;
constexpr LoadTime fault_at{2};
constexpr LoadTime breaker_open_at{2.5};
constexpr LoadTime fault_ends{5};
constexpr LoadTime load_ends{7};
constexpr LoadTime request_time_max{0.250};
constexpr LoadTime added_p99_max{0.005};
constexpr double success_min = 0.999;

// A Redis behind a proxy, another one to fail over to, and a user of the server's own.
struct Backend {
    RedisServer redis{{.acl_users = {"app on >secret ~* &* +@all"}}};
    RedisServer other{{.acl_users = {"app on >secret ~* &* +@all"}}};
    FaultProxy proxy{redis.port()};

    void cut_users() const { redis.command({"CLIENT", "KILL", "USER", "app"}); }
};

struct Fault {
    const char* name;
    void (*begin)(Backend&);
    void (*end)(Backend&);
    // What requests take while it lasts, beyond what they take otherwise.
    LoadTime added_max = added_p99_max;
    bool direct = false;  // past the proxy, with both servers named
};

void nothing(Backend& /*backend*/) {}

void pass(Backend& backend)
{
    backend.proxy.pass();
}

const Fault faults[] = {
    {"Killed",
     [](Backend& backend) { backend.redis.crash(); },
     [](Backend& backend) { backend.redis.start(); }},
    {"Stopped",
     [](Backend& backend) { backend.redis.pause(); },
     [](Backend& backend) { backend.redis.resume(); }},
    {"SlowBy50ms", [](Backend& backend) { backend.proxy.delay(50ms); }, pass, LoadTime(0.1)},
    {"SlowBy500ms", [](Backend& backend) { backend.proxy.delay(500ms); }, pass},
    {"FailedOver",
     [](Backend& backend) {
         backend.redis.command({"REPLICAOF", "127.0.0.1", std::to_string(backend.other.port())});
     },
     nothing,
     added_p99_max,
     true},
    {"ScriptsFlushed", [](Backend& backend) { backend.redis.command({"SCRIPT", "FLUSH"}); }, nothing},
    {"ClientsKilled",
     [](Backend& backend) {
         for (int round = 0; round < 5; ++round) {
             backend.cut_users();
         }
     },
     nothing},
    {"WrongPassword",
     [](Backend& backend) {
         backend.redis.command({"ACL", "SETUSER", "app", "resetpass", ">other"});
         backend.cut_users();
     },
     [](Backend& backend) { backend.redis.command({"ACL", "SETUSER", "app", ">secret"}); }},
    {"MemoryFull",
     [](Backend& backend) { backend.redis.command({"CONFIG", "SET", "maxmemory", "1"}); },
     [](Backend& backend) { backend.redis.command({"CONFIG", "SET", "maxmemory", "0"}); }},
    {"HalfReplies", [](Backend& backend) { backend.proxy.swallow_after(6); }, pass},
    {"CutReplies", [](Backend& backend) { backend.proxy.cut_after(6); }, pass},
    {"Garbage", [](Backend& backend) { backend.proxy.garble("?!\r\n"); }, pass},
};

class RedisOutage : public testing::TestWithParam<Fault> {
protected:
    RedisOutage() : installation(Engine::sqlite, settings(), release_binary()), server(installation.start())
    {
        auto client = server.client();
        EXPECT_EQ(sign_up(client, "ada@example.com").status, 201);
        jar = client.jar();
    }

    Environment settings() const
    {
        const auto address = GetParam().direct ? backend.redis.address() + "," + backend.other.address()
                                               : backend.proxy.address();
        return {
            {"REDIS_ADDR", address},
            {"REDIS_USERNAME", "app"},
            {"REDIS_PASSWORD", "secret"},
            {"RATE_LIMIT_REDIS_ENABLED", "true"}
        };
    }

    // On a thread of its own.
    std::future<std::vector<LoadAnswer>> start(const std::string& target, double per_second) const
    {
        const auto text = to_wire(
            {.target = target, .headers = {{"Cookie", "access_token=" + jar.at("access_token").value}}}
        );
        return std::async(std::launch::async, [this, text, per_second] {
            return run(OpenLoad{
                .endpoint = server.endpoint(),
                .request = [text](std::size_t) { return text; },
                .per_second = per_second,
                .time = load_ends
            });
        });
    }

    // Limits that Redis keeps are told in headers, those of an outage are not.
    bool counts_in_redis() const
    {
        return server.client().get("/nowhere").header("X-RateLimit-Limit").has_value();
    }

    Backend backend;
    Installation installation;
    Server server;
    HttpClient::Jar jar;
};

INSTANTIATE_TEST_SUITE_P(Faults, RedisOutage, testing::ValuesIn(faults), [](const auto& info) {
    return info.param.name;
});

std::vector<LoadTime> times_between(const std::vector<LoadAnswer>& answers, LoadTime from, LoadTime to)
{
    std::vector<LoadTime> times;
    for (const auto& answer : answers) {
        if (answer.due >= from && answer.due < to) {
            times.push_back(answer.took);
        }
    }
    return times;
}

double success(const std::vector<LoadAnswer>& answers)
{
    const auto good = std::ranges::count(answers, 200, &LoadAnswer::status);
    return static_cast<double>(good) / static_cast<double>(answers.size());
}

int microseconds(LoadTime time)
{
    return static_cast<int>(time / LoadTime(1us));
}

TEST_P(RedisOutage, CostsNobodyAnything)
{
    ASSERT_TRUE(eventually([this] { return counts_in_redis(); }));
    const auto began = std::chrono::steady_clock::now();
    const auto at = [began](LoadTime time) {
        return began + std::chrono::duration_cast<std::chrono::steady_clock::duration>(time);
    };
    auto load = start("/api/v1/me", requests_per_second);
    auto live = start("/health/live", 50);
    auto ready = start("/health/ready", 10);
    std::this_thread::sleep_until(at(fault_at));
    GetParam().begin(backend);
    std::this_thread::sleep_until(at(fault_ends));
    GetParam().end(backend);

    const auto answers = load.get();
    const auto quiet = percentile(times_between(answers, LoadTime(0.5), fault_at), 0.99);
    const auto open = percentile(times_between(answers, breaker_open_at, fault_ends), 0.99);
    const auto longest = percentile(times_between(answers, fault_at, load_ends), 1);
    RecordProperty("success_ppm", static_cast<int>(success(answers) * 1e6));
    RecordProperty("quiet_p99_us", microseconds(quiet));
    RecordProperty("open_p99_us", microseconds(open));
    RecordProperty("longest_us", microseconds(longest));
    EXPECT_GE(success(answers), success_min);
    EXPECT_LE(open, quiet + GetParam().added_max);
    EXPECT_LE(longest, request_time_max);
    EXPECT_EQ(success(live.get()), 1.0);
    for (const auto& answer : ready.get()) {
        EXPECT_TRUE(answer.status == 200 || answer.status == 503) << answer.status;
    }
    EXPECT_TRUE(eventually([this] { return counts_in_redis(); }, 5s)) << "taken back without a restart";
    EXPECT_EQ(server.stop(), 0) << server.process().errors();
}

}  // namespace
