#include "platform/redis/redis.hpp"

#include <gtest/gtest.h>

namespace kit::test {
namespace {

using redis::Command;

constexpr redis::Script script{.name = "one", .source = "return 1", .repeatable = true};

std::string encoded(const Command& command, std::string_view sha = {})
{
    std::string out;
    command.append_to(out, sha);
    return out;
}

TEST(RedisCommand, IsEncodedAsAnArrayOfTexts)
{
    EXPECT_EQ(encoded({"PING"}), "*1\r\n$4\r\nPING\r\n");
    EXPECT_EQ(
        encoded(Command{"SET", "k", ""} << "EX" << std::int64_t{-60}),
        "*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n$2\r\nEX\r\n$3\r\n-60\r\n"
    );
}

TEST(RedisCommand, HasANameForMetrics)
{
    EXPECT_EQ(Command({"HGETALL", "k"}).name(), "hgetall");
    EXPECT_EQ(Command(script, {}, {}).name(), "evalsha");
}

TEST(RedisCommand, HasAKeyForTheCluster)
{
    EXPECT_EQ(Command({"GET", "a\r\nb"}).key(), "a\r\nb");
    EXPECT_EQ(Command({"PING"}).key(), std::nullopt);
    EXPECT_EQ(Command({"OBJECT", "ENCODING", "k"}).key(2).key(), "k");
    const std::vector<std::string> keys{"first", "second"};
    const std::vector<std::string> arguments{"x"};
    EXPECT_EQ(Command(script, keys, arguments).key(), "first");
    EXPECT_EQ(Command(script, {}, arguments).key(), std::nullopt) << "an argument is no key";
}

TEST(RedisCommand, AScriptGoesByHashOrBySource)
{
    const std::vector<std::string> keys{"k"};
    const std::vector<std::string> arguments{"x"};
    const Command command(script, keys, arguments);
    EXPECT_EQ(
        encoded(command, "0123"), "*5\r\n$7\r\nEVALSHA\r\n$4\r\n0123\r\n$1\r\n1\r\n$1\r\nk\r\n$1\r\nx\r\n"
    );
    EXPECT_EQ(encoded(command), "*5\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n1\r\n$1\r\nk\r\n$1\r\nx\r\n");
    EXPECT_TRUE(command.is_repeatable());
    EXPECT_FALSE(Command({"INCR", "k"}).is_repeatable());
    EXPECT_TRUE(Command({"GET", "k"}).repeatable().is_repeatable());
}

}  // namespace
}  // namespace kit::test
