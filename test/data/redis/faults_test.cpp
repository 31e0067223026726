// The client while Redis is in trouble: what a call costs, what it fails of, and that it recovers by itself.
#include "redis/redis_fixture.hpp"
#include "support/fault_proxy.hpp"

#include <gmock/gmock.h>

namespace kit::test {
namespace {

using namespace std::chrono_literals;
using redis::Command;
using redis::Failure;
using redis::Reply;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// The bound of the issue, for any fault.
constexpr milliseconds call_time_max{250};

struct Load {
    int calls = 0;
    int failures = 0;
    milliseconds longest{0};
};

// Calls one after the other for a while.
Load load(RedisClient& redis, milliseconds time, const Command& command = {"PING"})
{
    Load result;
    const auto end = steady_clock::now() + time;
    while (steady_clock::now() < end) {
        const auto begin = steady_clock::now();
        result.failures += redis.failure(command) ? 1 : 0;
        ++result.calls;
        result.longest =
            std::max(result.longest, std::chrono::ceil<milliseconds>(steady_clock::now() - begin));
    }
    return result;
}

// Opens within one timeout, then costs nothing.
void expect_open_breaker(RedisClient& redis)
{
    EXPECT_FALSE(redis.client.available());
    const auto begin = steady_clock::now();
    EXPECT_EQ(redis.failure({"PING"}), Failure::breaker_open);
    EXPECT_LT(steady_clock::now() - begin, 20ms + slack);
}

TEST(RedisFaults, Killed)
{
    RedisServer server;
    RedisClient redis(options_for(server.address()));
    redis.run({"PING"});
    server.crash();
    const auto down = load(redis, 300ms);
    EXPECT_EQ(down.failures, down.calls);
    EXPECT_LE(down.longest, call_time_max + slack);
    expect_open_breaker(redis);
    server.start();
    EXPECT_TRUE(redis.recovers());
    EXPECT_TRUE(redis.client.available());
}

TEST(RedisFaults, NeverThereAtAll)
{
    std::string address;
    {
        RedisServer server;
        address = server.address();
    }
    RedisClient redis(options_for(address));
    EXPECT_TRUE(redis.client.available()) << "nobody has asked yet";
    const auto begin = steady_clock::now();
    EXPECT_EQ(redis.failure({"PING"}), Failure::connection_lost);
    EXPECT_LE(steady_clock::now() - begin, call_time_max + slack);
    expect_open_breaker(redis);
}

TEST(RedisFaults, Stopped)
{
    RedisServer server;
    RedisClient redis(options_for(server.address()));
    redis.run({"PING"});
    server.pause();
    const auto begin = steady_clock::now();
    EXPECT_EQ(redis.failure({"PING"}), Failure::timed_out);
    EXPECT_GE(steady_clock::now() - begin, 90ms) << "within its time it may still answer";
    const auto silent = load(redis, 500ms);
    EXPECT_EQ(silent.failures, silent.calls);
    EXPECT_LE(silent.longest, call_time_max + slack);
    expect_open_breaker(redis);
    server.resume();
    EXPECT_TRUE(redis.recovers());
}

TEST(RedisFaults, RecoversWithoutTraffic)
{
    RedisServer server;
    RedisClient redis(options_for(server.address()));
    redis.run({"PING"});
    server.pause();
    EXPECT_EQ(redis.failure({"PING"}), Failure::timed_out);
    server.resume();
    const auto deadline = steady_clock::now() + generous;
    while (!redis.client.available() && steady_clock::now() < deadline) {
        block_on(redis.loops.executor(0), redis.clock.sleep_for(5ms));
    }
    EXPECT_EQ(redis.failure({"PING"}), std::nullopt) << "no request was needed to find out";
}

TEST(RedisFaults, Slow)
{
    RedisServer server;
    FaultProxy proxy(server.port());
    RedisClient redis(options_for(proxy.address()));
    redis.run({"PING"});
    proxy.delay(50ms);
    const auto late = load(redis, 400ms);
    EXPECT_EQ(late.failures, 0) << "within its time";
    proxy.delay(500ms);
    const auto too_late = load(redis, 1'000ms);
    EXPECT_EQ(too_late.failures, too_late.calls);
    EXPECT_LE(too_late.longest, call_time_max + slack);
    expect_open_breaker(redis);
    proxy.pass();
    EXPECT_TRUE(redis.recovers());
}

TEST(RedisFaults, Silent)
{
    RedisServer server;
    FaultProxy proxy(server.port());
    RedisClient redis(options_for(proxy.address()));
    redis.run({"PING"});
    proxy.swallow();
    EXPECT_EQ(redis.failure({"PING"}), Failure::timed_out);
    expect_open_breaker(redis);
    proxy.pass();
    EXPECT_TRUE(redis.recovers());
}

TEST(RedisFaults, FailsOver)
{
    RedisServer first;
    RedisServer second;
    RedisClient redis(options_for(first.address() + "," + second.address()));
    EXPECT_EQ(redis.text({"SET", "key", "1"}), "OK");
    EXPECT_EQ(first.command({"GET", "key"}), "1");
    first.command({"REPLICAOF", "127.0.0.1", std::to_string(second.port())});
    const auto failed = redis.failure({"SET", "key", "2"});
    EXPECT_THAT(failed, testing::AnyOf(Failure::read_only, Failure::loading, Failure::other));
    ASSERT_TRUE(redis.recovers());
    EXPECT_EQ(redis.text({"SET", "key", "3"}), "OK");
    EXPECT_EQ(second.command({"GET", "key"}), "3");
}

TEST(RedisFaults, DemotedAndPromotedAgain)
{
    RedisServer server;
    RedisServer other;
    RedisClient redis(options_for(server.address()));
    redis.run({"PING"});
    server.command({"REPLICAOF", "127.0.0.1", std::to_string(other.port())});
    EXPECT_EQ(redis.failure({"SET", "key", "1"}), Failure::read_only);
    expect_open_breaker(redis);
    server.command({"REPLICAOF", "NO", "ONE"});
    EXPECT_TRUE(redis.recovers());
    EXPECT_EQ(redis.text({"SET", "key", "1"}), "OK");
}

TEST(RedisFaults, ClientsKilled)
{
    RedisServer server;
    RedisClient redis(options_for(server.address()));
    for (int round = 0; round < 20; ++round) {
        EXPECT_EQ(redis.failure(Command{"GET", "key"}.repeatable()), std::nullopt) << round;
        server.command({"CLIENT", "KILL", "TYPE", "normal"});
    }
    EXPECT_TRUE(redis.client.available()) << "the server is there";
}

TEST(RedisFaults, WrongPassword)
{
    RedisServer server({.password = "right"});
    auto options = options_for(server.address());
    options.password = "wrong";
    RedisClient redis(std::move(options));
    EXPECT_EQ(redis.failure({"PING"}), Failure::not_authenticated);
    expect_open_breaker(redis);
    server.command({"CONFIG", "SET", "requirepass", "wrong"});
    EXPECT_TRUE(redis.recovers());
}

TEST(RedisFaults, NoPassword)
{
    RedisServer server({.password = "right"});
    RedisClient redis(options_for(server.address()));
    EXPECT_EQ(redis.failure({"PING"}), Failure::not_authenticated);
}

TEST(RedisFaults, MemoryFull)
{
    RedisServer server({.memory_max = "100kb"});
    RedisClient redis(options_for(server.address()));
    EXPECT_EQ(redis.failure({"SET", "key", "value"}), Failure::out_of_memory);
    EXPECT_EQ(redis.run({"GET", "key"}).kind, Reply::Kind::nil);
    EXPECT_TRUE(redis.client.available()) << "it answers";
    server.command({"CONFIG", "SET", "maxmemory", "0"});
    EXPECT_EQ(redis.text({"SET", "key", "value"}), "OK");
}

TEST(RedisFaults, HalfAReply)
{
    RedisServer server;
    FaultProxy proxy(server.port());
    RedisClient redis(options_for(proxy.address()));
    redis.run({"SET", "key", "0123456789"});
    proxy.swallow_after(6);
    EXPECT_EQ(redis.failure({"GET", "key"}), Failure::timed_out);
    proxy.pass();
    ASSERT_TRUE(redis.recovers());
    proxy.cut_after(6);
    EXPECT_EQ(redis.failure({"GET", "key"}), Failure::connection_lost);
    proxy.pass();
    ASSERT_TRUE(redis.recovers());
    EXPECT_EQ(redis.text({"GET", "key"}), "0123456789");
}

TEST(RedisFaults, Garbage)
{
    RedisServer server;
    FaultProxy proxy(server.port());
    RedisClient redis(options_for(proxy.address()));
    for (const auto* const garbage :
         {"HTTP/1.1 502 Bad Gateway\r\n\r\n", "$-7\r\n", "+OK\r\n+OK\r\n+OK\r\n", "\x16\x03\x01"}) {
        redis.run({"PING"});
        proxy.garble(garbage);
        const auto failed = redis.failure({"GET", "key"});
        // Three replies to one command: the first cannot be told from its own.
        EXPECT_TRUE(failed == Failure::protocol || garbage[0] == '+') << garbage;
        proxy.pass();
        ASSERT_TRUE(redis.recovers()) << garbage;
    }
}

TEST(RedisFaults, UnderLoadOnTwoWorkers)
{
    RedisServer server;
    FaultProxy proxy(server.port());
    RedisClient redis(options_for(proxy.address()), 2);
    std::atomic<bool> stop{false};
    std::atomic<milliseconds::rep> longest{0};
    const auto ask = [](RedisClient& client, std::atomic<bool>& end, std::atomic<milliseconds::rep>& most
                     ) -> Task<void> {
        while (!end.load()) {
            const auto begin = steady_clock::now();
            try {
                co_await client.client.run({"INCR", "count"});
            } catch (const redis::RedisUnavailable&) {
            }
            const auto took = std::chrono::ceil<milliseconds>(steady_clock::now() - begin).count();
            for (auto seen = most.load(); took > seen && !most.compare_exchange_weak(seen, took);) {
            }
            co_await client.clock.sleep_for(1ms);
        }
    };
    std::vector<std::future<void>> callers;
    for (std::size_t index = 0; index < 40; ++index) {
        callers.push_back(
            asio::co_spawn(redis.loops.executor(index % 2), ask(redis, stop, longest), asio::use_future)
        );
    }
    for (int round = 0; round < 3; ++round) {
        proxy.cut();
        block_on(redis.loops.executor(0), redis.clock.sleep_for(30ms));
        proxy.garble("?");
        block_on(redis.loops.executor(0), redis.clock.sleep_for(30ms));
        proxy.swallow();
        block_on(redis.loops.executor(0), redis.clock.sleep_for(150ms));
        proxy.pass();
        EXPECT_TRUE(redis.recovers());
    }
    stop = true;
    for (auto& caller : callers) {
        caller.get();
    }
    EXPECT_LE(milliseconds(longest.load()), call_time_max + slack);
}

}  // namespace
}  // namespace kit::test
