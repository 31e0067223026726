// The abuse guard's schedule, on both stores.
#include "platform/limits/cooldown.hpp"

#include "stores.hpp"

namespace kit::test {

namespace {

using limits::Attempt;
using std::chrono::milliseconds;
using namespace std::chrono_literals;

class CooldownTest : public testing::TestWithParam<Side> {
protected:
    std::unique_ptr<limits::Cooldowns> make(const limits::CooldownSettings& settings)
    {
        return GetParam() == Side::memory
                   ? limits::make_memory_cooldowns(settings)
                   : limits::make_redis_cooldowns(settings, *side_.client, RedisSide::fresh_prefix());
    }

    milliseconds fail(const Attempt& attempt)
    {
        return side_.run(cooldowns_->fail(attempt, side_.clock.now()));
    }

    milliseconds remaining(const Attempt& attempt)
    {
        return side_.run(cooldowns_->remaining(attempt, side_.clock.now()));
    }

    void forgive(const Attempt& attempt) { side_.run(cooldowns_->forgive(attempt, side_.clock.now())); }

    RedisSide side_;
    std::unique_ptr<limits::Cooldowns> cooldowns_ = make({});
    const Attempt ada_{.own = "login:id:ada", .shared = "login:ip:home"};
    const Attempt bob_{.own = "login:id:bob", .shared = "login:ip:home"};
};

KIT_BOTH_SIDES(CooldownTest);

TEST_P(CooldownTest, ThreeAreFreeThenItDoublesUpToTheMost)
{
    for (const auto expected : {0s, 0s, 0s, 2s, 4s, 8s, 16s, 32s, 64s, 128s, 256s, 300s, 300s}) {
        EXPECT_EQ(remaining(ada_), 0s);
        EXPECT_EQ(fail(ada_), expected);
        EXPECT_EQ(remaining(ada_), expected);
        side_.clock.advance(expected);
    }
}

TEST_P(CooldownTest, AFractionalMultiplierIsFlooredToMilliseconds)
{
    cooldowns_ = make({.free_attempts = 0, .base = 1000ms, .multiplier = 1.3, .max = 5000ms});
    for (const auto expected : {1000ms, 1300ms, 1690ms, 2197ms, 2856ms, 3712ms, 4826ms, 5000ms}) {
        EXPECT_EQ(fail(ada_), expected);
    }
    cooldowns_ = make({.free_attempts = 0, .base = 1000ms, .multiplier = 1.0, .max = 5000ms});
    EXPECT_EQ(fail(ada_), 1000ms);
    EXPECT_EQ(fail(ada_), 1000ms);
}

TEST_P(CooldownTest, AccountAndAddressCountApart)
{
    for (int failure = 0; failure < 4; ++failure) {
        fail(ada_);
    }
    EXPECT_EQ(remaining({.own = "login:id:ada", .shared = "login:ip:elsewhere"}), 2s);
    EXPECT_EQ(remaining(bob_), 2s);
    EXPECT_EQ(remaining({.own = "login:id:bob", .shared = "login:ip:elsewhere"}), 0s);
    EXPECT_EQ(remaining({.own = "forgot:id:ada", .shared = "forgot:ip:home"}), 0s);
}

TEST_P(CooldownTest, LongWithoutAFailureAllIsForgotten)
{
    for (int failure = 0; failure < 4; ++failure) {
        fail(ada_);
    }
    side_.clock.advance(30min);
    EXPECT_EQ(fail(ada_), 4s);  // exactly the window: not yet
    side_.clock.advance(30min + 1ms);
    EXPECT_EQ(fail(ada_), 0s);
}

TEST_P(CooldownTest, SuccessClearsTheAccountAndOnlyItsOwnFailuresOfTheAddress)
{
    for (int failure = 0; failure < 2; ++failure) {
        fail(ada_);
        fail(bob_);
        side_.clock.advance(2s);
    }
    EXPECT_EQ(fail(bob_), 4s);  // the address's fifth
    forgive(ada_);
    EXPECT_EQ(remaining({.own = "", .shared = "login:ip:home"}), 0s);  // three are left: free
    EXPECT_EQ(fail(bob_), 2s);
    forgive(bob_);
    EXPECT_EQ(fail(ada_), 0s);
    EXPECT_EQ(fail(ada_), 0s);
    EXPECT_EQ(fail(ada_), 0s);
    EXPECT_EQ(fail(ada_), 2s);
}

TEST_P(CooldownTest, AnEmptyNameCountsNowhere)
{
    const Attempt blank{.own = "", .shared = ""};
    for (int failure = 0; failure < 5; ++failure) {
        EXPECT_EQ(fail(blank), 0s);
    }
    EXPECT_EQ(remaining(blank), 0s);
    forgive(blank);
}

TEST_P(CooldownTest, AnAddressTellsAsManyAccountsApartAsItMay)
{
    const auto stranger = [](std::size_t number) {
        return Attempt{.own = "login:id:" + std::to_string(number), .shared = "login:ip:home"};
    };
    const auto most = limits::Cooldowns::attempts_apart_max;
    for (std::size_t number = 0; number <= most; ++number) {
        fail(stranger(number));
    }
    forgive(stranger(most));  // not told apart: stays counted
    EXPECT_EQ(fail(stranger(0)), 300s);
    for (std::size_t number = 0; number < most; ++number) {
        forgive(stranger(number));
    }
    EXPECT_EQ(fail({.own = "", .shared = "login:ip:home"}), 0s);  // the second
}

TEST(MemoryCooldownTest, TheOldestFailureIsForgottenWhereThereIsNoRoom)
{
    RedisSide side;
    const auto cooldowns = limits::make_memory_cooldowns({.free_attempts = 0}, 100);
    for (int name = 0; name < 101; ++name) {
        side.run(cooldowns->fail({.own = std::to_string(name), .shared = ""}, side.clock.now()));
    }
    EXPECT_EQ(side.run(cooldowns->remaining({.own = "0", .shared = ""}, side.clock.now())), 0s);
    EXPECT_EQ(side.run(cooldowns->remaining({.own = "1", .shared = ""}, side.clock.now())), 2s);
}

TEST(RedisCooldownTest, KeysAreTheContractsHashes)
{
    RedisSide side;
    const auto cooldowns = limits::make_redis_cooldowns({}, *side.client, "v1:auth_abuse");
    side.run(cooldowns->fail({.own = "login:id:x", .shared = ""}, side.clock.now()));
    auto& server = RedisSide::server();
    EXPECT_EQ(server.command({"HGET", "v1:auth_abuse:login:id:x", "fail_count"}), "1");
    const auto now =
        std::to_string(std::chrono::floor<milliseconds>(side.clock.now()).time_since_epoch().count());
    EXPECT_EQ(server.command({"HGET", "v1:auth_abuse:login:id:x", "last_failure_ms"}), now);
    EXPECT_EQ(server.command({"HGET", "v1:auth_abuse:login:id:x", "cooldown_until_ms"}), now);
    EXPECT_GT(std::stol(server.command({"TTL", "v1:auth_abuse:login:id:x"})), 1850);
}

}  // namespace

}  // namespace kit::test
