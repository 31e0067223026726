// The guard against guessing passwords, as clients see it.
#include "api_fixture.hpp"
#include "support/redis_server.hpp"

namespace kit::test {

namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr const char* right = "Correct-Horse-42";

ApiRequest login(const std::string& email, const std::string& password, std::string peer = "192.0.2.7")
{
    return {
        .method = "POST",
        .path = "/api/v1/auth/local/login",
        .body = R"({"email":")" + email + R"(","password":")" + password + R"("})",
        .peer = std::move(peer)
    };
}

enum class Store : std::uint8_t { memory, redis };

class AbuseApi : public testing::TestWithParam<std::tuple<ApiEngine, Store>> {
protected:
    AbuseApi()
    {
        if (std::get<1>(GetParam()) == Store::redis) {
            redis_ = std::make_unique<RedisServer>();
        }
    }

    std::unique_ptr<Api> make(const std::function<void(config::Config&)>& more = {})
    {
        return std::make_unique<Api>(std::get<0>(GetParam()), [&](config::Config& config) {
            config.abuse.enabled = true;
            if (redis_) {
                config.redis.address = redis_->address();
            }
            if (more) {
                more(config);
            }
        });
    }

    std::unique_ptr<RedisServer> redis_;
};

INSTANTIATE_TEST_SUITE_P(
    All,
    AbuseApi,
    testing::Combine(
        testing::Values(ApiEngine::sqlite, ApiEngine::postgres), testing::Values(Store::memory, Store::redis)
    ),
    [](const auto& info) {
        return std::string(std::get<0>(info.param) == ApiEngine::sqlite ? "sqlite" : "postgres") +
               (std::get<1>(info.param) == Store::memory ? "_memory" : "_redis");
    }
);

TEST_P(AbuseApi, TheScheduleIsTheContracts)
{
    const auto api = make();
    CookieJar jar;
    ASSERT_EQ(api->sign_up(jar).status, 201);
    for (int failure = 0; failure < 3; ++failure) {
        EXPECT_EQ(api->send(login(" ADA@example.com ", "no")).status, 401);
    }
    for (const auto wait : {2, 4, 8, 16}) {
        EXPECT_EQ(api->send(login("ada@example.com", "no")).status, 401);
        api->clock().advance(500ms);
        const auto refused = api->send(login("ada@example.com", right));
        EXPECT_EQ(refused.status, 429);
        EXPECT_THAT(refused.body, HasSubstr(R"("code":"RATE_LIMITED","message":"too many requests")"));
        EXPECT_EQ(refused.header("Retry-After"), std::to_string(wait));  // rounded up
        EXPECT_EQ(refused.all("X-RateLimit-Limit"), std::vector<std::string>{"0"});
        EXPECT_EQ(refused.header("X-RateLimit-Remaining"), "0");
        const auto now = std::chrono::floor<std::chrono::seconds>(api->clock().now()).time_since_epoch();
        EXPECT_EQ(refused.header("X-RateLimit-Reset"), std::to_string(now.count() + wait));
        // The same account from elsewhere, and another one from here.
        EXPECT_EQ(api->send(login("ada@example.com", right, "198.51.100.1")).status, 429);
        EXPECT_EQ(api->send(login("bob@example.com", "no")).status, 429);
        api->clock().advance(std::chrono::seconds(wait));
    }
    EXPECT_EQ(api->send(login("ada@example.com", right)).status, 200);
}

TEST_P(AbuseApi, SuccessForgivesTheAccountAndNobodyElse)
{
    const auto api = make();
    CookieJar jar;
    ASSERT_EQ(api->sign_up(jar).status, 201);
    for (int failure = 0; failure < 3; ++failure) {
        EXPECT_EQ(api->send(login("ada@example.com", "no")).status, 401);
    }
    EXPECT_EQ(api->send(login("ada@example.com", right)).status, 200);
    for (int failure = 0; failure < 3; ++failure) {
        EXPECT_EQ(api->send(login("bob@example.com", "no")).status, 401) << failure;
    }
    // An attacker's own account does not reset what he did to others from the same address.
    EXPECT_EQ(api->send(login("ada@example.com", right)).status, 200);
    EXPECT_EQ(api->send(login("carol@example.com", "no")).status, 401);
    EXPECT_EQ(api->send(login("dave@example.com", "no")).status, 429);
}

TEST_P(AbuseApi, ARightPasswordAndBlankAddressesDoNotCountAgainstAnAccount)
{
    const auto api = make([](config::Config& config) { config.auth.require_email_verification = true; });
    CookieJar jar;
    ASSERT_EQ(api->sign_up(jar).status, 201);
    for (int attempt = 0; attempt < 5; ++attempt) {
        EXPECT_EQ(api->send(login("ada@example.com", right)).status, 403);
    }
    for (int attempt = 0; attempt < 6; ++attempt) {
        EXPECT_EQ(api->send(login("  ", "no", "198.51.100." + std::to_string(attempt))).status, 401);
    }
}

TEST_P(AbuseApi, NobodyLocksAnotherOutOfHisOwnDevice)
{
    const auto api = make();
    CookieJar jar;
    ASSERT_EQ(api->sign_up(jar).status, 201);
    ASSERT_FALSE(jar.value("known_device").empty());
    // Somebody at the same address keeps failing on the account.
    for (int failure = 0; failure < 4; ++failure) {
        EXPECT_EQ(api->send(login("ada@example.com", "no")).status, 401);
    }
    EXPECT_EQ(api->send(login("ada@example.com", right)).status, 429);
    EXPECT_EQ(api->send(jar, login("ada@example.com", right)).status, 200);
    // That cleared nothing of theirs.
    EXPECT_EQ(api->send(login("ada@example.com", right)).status, 429);
    // The device has a counter of its own, with the same schedule.
    for (int failure = 0; failure < 4; ++failure) {
        EXPECT_EQ(api->send(jar, login("ada@example.com", "no")).status, 401);
    }
    EXPECT_EQ(api->send(jar, login("ada@example.com", right)).status, 429);
    // For other accounts it is worth nothing.
    EXPECT_EQ(api->send(jar, login("bob@example.com", "no")).status, 429);
}

TEST_P(AbuseApi, ADeviceKnowsSeveralAccountsAndKeepsItsName)
{
    const auto api = make();
    CookieJar jar;
    ASSERT_EQ(api->sign_up(jar, "a0@example.com").status, 201);
    const auto name = jar.value("known_device").substr(0, jar.value("known_device").find('.'));
    for (const std::string account : {"a1", "a2", "a3", "a4"}) {
        CookieJar other;
        ASSERT_EQ(api->sign_up(other, account + "@example.com").status, 201);
        const auto response = api->send(jar, login(account + "@example.com", right));
        ASSERT_EQ(response.status, 200);
        EXPECT_TRUE(response.cookie("known_device").has_value());
        EXPECT_FALSE(api->send(jar, login(account + "@example.com", right)).cookie("known_device").has_value()
        );
    }
    const auto cookie = jar.value("known_device");
    EXPECT_EQ(std::ranges::count(cookie, '.'), 4);
    EXPECT_TRUE(cookie.starts_with(name + "."));
    // The first has made room for the last.
    EXPECT_TRUE(api->send(jar, login("a0@example.com", right)).cookie("known_device").has_value());
}

TEST_P(AbuseApi, AForgedDeviceCookieIsWorthNothing)
{
    const auto api = make();
    CookieJar jar;
    ASSERT_EQ(api->sign_up(jar).status, 201);
    for (int failure = 0; failure < 4; ++failure) {
        EXPECT_EQ(api->send(login("ada@example.com", "no")).status, 401);
    }
    auto genuine = jar.value("known_device");
    auto changed = genuine;
    changed[0] = changed[0] == 'A' ? 'B' : 'A';
    for (const auto& cookie :
         {std::string("x"), std::string("."), std::string("AAAAAAAAAAAAAAAAAAAAAA."), changed}) {
        auto request = login("ada@example.com", right);
        request.headers.emplace_back("Cookie", "known_device=" + cookie);
        EXPECT_EQ(api->send(request).status, 429) << cookie;
    }
}

TEST_P(AbuseApi, Q43WrongGuessesAtTheCurrentPasswordHaveCountersOfTheirOwn)
{
    const auto api = make();
    CookieJar jar;
    ASSERT_EQ(api->sign_up(jar).status, 201);
    const auto change = [&](const std::string& current) {
        return api->send(
            jar,
            {.method = "POST",
             .path = "/api/v1/auth/local/change-password",
             .body = R"({"current_password":")" + current + R"(","new_password":"Better-Horse-43"})"}
        );
    };
    for (int failure = 0; failure < 4; ++failure) {
        EXPECT_EQ(change("no").status, 401);
    }
    const auto refused = change(right);
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.header("Retry-After"), "2");
    EXPECT_EQ(api->send(login("ada@example.com", right)).status, 200) << "signing in is another matter";
    api->clock().advance(2s);
    EXPECT_EQ(change(right).status, 200);
}

TEST_P(AbuseApi, EveryAcceptedRequestForALinkCounts)
{
    const auto api = make();
    const auto forgot = [&](const std::string& email, const std::string& peer) {
        return api->send(
            {.method = "POST",
             .path = "/api/v1/auth/local/password/forgot",
             .headers = {new_idempotency_key()},
             .body = R"({"email":")" + email + R"("})",
             .peer = peer}
        );
    };
    for (int accepted = 0; accepted < 4; ++accepted) {
        EXPECT_EQ(forgot("ada@example.com", "192.0.2.7").status, 200) << "whether or not there is an account";
    }
    const auto refused = forgot("ada@example.com", "198.51.100.1");
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.header("Retry-After"), "2");
    EXPECT_EQ(forgot("bob@example.com", "192.0.2.7").status, 429) << "the address counts, too";
    EXPECT_EQ(forgot("bob@example.com", "198.51.100.1").status, 200);
    EXPECT_EQ(api->send(login("ada@example.com", "no")).status, 401) << "sign-ins count apart";
    api->clock().advance(2s);
    EXPECT_EQ(forgot("ada@example.com", "192.0.2.7").status, 200);
    EXPECT_EQ(forgot("ada@example.com", "192.0.2.7").header("Retry-After"), "4");
}

TEST_P(AbuseApi, TrustedActorsAreNeitherCheckedNorCounted)
{
    const auto api = make([](config::Config& config) {
        config.bypass = {.trusted_actors = true, .trusted_actor_cidrs = {"198.51.100.0/24"}};
    });
    for (int attempt = 0; attempt < 6; ++attempt) {
        EXPECT_EQ(api->send(login("ada@example.com", "no", "198.51.100.1")).status, 401);
    }
    EXPECT_EQ(api->send(login("ada@example.com", "no")).status, 401);
}

TEST_P(AbuseApi, WithoutRedisNobodyIsLetIn)
{
    if (!redis_) {
        return;
    }
    const auto api = make([](config::Config& config) { config.rate_limits.redis_enabled = false; });
    redis_->crash();
    const auto refused = api->send(login("ada@example.com", right));
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.header("Retry-After"), "1");
    EXPECT_EQ(refused.header("X-RateLimit-Limit"), "0");
}

}  // namespace

}  // namespace kit::test
