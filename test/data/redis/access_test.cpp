// How the client gets in: users, databases, old servers, TLS; and sentinels and clusters.
#include "platform/redis/slots.hpp"
#include "redis/redis_fixture.hpp"

#include <gmock/gmock.h>

#include <fstream>

namespace kit::test {
namespace {

using redis::Command;
using redis::Failure;
using redis::Reply;

constexpr redis::Script count_up{
    .name = "count_up",
    .source = "return redis.call('INCR', KEYS[1])",
};

TEST(RedisAccess, UserAndDatabase)
{
    RedisServer server({.acl_users = {"app on >secret ~app:* +@all", "default off"}});
    auto options = options_for(server.address());
    options.username = "app";
    options.password = "secret";
    options.database = 3;
    RedisClient redis(std::move(options));
    EXPECT_EQ(redis.text({"ACL", "WHOAMI"}), "app");
    EXPECT_EQ(redis.text({"SET", "app:key", "1"}), "OK");
    EXPECT_THAT(redis.text({"CLIENT", "INFO"}), testing::HasSubstr("name=everything-backend"));
    EXPECT_THAT(redis.text({"CLIENT", "INFO"}), testing::HasSubstr("db=3"));
    EXPECT_THAT(redis.text({"CLIENT", "INFO"}), testing::HasSubstr("resp=3"));
    EXPECT_EQ(redis.failure({"SET", "other", "1"}), Failure::not_authenticated);
    EXPECT_TRUE(redis.client.available()) << "one command is forbidden, not all";
}

TEST(RedisAccess, DatabaseThatIsNotThere)
{
    RedisServer server;
    auto options = options_for(server.address());
    options.database = 99;
    RedisClient redis(std::move(options));
    EXPECT_EQ(redis.failure({"PING"}), Failure::other) << "never the wrong database";
}

TEST(RedisAccess, ServerThatDoesNotKnowHello)
{
    RedisServer server({.password = "secret", .more = {"--rename-command", "HELLO", ""}});
    auto options = options_for(server.address());
    options.password = "secret";
    options.database = 1;
    RedisClient redis(std::move(options));
    EXPECT_EQ(redis.text({"SET", "key", "1"}), "OK");
    EXPECT_EQ(redis.text({"GET", "key"}), "1");
    EXPECT_THAT(redis.text({"CLIENT", "INFO"}), testing::HasSubstr("resp=2"));
    EXPECT_THAT(redis.text({"CLIENT", "INFO"}), testing::HasSubstr("db=1"));
    EXPECT_EQ(redis.eval(count_up, {"n"}, {}).integer, 1);
}

TEST(RedisAccess, Tls)
{
    RedisServer server({.tls = true});
    const auto options = [&server](TlsSettings tls) {
        auto made = options_for("127.0.0.1:" + std::to_string(server.tls_port()));
        made.tls = std::move(tls);
        return made;
    };
    RedisClient redis(options({.server_name = "redis.test", .ca_file = server.ca_file()}));
    EXPECT_EQ(redis.text({"SET", "key", std::string(300'000, 'x')}), "OK") << "many records";
    EXPECT_EQ(redis.text({"GET", "key"}).size(), 300'000);
    RedisClient careless(options({.skip_verify = true}));
    EXPECT_EQ(careless.failure({"PING"}), std::nullopt);
    RedisClient wrong_name(options({.server_name = "other.test", .ca_file = server.ca_file()}));
    EXPECT_EQ(wrong_name.failure({"PING"}), Failure::not_authenticated);
    RedisClient stranger(options({.server_name = "redis.test"}));
    EXPECT_EQ(stranger.failure({"PING"}), Failure::not_authenticated) << "no root that we trust";
    RedisClient plain(options_for("127.0.0.1:" + std::to_string(server.tls_port())));
    EXPECT_NE(plain.failure({"PING"}), std::nullopt);
}

TEST(RedisAccess, TlsWhereThereIsNone)
{
    RedisServer server;
    auto options = options_for(server.address());
    options.tls = TlsSettings{.server_name = "redis.test"};
    RedisClient redis(std::move(options));
    EXPECT_NE(redis.failure({"PING"}), std::nullopt);
}

TEST(RedisAccess, CaFileWithoutCertificates)
{
    auto options = options_for("127.0.0.1:1");
    options.tls = TlsSettings{.ca_file = "/dev/null"};
    EXPECT_THROW(RedisClient{options}, TlsError);
}

TEST(RedisAccess, Sentinel)
{
    RedisServer master;
    RedisServer replica;
    replica.command({"REPLICAOF", "127.0.0.1", std::to_string(master.port())});
    TempDir folder;
    const auto file = folder.path() / "sentinel.conf";
    std::ofstream(file) << "sentinel monitor main 127.0.0.1 " << master.port() << " 1\n"
                        << "sentinel down-after-milliseconds main 500\n"
                        << "sentinel failover-timeout main 2000\n";
    RedisServer sentinel({.more = {}, .sentinel_file = file});
    RedisClient redis(options_for("sentinel://127.0.0.1:1," + sentinel.address() + "/main"));
    EXPECT_EQ(redis.text({"SET", "key", "1"}), "OK") << "the first sentinel is not there";
    EXPECT_EQ(master.command({"GET", "key"}), "1");
    const auto deadline = std::chrono::steady_clock::now() + generous;
    while (sentinel.command({"SENTINEL", "replicas", "main"}).empty() &&
           std::chrono::steady_clock::now() < deadline) {
        block_on(redis.loops.executor(0), redis.clock.sleep_for(std::chrono::milliseconds(50)));
    }
    master.crash();
    ASSERT_TRUE(redis.recovers());
    EXPECT_EQ(redis.text({"SET", "key", "2"}), "OK");
    EXPECT_EQ(replica.command({"GET", "key"}), "2");
}

TEST(RedisAccess, SentinelWithAPasswordOfItsOwn)
{
    RedisServer master({.password = "right"});
    TempDir folder;
    const auto file = folder.path() / "sentinel.conf";
    std::ofstream(file) << "requirepass guard\n"
                        << "sentinel monitor main 127.0.0.1 " << master.port() << " 1\n"
                        << "sentinel auth-pass main right\n";
    RedisServer sentinel({.password = "guard", .more = {}, .sentinel_file = file});
    auto options = options_for("sentinel://" + sentinel.address() + "/main");
    options.password = "right";
    RedisClient stranger(options);
    EXPECT_EQ(stranger.failure({"PING"}), Failure::not_authenticated);
    options.sentinel_password = "wrong";
    RedisClient mistaken(options);
    EXPECT_EQ(mistaken.failure({"PING"}), Failure::not_authenticated);
    options.sentinel_password = "guard";
    RedisClient redis(options);
    EXPECT_EQ(redis.text({"SET", "key", "1"}), "OK");
    options.sentinel_username = "default";
    RedisClient by_name(options);
    EXPECT_EQ(by_name.text({"GET", "key"}), "1");
}

TEST(RedisAccess, SentinelThatDoesNotKnowTheName)
{
    TempDir folder;
    const auto file = folder.path() / "sentinel.conf";
    std::ofstream(file) << "\n";
    RedisServer sentinel({.more = {}, .sentinel_file = file});
    RedisClient redis(options_for("sentinel://" + sentinel.address() + "/nobody"));
    EXPECT_EQ(redis.failure({"PING"}), Failure::connection_lost);
}

// A key of each node.
std::array<std::string, RedisCluster::size> keys_of_nodes()
{
    std::array<std::string, RedisCluster::size> keys;
    for (int number = 0; std::ranges::any_of(keys, &std::string::empty); ++number) {
        auto key = "key" + std::to_string(number);
        keys[RedisCluster::owner_of(redis::slot_of(key))] = std::move(key);
    }
    return keys;
}

TEST(RedisCluster, FindsTheServerOfAKey)
{
    RedisCluster cluster;
    RedisClient redis(options_for(cluster.addresses()));
    const auto keys = keys_of_nodes();
    for (const auto& key : keys) {
        EXPECT_EQ(redis.text({"SET", key, key}), "OK");
        EXPECT_EQ(redis.eval(count_up, {"{" + key + "}:n"}, {}).integer, 1);
    }
    std::vector<Command> commands;
    for (const auto& key : keys) {
        commands.push_back({"GET", key});
    }
    const auto replies = block_on(redis.loops.executor(0), redis.client.run_all(std::move(commands)));
    for (std::size_t index = 0; index < keys.size(); ++index) {
        EXPECT_EQ(replies[index].text, keys[index]);
        EXPECT_EQ(cluster.node(index).command({"GET", keys[index]}), keys[index]);
        EXPECT_EQ(cluster.node(index).calls("get"), 2) << "no detour";
        EXPECT_EQ(cluster.node(index).info("clients", "connected_clients"), "2") << "ours and redis-cli";
    }
    EXPECT_EQ(redis.failure({"PING"}), std::nullopt);
}

TEST(RedisCluster, OneAddressIsEnough)
{
    RedisCluster cluster;
    RedisClient redis(options_for(cluster.node(2).address()));
    for (const auto& key : keys_of_nodes()) {
        EXPECT_EQ(redis.text({"SET", key, key}), "OK");
    }
}

TEST(RedisCluster, FollowsASlotThatMoves)
{
    RedisCluster cluster;
    RedisClient redis(options_for(cluster.addresses()));
    const auto keys = keys_of_nodes();
    const int slot = redis::slot_of(keys[0]);
    redis.run({"PING"});
    cluster.begin_move(slot, 0, 1);
    EXPECT_EQ(redis.text({"SET", keys[0], "1"}), "OK") << "ASK: the key is not with the old owner any more";
    EXPECT_EQ(redis.text({"GET", keys[0]}), "1");
    cluster.end_move(slot, 0, 1);
    EXPECT_EQ(redis.text({"GET", keys[0]}), "1") << "MOVED";
    const auto before = cluster.node(0).calls("get");
    EXPECT_EQ(redis.text({"GET", keys[0]}), "1");
    EXPECT_EQ(cluster.node(0).calls("get"), before) << "it has learnt";
}

// Two keys of one slot that moves, and only the first has arrived.
class HalfMoved : public testing::Test {
protected:
    HalfMoved()
    {
        RedisClient redis(options_for(cluster.addresses()));
        EXPECT_EQ(redis.text({"SET", first, "1"}), "OK");
        EXPECT_EQ(redis.text({"SET", second, "2"}), "OK");
        cluster.begin_move(slot, 0, 1);
        move(first);
    }

    void move(const std::string& key)
    {
        const auto port = std::to_string(cluster.node(1).port());
        EXPECT_EQ(cluster.node(0).command({"MIGRATE", "127.0.0.1", port, key, "0", "1000"}), "OK");
    }

    // By the old owner or the new one: that depends on Redis' version.
    bool was_told_to_try_again()
    {
        return !cluster.node(0).info("errorstats", "errorstat_TRYAGAIN").empty() ||
               !cluster.node(1).info("errorstats", "errorstat_TRYAGAIN").empty();
    }

    RedisCluster cluster;
    const std::string tag = "{" + keys_of_nodes()[0] + "}";
    const std::string first = tag + ":a";
    const std::string second = tag + ":b";
    const int slot = redis::slot_of(tag + ":a");
};

TEST_F(HalfMoved, ACommandForBothWaitsUntilTheyAreTogether)
{
    auto options = options_for(cluster.addresses());
    options.command_time_max = generous;
    RedisClient redis(std::move(options));
    auto reply =
        asio::co_spawn(redis.loops.executor(0), redis.client.run({"MGET", first, second}), asio::use_future);
    const auto deadline = std::chrono::steady_clock::now() + generous;
    while (!was_told_to_try_again() && std::chrono::steady_clock::now() < deadline) {
    }
    ASSERT_TRUE(was_told_to_try_again());
    EXPECT_EQ(reply.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
    move(second);
    cluster.end_move(slot, 0, 1);
    const auto items = reply.get().items;
    ASSERT_EQ(items.size(), 2);
    EXPECT_EQ(items[0].text, "1");
    EXPECT_EQ(items[1].text, "2");
}

TEST_F(HalfMoved, ItWaitsNoLongerThanItsTimeAndBlamesNoServer)
{
    auto options = options_for(cluster.addresses());
    const auto limit = options.command_time_max;
    RedisClient redis(std::move(options));
    EXPECT_EQ(redis.failure({"PING"}), std::nullopt);
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(redis.failure({"MGET", first, second}), Failure::cluster);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, limit + slack + std::chrono::milliseconds(100));
    EXPECT_EQ(redis.text({"GET", first}), "1") << "no breaker is open";
    EXPECT_EQ(redis.text({"GET", second}), "2");
}

TEST(RedisCluster, LosesOnlyThePartThatIsDown)
{
    RedisCluster cluster;
    RedisClient redis(options_for(cluster.addresses()));
    const auto keys = keys_of_nodes();
    for (const auto& key : keys) {
        EXPECT_EQ(redis.text({"SET", key, key}), "OK");
    }
    cluster.node(0).pause();
    EXPECT_EQ(redis.failure({"GET", keys[0]}), Failure::timed_out);
    EXPECT_EQ(redis.failure({"GET", keys[0]}), Failure::breaker_open);
    EXPECT_EQ(redis.text({"GET", keys[1]}), keys[1]);
    EXPECT_EQ(redis.failure({"PING"}), std::nullopt);
    EXPECT_TRUE(redis.client.available());
    cluster.node(0).resume();
    const auto deadline = std::chrono::steady_clock::now() + generous;
    while (redis.failure({"GET", keys[0]}) && std::chrono::steady_clock::now() < deadline) {
        block_on(redis.loops.executor(0), redis.clock.sleep_for(std::chrono::milliseconds(5)));
    }
    EXPECT_EQ(redis.text({"GET", keys[0]}), keys[0]);
}

}  // namespace
}  // namespace kit::test
