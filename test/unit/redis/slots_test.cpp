#include "platform/redis/slots.hpp"

#include "platform/redis/server_error.hpp"

#include <gmock/gmock.h>

namespace kit::test {
namespace {

using config::Endpoint;
using redis::Reply;
using redis::ServerError;
using redis::slot_of;
using redis::SlotMap;
using testing::ElementsAre;

Reply number(std::int64_t value)
{
    return {.kind = Reply::Kind::integer, .integer = value};
}

Reply text(std::string value)
{
    return {.kind = Reply::Kind::text, .text = std::move(value)};
}

Reply array(std::vector<Reply> items)
{
    return {.kind = Reply::Kind::array, .items = std::move(items)};
}

Reply range(int first, int last, std::string host, int port)
{
    return array({number(first), number(last), array({text(std::move(host)), number(port), text("id")})});
}

TEST(Slots, AreTheServersOwn)
{
    // From CLUSTER KEYSLOT.
    EXPECT_EQ(slot_of("123456789"), 0x31C3 % 16'384);
    EXPECT_EQ(slot_of("foo"), 12'182);
    EXPECT_EQ(slot_of(""), 0);
}

TEST(Slots, OfATagWhereThereIsOne)
{
    EXPECT_EQ(slot_of("a{foo}b"), slot_of("foo"));
    EXPECT_EQ(slot_of("{foo}{bar}"), slot_of("foo")) << "the first";
    EXPECT_EQ(slot_of("{{foo}}"), slot_of("{foo")) << "to the first closing one";
    EXPECT_NE(slot_of("a{}b"), slot_of("")) << "an empty one is none";
    EXPECT_EQ(slot_of("a{foo"), slot_of("a{foo"));
    EXPECT_NE(slot_of("a}foo{"), slot_of("foo"));
}

TEST(SlotMap, ReadsClusterSlots)
{
    const auto map = SlotMap::parse(
        array({range(0, 99, "10.0.0.1", 6379), range(100, 16'383, "", 6380), range(50, 50, "?", 1)}), "seed"
    );
    ASSERT_TRUE(map);
    EXPECT_EQ(*map->find(0), (Endpoint{"10.0.0.1", 6379}));
    EXPECT_EQ(*map->find(50), (Endpoint{"10.0.0.1", 6379}));
    EXPECT_EQ(*map->find(100), (Endpoint{"seed", 6380})) << "no host is the one that was asked";
    EXPECT_THAT(map->endpoints(), ElementsAre(Endpoint{"10.0.0.1", 6379}, Endpoint{"seed", 6380}));
}

TEST(SlotMap, KnowsWhatNobodyHas)
{
    auto map = SlotMap::parse(array({range(0, 99, "a", 1)}), "seed");
    ASSERT_TRUE(map);
    EXPECT_EQ(map->find(100), nullptr);
    map->assign(100, {"b", 2});
    EXPECT_EQ(*map->find(100), (Endpoint{"b", 2}));
}

TEST(SlotMap, RefusesOtherReplies)
{
    for (const auto& reply :
         {text("OK"),
          array({number(1)}),
          array({range(0, 16'384, "a", 1)}),
          array({range(-1, 1, "a", 1)}),
          array({range(0, 1, "a", 0)}),
          array({range(0, 1, "a", 65'536)}),
          array({array({number(0), number(1), text("a")})})}) {
        EXPECT_FALSE(SlotMap::parse(reply, "seed"));
    }
}

TEST(ServerErrors, AreToldByTheirFirstWord)
{
    EXPECT_EQ(redis::classify("MOVED 1 a:1"), ServerError::moved);
    EXPECT_EQ(redis::classify("ASK 1 a:1"), ServerError::ask);
    EXPECT_EQ(redis::classify("NOSCRIPT No matching script."), ServerError::no_script);
    EXPECT_EQ(
        redis::classify("READONLY You can't write against a read only replica."), ServerError::read_only
    );
    EXPECT_EQ(redis::classify("LOADING Redis is loading the dataset in memory"), ServerError::loading);
    EXPECT_EQ(
        redis::classify("OOM command not allowed when used memory > 'maxmemory'."), ServerError::out_of_memory
    );
    EXPECT_EQ(redis::classify("NOAUTH Authentication required."), ServerError::not_authenticated);
    EXPECT_EQ(redis::classify("WRONGPASS invalid username-password pair"), ServerError::not_authenticated);
    EXPECT_EQ(redis::classify("CLUSTERDOWN The cluster is down"), ServerError::cluster_down);
    EXPECT_EQ(redis::classify("TRYAGAIN Multiple keys"), ServerError::try_again);
    EXPECT_EQ(redis::classify("MISCONF Redis is configured"), ServerError::refused);
    EXPECT_EQ(redis::classify("ERR MOVED"), ServerError::command);
    EXPECT_EQ(redis::classify("WRONGTYPE Operation"), ServerError::command);
    EXPECT_EQ(redis::classify(""), ServerError::command);
}

TEST(ServerErrors, SayWhereToGo)
{
    const auto moved = redis::parse_redirect("MOVED 3999 10.0.0.1:6381", "asked");
    ASSERT_TRUE(moved);
    EXPECT_EQ(moved->slot, 3'999);
    EXPECT_EQ(moved->endpoint, (Endpoint{"10.0.0.1", 6381}));
    EXPECT_EQ(redis::parse_redirect("ASK 1 ::1:6381", "asked")->endpoint, (Endpoint{"::1", 6381}));
    EXPECT_EQ(redis::parse_redirect("MOVED 1 :6381", "asked")->endpoint, (Endpoint{"asked", 6381}));
    for (const auto* const error :
         {"MOVED",
          "MOVED 1",
          "MOVED x a:1",
          "MOVED 16384 a:1",
          "MOVED 1 a",
          "MOVED 1 a:",
          "MOVED 1 a:0",
          "MOVED 1 a:x"}) {
        EXPECT_FALSE(redis::parse_redirect(error, "asked")) << error;
    }
}

}  // namespace
}  // namespace kit::test
