// Copies in Redis of what nodes keep: who finds whose, and what no outage or forgery may do.
#include "platform/cache/copies.hpp"

#include "data/db/database_fixture.hpp"
#include "data/redis/redis_fixture.hpp"
#include "platform/cache/list_cache.hpp"
#include "platform/db/migrations.hpp"
#include "support/manual_clock.hpp"

#include <atomic>

namespace kit::cache {
namespace {

using std::chrono::seconds;

struct Fill {
    std::string data;
    std::atomic<int>& runs;

    Task<ListBodyPtr> operator()() const
    {
        ++runs;
        co_return list_body(data, "</next>; rel=\"next\"");
    }
};

// Two nodes on one database and one Redis.
class CacheCopies : public testing::Test {
protected:
    CacheCopies() : database_("sqlite::memory:"), client_(options(redis_))
    {
        database_.run(db::migrate_up(*database_, db::embedded_migrations(db::Engine::sqlite), clock_.now()));
    }

    struct Node {
        Node(CacheCopies& test, const std::string& secret = "shared")
            : copies(test.client_.client, test.clock_, {.prefix = "v1:lists", .secret = secret}),
              epochs(*test.database_, test.clock_),
              lists(
                  Namespace(epochs, "things"),
                  test.clock_,
                  test.client_.metrics,
                  {.ttl = seconds(30), .copies = &copies}
              )
        {
        }

        Copies copies;
        Epochs epochs;
        ListCache lists;
    };

    static redis::Options options(const test::RedisServer& redis)
    {
        auto options = test::options_for(redis.address());
        options.command_time_max = std::chrono::milliseconds(500);
        return options;
    }

    ListBodyPtr read(Node& node, const std::string& data, const std::string& key = "k")
    {
        return block_on(client_.loops.executor(0), node.lists.read(key, Fill{.data = data, .runs = runs_}));
    }

    void change(Node& node)
    {
        node.epochs.publish(database_.run(Epochs::raise(*database_, {node.lists.space()})));
    }

    void learn(Node& node) { database_.run(node.epochs.learn()); }

    test::ManualClock clock_;
    test::RedisServer redis_;
    db::Opened database_;
    test::RedisClient client_;
    std::atomic<int> runs_{0};
};

TEST_F(CacheCopies, OneNodesWorkServesTheOther)
{
    Node here(*this);
    Node there(*this);
    change(here);
    learn(there);
    const auto made = read(here, "[1]");
    const auto copied = read(there, "[2]");
    EXPECT_EQ(copied->data, "[1]");
    EXPECT_EQ(copied->etag, made->etag);
    EXPECT_EQ(copied->links, made->links);
    EXPECT_EQ(runs_, 1);
    EXPECT_EQ(redis_.command({"--scan"}).substr(0, 21), "v1:lists:data:things:");
}

TEST_F(CacheCopies, AChangeLeavesThemBehind)
{
    Node here(*this);
    Node there(*this);
    change(here);
    learn(there);
    read(here, "[1]");
    change(there);
    EXPECT_EQ(read(there, "[2]")->data, "[2]") << "not the copy of before";
    EXPECT_EQ(read(here, "[3]")->data, "[1]") << "has not learned of it";
    learn(here);
    EXPECT_EQ(read(here, "[3]")->data, "[2]");
}

TEST_F(CacheCopies, ACopyIsAsOldAsItsOriginal)
{
    Node here(*this);
    Node there(*this);
    change(here);
    learn(there);
    read(here, "[1]");
    clock_.advance(seconds(20));
    EXPECT_EQ(read(there, "[2]")->data, "[1]");
    clock_.advance(seconds(10));
    redis_.command({"FLUSHALL"});  // its own expiry follows the server's clock
    EXPECT_EQ(read(there, "[2]")->data, "[2]");
    const auto key = redis_.command({"--scan"});
    const auto left = std::stoll(redis_.command({"PTTL", key}));
    EXPECT_GT(left, 20'000);
    EXPECT_LE(left, 30'000);
}

TEST_F(CacheCopies, NothingIsSharedBeforeTheFirstChange)
{
    Node here(*this);
    read(here, "[1]");
    EXPECT_EQ(redis_.command({"DBSIZE"}), "0") << "any new database begins in the epoch 0";
}

// Whoever may write to Redis cannot say what users may do, nor can another installation on the same server.
TEST_F(CacheCopies, OnlyWhatOurNodesWroteUnderThisNameCounts)
{
    Node here(*this);
    Node there(*this);
    Node stranger(*this, "another secret");
    change(here);
    learn(there);
    learn(stranger);
    read(here, "[1]");
    EXPECT_EQ(read(stranger, "[s]")->data, "[s]");
    EXPECT_EQ(read(there, "[t]")->data, "[t]") << "the stranger's copy is none";
    read(here, "[other]", "other");
    const auto key =
        redis_key("v1:lists", {.space = "things", .epoch = here.lists.space().epoch(), .key = "k"});
    const auto other =
        redis_key("v1:lists", {.space = "things", .epoch = here.lists.space().epoch(), .key = "other"});
    redis_.command({"COPY", other, key, "REPLACE"});
    Node third(*this);
    learn(third);
    EXPECT_EQ(read(third, "[3]")->data, "[3]") << "moved to another name";
    redis_.command({"SET", key, "short"});
    Node fourth(*this);
    learn(fourth);
    EXPECT_EQ(read(fourth, "[4]")->data, "[4]");
    redis_.command({"DEL", key});
    redis_.command({"LPUSH", key, "a list"});
    Node fifth(*this);
    learn(fifth);
    EXPECT_EQ(read(fifth, "[5]")->data, "[5]") << "of another type";
}

TEST_F(CacheCopies, AnOutageCostsNothingButSpeed)
{
    Node here(*this);
    Node there(*this);
    change(here);
    learn(there);
    read(here, "[1]");
    redis_.crash();
    EXPECT_EQ(read(here, "[2]")->data, "[1]") << "kept in the process";
    EXPECT_EQ(read(there, "[2]")->data, "[2]") << "made anew";
    change(here);
    EXPECT_EQ(read(here, "[3]")->data, "[3]");
    learn(there);
    EXPECT_EQ(read(there, "[4]")->data, "[4]");
    redis_.start();
    ASSERT_TRUE(client_.recovers());
    change(here);
    learn(there);
    read(here, "[5]");
    EXPECT_EQ(read(there, "[6]")->data, "[5]") << "shared again";
}

TEST_F(CacheCopies, ASilentRedisCostsOneWait)
{
    Node here(*this);
    change(here);
    read(here, "[1]");
    redis_.pause();
    const auto started = std::chrono::steady_clock::now();
    for (int key = 0; key < 50; ++key) {
        EXPECT_EQ(read(here, "[2]", std::to_string(key))->data, "[2]");
    }
    EXPECT_LT(std::chrono::steady_clock::now() - started, seconds(3))
        << "the breaker is open after the first";
    redis_.resume();
}

TEST_F(CacheCopies, AbsencesAreSharedToo)
{
    Node here(*this);
    Copies copies(client_.client, clock_, {.prefix = "v1:absent", .secret = "shared"});
    change(here);
    NegativeCache one(here.lists.space(), clock_, client_.metrics, {.copies = &copies});
    NegativeCache two(here.lists.space(), clock_, client_.metrics, {.copies = &copies});
    int asked = 0;

    struct Exists {
        int& asked;

        Task<bool> operator()() const
        {
            ++asked;
            co_return false;
        }
    };

    const auto exists = [&](NegativeCache& cache) {
        return block_on(client_.loops.executor(0), cache.exists(777, Exists{asked}));
    };
    EXPECT_FALSE(exists(one));
    EXPECT_FALSE(exists(two));
    EXPECT_EQ(asked, 1);
}

// The contract's vectors: what stands for a question.
TEST(CacheKeys, VectorsOfTheContract)
{
    const auto hash = [](const std::string& key) {
        const auto whole = redis_key("P", {.space = "n", .epoch = 5, .key = key});
        EXPECT_EQ(whole.substr(0, 11), "P:data:n:5:");
        return whole.substr(11);
    };
    const auto key = list_key("admin.roles.list", 1, {{"page_size", "5"}, {"name", "a"}});
    EXPECT_EQ(key, "admin.roles.list|actor=1|query=name=a&page_size=5");
    EXPECT_EQ(hash(key), "18df363d0f68b08dc729bddedd56a7c121fa22fd9b2f772147d15688aac50196");
    EXPECT_EQ(hash("777"), "eaf89db7108470dc3f6b23ea90618264b3e8f8b6145371667c4055e9c5ce9f52");
    EXPECT_EQ(
        hash("u:1|roles:admin,user|org:x|env:"),
        "e3f6859e485a03b85ca31eb4724c8b8bd5badaa951cd682caa984cdf4c58a2b4"
    );
    EXPECT_EQ(
        list_key("n", 2, {{"q", "a b&c"}, {"b", "ü"}, {"b", "a"}}), "n|actor=2|query=b=%C3%BC&b=a&q=a+b%26c"
    );
}

}  // namespace
}  // namespace kit::cache
