// The contract's numbers, on both stores.
#include "platform/limits/memory_store.hpp"
#include "platform/limits/redis_store.hpp"
#include "stores.hpp"

namespace kit::test {

namespace {

using limits::Charge;
using limits::make_quota;
using limits::Quota;
using limits::Reason;
using limits::Verdict;
using namespace std::chrono_literals;

constexpr std::int64_t second = 1'000'000;

TEST(QuotaTest, FollowsTheContractsFormulas)
{
    struct Row {
        limits::Rate rate;
        std::int64_t limit;
        std::int64_t capacity;
    };

    for (const auto& [rate, limit, capacity] :
         {Row{{120, 1min, 1.5}, 120, 180},
          Row{{30, 1min, 1.5}, 30, 45},
          Row{{5, 1min, 1.5}, 5, 8},
          Row{{20, 1min, 1.5}, 20, 30},
          Row{{10, 1min, 1.5}, 10, 15},
          Row{{4, 10s, 1.5}, 1, 2},
          Row{{3, 10s, 1.0}, 1, 1},   // 0.5, away from zero
          Row{{9, 10s, 1.0}, 2, 2},   // 1.5
          Row{{15, 10s, 1.0}, 3, 3},  // 2.5
          Row{{1, 1s, 1.0}, 1, 1},    // at least 1
          Row{{20, 15min, 1.0}, 300, 300},
          Row{{10, 1min, 1.25}, 10, 13}}) {
        const auto quota = make_quota(rate);
        EXPECT_EQ(quota.limit, limit) << rate.per_minute;
        EXPECT_EQ(quota.full, capacity * limits::token) << rate.per_minute;
        EXPECT_EQ(quota.refill, rate.per_minute);
    }
    EXPECT_EQ(make_quota({120, 1min, 1.5}).expiry(), 90 * second);
    EXPECT_EQ(make_quota({120, 1min, 1.0}).expiry(), 60 * second);
}

TEST(QuotaTest, AHugeLimitIsABucketOfItsOwnSize)
{
    const auto quota = make_quota({1'000'000'000, 15min, 10.0});
    EXPECT_FALSE(quota.windowed());
    EXPECT_EQ(quota.limit, limits::limit_max);
    EXPECT_EQ(quota.full, limits::limit_max * limits::token);
    EXPECT_TRUE(make_quota({65'536, 1min, 1.5}).windowed());
    EXPECT_FALSE(make_quota({65'537, 1min, 1.5}).windowed());
}

class LimitsTest : public testing::TestWithParam<Side> {
protected:
    Verdict take(const Quota& quota, std::string_view key)
    {
        const auto now = side_.clock.now().time_since_epoch().count();
        if (GetParam() == Side::memory) {
            return memory_.take(quota, 0, key, now);
        }
        return side_.run(store_.take({{.quota = quota, .suffix = "api", .client = key}}, now)).at(0);
    }

    void wait(std::int64_t microseconds) { side_.clock.advance(std::chrono::microseconds(microseconds)); }

    std::int64_t now() const { return side_.clock.now().time_since_epoch().count(); }

    RedisSide side_;
    limits::MemoryStore memory_{side_.random};
    limits::RedisStore store_{*side_.client, RedisSide::fresh_prefix()};
};

KIT_BOTH_SIDES(LimitsTest);

TEST_P(LimitsTest, AdmitsExactlyTheLimitAndTellsWhatIsLeft)
{
    const auto quota = make_quota({5, 1min, 1.5});
    const auto start = now();
    for (std::int64_t left = 4; left >= 0; --left) {
        const auto verdict = take(quota, "sub:1");
        EXPECT_EQ(verdict, (Verdict{.admitted = true, .remaining = left, .reset = start + (60 * second)}));
        wait(second);
    }
    // The first of the five leaves in 55 s.
    EXPECT_EQ(
        take(quota, "sub:1"),
        (Verdict{
            .reason = Reason::window, .remaining = 0, .wait = 55 * second, .reset = start + (60 * second)
        })
    );
    EXPECT_TRUE(take(quota, "sub:2").admitted);
}

TEST_P(LimitsTest, WhoWaitsAsToldIsAdmitted)
{
    const auto quota = make_quota({3, 1min, 1.5});
    for (int round = 0; round < 20; ++round) {
        auto verdict = take(quota, "sub:1");
        if (!verdict.admitted) {
            wait(verdict.wait - 1);
            ASSERT_FALSE(take(quota, "sub:1").admitted);
            wait(1);
            verdict = take(quota, "sub:1");
        }
        ASSERT_TRUE(verdict.admitted) << round;
        wait(round * second / 3);
    }
}

TEST_P(LimitsTest, TheBucketCountsWhereTheLimitWasRoundedUp)
{
    const auto quota = make_quota({4, 10s, 1.5});
    for (int admitted = 0; admitted < 4; ++admitted) {
        EXPECT_TRUE(take(quota, "sub:1").admitted) << admitted;
        wait(10 * second);
    }
    EXPECT_EQ(
        take(quota, "sub:1"),
        (Verdict{.reason = Reason::bucket, .remaining = 0, .wait = 5 * second, .reset = now() + (5 * second)})
    );
}

TEST_P(LimitsTest, ALoweredLimitTellsTheTrueWait)
{
    const auto before = make_quota({5, 1min, 1.5});
    for (int admitted = 0; admitted < 5; ++admitted) {
        EXPECT_TRUE(take(before, "sub:1").admitted);
        wait(second);
    }
    // Of five admissions, four must leave: the fourth was 2 s ago.
    const auto verdict = take(make_quota({2, 1min, 1.5}), "sub:1");
    EXPECT_FALSE(verdict.admitted);
    EXPECT_EQ(verdict.wait, 58 * second);
}

TEST_P(LimitsTest, AClockSetBackFarStartsAnew)
{
    const auto quota = make_quota({1, 1min, 1.0});
    EXPECT_TRUE(take(quota, "sub:1").admitted);
    wait(-30 * second);
    EXPECT_FALSE(take(quota, "sub:1").admitted);
    wait(-31 * second);
    EXPECT_TRUE(take(quota, "sub:1").admitted);
}

TEST_P(LimitsTest, AHugeLimitKeepsNoTimes)
{
    const auto quota = make_quota({600'000, 1min, 1.5});
    const auto verdict = take(quota, "sub:1");
    EXPECT_EQ(verdict, (Verdict{.admitted = true, .remaining = 599'999, .reset = now() + (60 * second)}));
    wait(1'000);
    EXPECT_EQ(take(quota, "sub:1").remaining, 599'999);
}

TEST(RedisStoreTest, KeysKeepAClientOnOneNodeOfACluster)
{
    RedisSide side;
    const limits::RedisStore store(*side.client, "v1:rl");
    EXPECT_EQ(store.key({.quota = {}, .suffix = "api", .client = "sub:1"}), "v1:rl:api:{sub:1}");
    EXPECT_EQ(
        store.key({.quota = {}, .suffix = "route:login", .client = "203.0.113.9"}),
        "v1:rl:route:login:{203.0.113.9}"
    );
}

TEST(RedisStoreTest, TwoLimitsOfOneClientCostOneCall)
{
    RedisSide side;
    limits::RedisStore store(*side.client, "one-call");
    const std::vector<Charge> charges{
        {.quota = make_quota({120, 1min, 1.5}), .suffix = "api", .client = "sub:1"},
        {.quota = make_quota({1, 1min, 1.5}), .suffix = "route:refresh", .client = "sub:1"}
    };
    const auto now = side.clock.now().time_since_epoch().count();
    EXPECT_EQ(side.run(store.take(charges, now)).size(), 2U);
    const auto before = RedisSide::server().calls("evalsha");
    const auto verdicts = side.run(store.take(charges, now));
    EXPECT_EQ(RedisSide::server().calls("evalsha"), before + 1);
    ASSERT_EQ(verdicts.size(), 2U);
    EXPECT_TRUE(verdicts[0].admitted);
    EXPECT_FALSE(verdicts[1].admitted);
}

TEST(RedisStoreTest, AFirstRefusalLeavesTheSecondLimitAlone)
{
    RedisSide side;
    limits::RedisStore store(*side.client, "in-order");
    const auto one = make_quota({1, 1min, 1.0});
    const auto now = side.clock.now().time_since_epoch().count();
    side.run(store.take({{.quota = one, .suffix = "api", .client = "sub:1"}}, now));
    const auto verdicts = side.run(store.take(
        {{.quota = one, .suffix = "api", .client = "sub:1"},
         {.quota = one, .suffix = "auth", .client = "203.0.113.9"}},
        now
    ));
    EXPECT_EQ(verdicts.size(), 1U);
    EXPECT_EQ(RedisSide::server().command({"EXISTS", "in-order:auth:{203.0.113.9}"}), "0");
}

TEST(RedisStoreTest, KeysExpireWhenTheyAreAsGoodAsNew)
{
    RedisSide side;
    limits::RedisStore store(*side.client, "expiry");
    side.run(store.take(
        {{.quota = make_quota({120, 1min, 1.5}), .suffix = "api", .client = "sub:1"}},
        side.clock.now().time_since_epoch().count()
    ));
    for (const std::string key : {"expiry:api:{sub:1}", "expiry:api:{sub:1}:sw"}) {
        const auto left = std::stol(RedisSide::server().command({"PTTL", key}));
        EXPECT_GT(left, 80'000) << key;
        EXPECT_LE(left, 90'000) << key;
    }
}

}  // namespace

}  // namespace kit::test
