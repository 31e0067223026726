// The client against a Redis that is well.
#include "platform/core/deadline.hpp"
#include "redis/redis_fixture.hpp"

#include <gmock/gmock.h>

namespace kit::test {
namespace {

using redis::Command;
using redis::Failure;
using redis::Reply;
using testing::ElementsAre;

constexpr redis::Script add_up{
    .name = "add_up",
    .source = "return redis.call('INCRBY', KEYS[1], ARGV[1])",
};

TEST(RedisClient, RunsCommands)
{
    RedisServer server;
    RedisClient redis(options_for(server.address()));
    EXPECT_EQ(redis.text({"SET", "key", "a\r\nb"}), "OK");
    EXPECT_EQ(redis.text({"GET", "key"}), "a\r\nb");
    EXPECT_EQ(redis.run({"GET", "none"}).kind, Reply::Kind::nil);
    EXPECT_EQ(redis.run({"INCR", "number"}).integer, 1);
    EXPECT_EQ(redis.run(Command{"INCRBY", "number"} << std::int64_t{41}).integer, 42);
    const auto error = redis.run({"INCR", "key"});
    EXPECT_TRUE(error.is_error());
    EXPECT_EQ(error.text, "ERR value is not an integer or out of range");
}

TEST(RedisClient, RunsScriptsByHashAndOnceBySource)
{
    RedisServer server;
    RedisClient redis(options_for(server.address()));
    EXPECT_EQ(redis.eval(add_up, {"sum"}, {"2"}).integer, 2);
    EXPECT_EQ(redis.eval(add_up, {"sum"}, {"3"}).integer, 5);
    EXPECT_EQ(server.calls("eval"), 1);
    EXPECT_EQ(server.calls("evalsha"), 2) << "the first was not known";
    EXPECT_EQ(server.command({"SCRIPT", "FLUSH"}), "OK");
    EXPECT_EQ(redis.eval(add_up, {"sum"}, {"4"}).integer, 9);
}

Task<void> increment(RedisClient& redis, std::atomic<int>& done)
{
    co_await redis.client.run({"INCR", "count"});
    ++done;
}

Task<void> increment_many(RedisClient& redis, int count, std::atomic<int>& done)
{
    for (int index = 0; index < count; ++index) {
        asio::co_spawn(
            co_await asio::this_coro::executor,
            increment(redis, done),
            [](const std::exception_ptr& failed) { EXPECT_FALSE(failed); }
        );
    }
    while (done.load() < count) {
        co_await redis.clock.sleep_for(std::chrono::milliseconds(1));
    }
}

TEST(RedisClient, CommandsOfOneTurnShareAPacket)
{
    constexpr int count = 100;
    RedisServer server;
    RedisClient redis(options_for(server.address()));
    redis.run({"PING"});
    const auto reads = [&server] { return std::stoi(server.info("stats", "total_reads_processed")); };
    const auto idle = reads();
    const auto of_info = reads() - idle;  // what asking costs
    const auto before = reads();
    std::atomic<int> done{0};
    block_on(redis.loops.executor(0), increment_many(redis, count, done));
    EXPECT_LE(reads() - before - of_info, 2) << "reads of the server for " << count << " commands";
    EXPECT_EQ(server.calls("incr"), count);
}

TEST(RedisClient, SendsSeveralCommandsTogether)
{
    RedisServer server;
    RedisClient redis(options_for(server.address()));
    std::vector<Command> commands;
    commands.push_back({"SET", "key", "1"});
    commands.push_back({"LPUSH", "key", "2"});
    const std::vector<std::string> keys{"sum"};
    const std::vector<std::string> arguments{"3"};
    commands.push_back(Command(add_up, keys, arguments));
    commands.push_back({"GET", "key"});
    const auto replies = block_on(redis.loops.executor(0), redis.client.run_all(std::move(commands)));
    ASSERT_EQ(replies.size(), 4);
    EXPECT_EQ(replies[0].text, "OK");
    EXPECT_TRUE(replies[1].is_error()) << "the caller's own mistake is a value";
    EXPECT_EQ(replies[2].integer, 3) << "sent again as source, behind the others";
    EXPECT_EQ(replies[3].text, "1");
    EXPECT_TRUE(block_on(redis.loops.executor(0), redis.client.run_all({})).empty());
}

TEST(RedisClient, ReadsRepliesOfManyPackets)
{
    RedisServer server;
    RedisClient redis(options_for(server.address()));
    const std::string large(1'000'000, 'x');
    EXPECT_EQ(redis.text({"SET", "large", large}), "OK");
    EXPECT_EQ(redis.text({"GET", "large"}), large);
}

TEST(RedisClient, ACallerMayGoAway)
{
    RedisServer server;
    RedisClient redis(options_for(server.address()));
    redis.run({"PING"});
    server.pause();
    auto work = [](RedisClient& client) -> Task<void> {
        co_await with_deadline(
            client.clock, client.clock.steady_now() + std::chrono::milliseconds(10), client.client.ping()
        );
    };
    EXPECT_THROW(block_on(redis.loops.executor(0), work(redis)), DeadlineExceeded);
    server.resume();
    EXPECT_TRUE(redis.recovers());
    EXPECT_EQ(redis.text({"ECHO", "in step"}), "in step") << "its reply went to nobody else";
}

TEST(RedisClient, TakesNoMoreThanItsQueueHolds)
{
    RedisServer server;
    auto options = options_for(server.address());
    options.queue_max = 2;
    RedisClient redis(std::move(options));
    std::vector<Command> commands;
    for (int index = 0; index < 3; ++index) {
        commands.push_back({"PING"});
    }
    try {
        block_on(redis.loops.executor(0), redis.client.run_all(std::move(commands)));
        FAIL() << "the third has no room";
    } catch (const redis::RedisUnavailable& failed) {
        EXPECT_EQ(failed.failure(), Failure::overloaded);
    }
    EXPECT_EQ(redis.failure({"PING"}), std::nullopt);
}

TEST(RedisClient, NothingIsConnectedBeforeTheFirstCommand)
{
    RedisServer server;
    RedisClient redis(options_for(server.address()));
    EXPECT_EQ(server.info("clients", "connected_clients"), "1") << "redis-cli itself";
    EXPECT_TRUE(redis.client.available());
    redis.run({"PING"});
    EXPECT_EQ(server.info("clients", "connected_clients"), "2");
}

}  // namespace
}  // namespace kit::test
