// The client against a Redis that is well.
#include "redis/redis_fixture.hpp"

#include <boost/asio/experimental/parallel_group.hpp>
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
