// Limits as clients see them: scopes, keys, headers, bypass, outages, two nodes on one Redis.
#include "admin_fixture.hpp"
#include "support/redis_server.hpp"

namespace kit::test {

namespace {

using testing::HasSubstr;
using Configure = std::function<void(config::Config&)>;
using namespace std::chrono_literals;

ApiRequest post(std::string path, std::string body = "")
{
    static int keys = 0;
    return {
        .method = "POST",
        .path = std::move(path),
        .headers = {{"Idempotency-Key", "limits-" + std::to_string(++keys)}},
        .body = std::move(body)
    };
}

ApiRequest login(std::string_view email = "ada@example.com")
{
    return post("/api/v1/auth/local/login", R"({"email":")" + std::string(email) + R"(","password":"no"})");
}

ApiRequest from(ApiRequest request, std::string peer)
{
    request.peer = std::move(peer);
    return request;
}

ApiRequest with(ApiRequest request, std::string name, std::string value)
{
    request.headers.emplace_back(std::move(name), std::move(value));
    return request;
}

std::int64_t decisions(const Api& api, const std::vector<std::string>& attributes)
{
    for (const auto& instrument : api.metrics().collect()) {
        for (const auto& series : instrument.series) {
            if (instrument.instrument->name == "http.rate_limit.decisions" &&
                series.attributes == attributes) {
                return series.count;
            }
        }
    }
    return 0;
}

class LimitsApi : public ApiTest {};

KIT_BOTH_ENGINES(LimitsApi);

TEST_P(LimitsApi, TheProductsLimitHoldsForUnknownPathsToo)
{
    Api api(GetParam(), [](config::Config& config) { config.rate_limits.api_per_minute = 3; });
    const auto reset = std::to_string(
        std::chrono::floor<std::chrono::seconds>(api.clock().now() + 60s).time_since_epoch().count()
    );
    for (const std::string left : {"2", "1", "0"}) {
        const auto response = api.send({.path = "/nowhere"});
        EXPECT_EQ(response.status, 404);
        EXPECT_EQ(response.header("X-RateLimit-Limit"), "3");
        EXPECT_EQ(response.header("X-RateLimit-Remaining"), left);
        EXPECT_EQ(response.header("X-RateLimit-Reset"), reset);
        EXPECT_EQ(response.header("RateLimit-Policy"), R"("api";q=3;w=60)");
        EXPECT_EQ(response.header("RateLimit"), R"("api";r=)" + left + ";t=60");
        EXPECT_EQ(response.header("Retry-After"), std::nullopt);
    }
    api.clock().advance(10'500ms);
    const auto refused = api.send({.path = "/api/v1/me"});
    EXPECT_EQ(refused.status, 429);
    EXPECT_THAT(refused.body, HasSubstr(R"("code":"RATE_LIMITED","message":"too many requests")"));
    EXPECT_EQ(refused.header("Retry-After"), "50");  // 49.5, never less
    EXPECT_EQ(refused.header("X-RateLimit-Limit"), "3");
    EXPECT_EQ(refused.header("X-RateLimit-Remaining"), "0");
    EXPECT_EQ(refused.header("X-RateLimit-Reset"), reset);

    EXPECT_EQ(api.send({.method = "OPTIONS", .path = "/nowhere"}).status, 204);
    const auto probe = api.send({.path = "/health/live"});
    EXPECT_EQ(probe.status, 200);
    EXPECT_EQ(probe.header("X-RateLimit-Limit"), std::nullopt);
    EXPECT_EQ(probe.header("RateLimit"), std::nullopt);

    // Who waits as told is not refused again.
    api.clock().advance(50s);
    EXPECT_EQ(api.send({.path = "/nowhere"}).status, 404);
}

struct Scope {
    std::string_view name;
    int config::RateLimitConfig::* setting;
    ApiRequest request;
};

TEST_P(LimitsApi, EachScopeHasItsOwnBudget)
{
    for (const auto& scope :
         {Scope{"auth", &config::RateLimitConfig::auth_per_minute, post("/api/v1/auth/local/register", "{}")},
          Scope{
              "auth_password_forgot",
              &config::RateLimitConfig::forgot_per_minute,
              post("/api/v1/auth/local/password/forgot", R"({"email":"ada@example.com"})")
          },
          Scope{"route_login", &config::RateLimitConfig::login_per_minute, login()}}) {
        Api api(GetParam(), [&](config::Config& config) {
            config.rate_limits.*scope.setting = 2;
            config.rate_limits.api_per_minute = 9;
        });
        for (const std::string left : {"1", "0"}) {
            const auto response = api.send(scope.request);
            EXPECT_NE(response.status, 429) << scope.name;
            EXPECT_EQ(response.header("X-RateLimit-Limit"), "2") << scope.name;
            EXPECT_EQ(response.header("X-RateLimit-Remaining"), left) << scope.name;
        }
        const auto refused = api.send(scope.request);
        EXPECT_EQ(refused.status, 429) << scope.name;
        EXPECT_EQ(refused.header("Retry-After"), "60");
        EXPECT_EQ(
            refused.header("RateLimit-Policy"),
            R"("api";q=9;w=60, ")" + std::string(scope.name) + R"(";q=2;w=60)"
        );
        EXPECT_EQ(
            refused.header("RateLimit"), R"("api";r=6;t=60, ")" + std::string(scope.name) + R"(";r=0;t=60)"
        );
        // Another address, and another route, are free.
        EXPECT_NE(api.send(from(scope.request, "192.0.2.8")).status, 429);
        EXPECT_EQ(api.send({.path = "/api/v1/me"}).status, 401);
        const std::string name(scope.name);
        EXPECT_EQ(decisions(api, {name, "allow", "fail_closed", "ip"}), 3);
        EXPECT_EQ(decisions(api, {name, "deny", "fail_closed", "ip"}), 1);
    }
}

TEST_P(LimitsApi, ARefusedCsrfCheckCountsForTheProductAlone)
{
    Api api(GetParam(), [](config::Config& config) {
        config.rate_limits.refresh_per_minute = 1;
        config.rate_limits.api_per_minute = 4;
    });
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);  // counts for the address, as the next three
    const auto forged = post("/api/v1/auth/refresh");
    for (const std::string left : {"2", "1", "0"}) {
        const auto response = api.send(forged);
        EXPECT_EQ(response.status, 403);
        EXPECT_EQ(response.header("X-RateLimit-Limit"), "4");
        EXPECT_EQ(response.header("X-RateLimit-Remaining"), left);
    }
    EXPECT_EQ(api.send(forged).status, 429);
    EXPECT_EQ(api.send(jar, post("/api/v1/auth/refresh")).status, 200);
    const auto refused = api.send(jar, post("/api/v1/auth/refresh"));
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.header("X-RateLimit-Limit"), "1");
    EXPECT_EQ(decisions(api, {"route_refresh", "allow", "fail_closed", "subject"}), 1);
}

TEST_P(LimitsApi, AdministratorsChangesHaveBudgetsOfTheirOwn)
{
    Api api(GetParam(), [](config::Config& config) {
        config.rate_limits.admin_write_per_minute = 2;
        config.rate_limits.admin_sync_per_minute = 1;
    });
    CookieJar admin;
    sign_up_admin(api, admin);
    const auto sync = request("POST", "/api/v1/admin/rbac/sync");
    const auto remove = request("DELETE", "/api/v1/admin/roles/99");
    EXPECT_EQ(api.send(admin, sync).status, 200);
    const auto refused = api.send(admin, sync);
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.header("X-RateLimit-Limit"), "1");
    EXPECT_EQ(api.send(admin, remove).status, 404);
    EXPECT_EQ(api.send(admin, request("PATCH", "/api/v1/admin/roles/99", "{}")).status, 404);
    const auto third = api.send(admin, request("POST", "/api/v1/admin/roles", R"({"name":"x"})"));
    EXPECT_EQ(third.status, 429) << "one budget for all of them";
    EXPECT_EQ(third.header("X-RateLimit-Limit"), "2");
    EXPECT_EQ(api.send(admin, {.path = "/api/v1/admin/roles"}).status, 200) << "reading is no change";
    // Who may not do it is not counted.
    CookieJar bob;
    ASSERT_EQ(api.sign_up(bob, "bob@example.com").status, 201);
    for (int attempt = 0; attempt < 3; ++attempt) {
        EXPECT_EQ(api.send(bob, remove).status, 403);
    }
    EXPECT_EQ(decisions(api, {"route_admin_write", "allow", "fail_closed", "subject"}), 2);
    EXPECT_EQ(decisions(api, {"route_admin_write", "deny", "fail_closed", "subject"}), 1);
    EXPECT_EQ(decisions(api, {"route_admin_sync", "deny", "fail_closed", "subject"}), 1);
}

TEST_P(LimitsApi, UsersCountForThemselvesAndStrangersByAddress)
{
    Api api(GetParam(), [](config::Config& config) { config.rate_limits.api_per_minute = 2; });
    CookieJar ada;
    CookieJar bob;
    ASSERT_EQ(api.sign_up(ada, "ada@example.com").status, 201);
    ASSERT_EQ(api.sign_up(bob, "bob@example.com").status, 201);
    EXPECT_EQ(api.send({.path = "/api/v1/me"}).status, 429);
    for (auto* jar : {&ada, &bob}) {
        EXPECT_EQ(api.send(*jar, {.path = "/api/v1/me"}).status, 200);
        EXPECT_EQ(api.send(*jar, {.path = "/api/v1/me", .peer = "192.0.2.99"}).status, 200);
        EXPECT_EQ(api.send(*jar, {.path = "/api/v1/me"}).status, 429);
    }
    // A token that is no good makes nobody a user.
    const auto forged = with({.path = "/api/v1/me"}, "Authorization", "Bearer x.y.z");
    EXPECT_EQ(api.send(forged).status, 429);
    // One IPv6 network is one client.
    EXPECT_EQ(api.send(from({.path = "/x"}, "2001:db8::1")).status, 404);
    EXPECT_EQ(api.send(from({.path = "/x"}, "2001:db8::ffff:2")).status, 404);
    EXPECT_EQ(api.send(from({.path = "/x"}, "2001:db8:0:0:9::1")).status, 429);
    EXPECT_EQ(api.send(from({.path = "/x"}, "2001:db8:0:1::1")).status, 404);
}

TEST_P(LimitsApi, ForgedForwardingHeadersChangeNothing)
{
    Api api(GetParam(), [](config::Config& config) { config.rate_limits.login_per_minute = 5; });
    for (int attempt = 1; attempt <= 14; ++attempt) {
        const auto forged = with(login(), "X-Forwarded-For", "198.51.100." + std::to_string(attempt));
        EXPECT_EQ(api.send(forged).status, attempt <= 5 ? 401 : 429) << attempt;
    }
}

TEST_P(LimitsApi, BehindAListedProxyTheRightClientIsLimited)
{
    Api api(GetParam(), [](config::Config& config) {
        config.rate_limits.login_per_minute = 1;
        config.http.trusted_proxies = {"192.0.2.0/24"};
    });
    // The left part is the client's own invention.
    const auto mallory = with(login(), "X-Forwarded-For", "203.0.113.1, 198.51.100.1");
    const auto ada = with(login(), "X-Forwarded-For", "198.51.100.2");
    EXPECT_EQ(api.send(mallory).status, 401);
    EXPECT_EQ(api.send(with(login(), "X-Forwarded-For", "203.0.113.2, 198.51.100.1")).status, 429);
    EXPECT_EQ(api.send(ada).status, 401);
    EXPECT_EQ(api.send(ada).status, 429);
}

TEST_P(LimitsApi, TrustedActorsAreLetPast)
{
    Api api(GetParam(), [](config::Config& config) {
        config.rate_limits.api_per_minute = 2;
        config.bypass = {
            .trusted_actors = true,
            .trusted_actor_cidrs = {" 198.51.100.0/24"},
            .trusted_actor_subjects = {" 1 "},
        };
    });
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    for (int request = 0; request < 5; ++request) {
        const auto by_address = api.send(from({.path = "/x"}, "198.51.100.9"));
        EXPECT_EQ(by_address.status, 404);
        EXPECT_EQ(by_address.header("X-RateLimit-Limit"), std::nullopt);
        EXPECT_EQ(by_address.header("RateLimit"), std::nullopt);
        EXPECT_EQ(api.send(jar, {.path = "/api/v1/me"}).status, 200);
    }
    EXPECT_EQ(decisions(api, {"api", "bypass", "fail_open", "ip"}), 10);
    EXPECT_EQ(api.send({.path = "/x"}).status, 404);
    EXPECT_EQ(api.send({.path = "/x"}).status, 429);
}

TEST_P(LimitsApi, ProbesCountWhereTheyAreNotLetPast)
{
    Api api(GetParam(), [](config::Config& config) {
        config.rate_limits.api_per_minute = 1;
        config.bypass.internal_probes = false;
    });
    EXPECT_EQ(api.send({.path = "/health/live"}).status, 200);
    EXPECT_EQ(api.send({.path = "/health/live"}).status, 429);
}

TEST_P(LimitsApi, NewNumbersHoldAtOnceAndWhatWasCountedStays)
{
    Api api(GetParam(), [](config::Config& config) { config.rate_limits.api_per_minute = 2; });
    EXPECT_EQ(api.send({.path = "/x"}).status, 404);
    EXPECT_EQ(api.send({.path = "/x"}).status, 404);
    EXPECT_EQ(api.send({.path = "/x"}).status, 429);
    limits::Rates rates;
    rates.per_minute.fill(3);
    api.product().limiter().set_rates(rates);
    const auto response = api.send({.path = "/x"});
    EXPECT_EQ(response.status, 404);
    EXPECT_EQ(response.header("X-RateLimit-Limit"), "3");
    EXPECT_EQ(response.header("X-RateLimit-Remaining"), "0");
}

TEST_P(LimitsApi, ChangesFromAnotherSiteAreRefused)
{
    struct Row {
        Headers headers;
        int status;
    };

    Api api(GetParam(), [](config::Config& config) { config.cookies.domain = "example.com"; });
    const auto out = post("/api/v1/auth/logout", R"({"scope":"current"})");
    int people = 0;
    for (const auto& [headers, status] :
         {Row{{}, 200},
          Row{{{"Origin", "http://localhost:3000"}}, 200},  // allowed
          Row{{{"Origin", "http://localhost:3000"}, {"Sec-Fetch-Site", "cross-site"}}, 200},
          Row{{{"Sec-Fetch-Site", "same-origin"}}, 200},
          Row{{{"Sec-Fetch-Site", "same-site"}, {"Origin", "https://shop.example.org"}}, 200},
          Row{{{"Sec-Fetch-Site", "none"}}, 200},
          Row{{{"Origin", "https://api.test:8443"}, {"Host", "api.test"}}, 200},
          Row{{{"Origin", "https://shop.example.com"}, {"Host", "api.test"}}, 200},
          Row{{{"Sec-Fetch-Site", "cross-site"}}, 403},
          Row{{{"Sec-Fetch-Site", "elsewhere"}}, 403},
          Row{{{"Origin", "https://evil.test"}, {"Host", "api.test"}}, 403},
          Row{{{"Origin", "https://evilexample.com"}, {"Host", "api.test"}}, 403},
          Row{{{"Origin", "null"}}, 403}}) {
        CookieJar jar;
        ASSERT_EQ(api.sign_up(jar, "p" + std::to_string(++people) + "@example.com").status, 201);
        auto request = out;
        request.headers.insert(request.headers.end(), headers.begin(), headers.end());
        const auto response = api.send(jar, request);
        EXPECT_EQ(response.status, status) << people;
        if (status == 403) {
            EXPECT_THAT(response.body, HasSubstr("FORBIDDEN"));
        }
    }
    // Reading is no change, and a bearer token is nothing that a browser adds by itself.
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar, "reader@example.com").status, 201);
    EXPECT_EQ(api.send(jar, with({.path = "/api/v1/me"}, "Sec-Fetch-Site", "cross-site")).status, 200);
    auto bearer = with(out, "Authorization", "Bearer " + jar.value("access_token"));
    EXPECT_EQ(api.send(with(bearer, "Sec-Fetch-Site", "cross-site")).status, 200);
}

// On Redis.

class RedisLimitsApi : public LimitsApi {
protected:
    Configure on_redis(Configure more = {})
    {
        return [this, more](config::Config& config) {
            config.redis.address = server_.address();
            if (more) {
                more(config);
            }
        };
    }

    RedisServer server_;
};

KIT_BOTH_ENGINES(RedisLimitsApi);

TEST_P(RedisLimitsApi, TwoNodesTogetherNeverAdmitMoreThanTheLimit)
{
    Api api(GetParam(), on_redis([](config::Config& config) { config.rate_limits.api_per_minute = 10; }));
    const auto second = api.second_node();
    int admitted = 0;
    for (int request = 0; request < 20; ++request) {
        admitted += api.send({.path = "/x"}).status == 404 ? 1 : 0;
        admitted += api.send(*second, {.path = "/x"}).status == 404 ? 1 : 0;
    }
    EXPECT_EQ(admitted, 10);
}

TEST_P(RedisLimitsApi, ALimitedRequestCostsOneCall)
{
    Api api(GetParam(), on_redis());
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    const auto calls = [&] { return server_.calls("evalsha") + server_.calls("eval"); };
    const auto cost = [&](const std::function<int()>& send, int status) {
        const auto before = calls();
        EXPECT_EQ(send(), status);
        return calls() - before;
    };
    EXPECT_EQ(cost([&] { return api.send(jar, {.path = "/api/v1/me"}).status; }, 200), 1);
    EXPECT_EQ(cost([&] { return api.send({.path = "/api/v1/me"}).status; }, 401), 1);
    EXPECT_EQ(cost([&] { return api.send(jar, post("/api/v1/auth/refresh")).status; }, 200), 1);
    EXPECT_EQ(cost([&] { return api.send(post("/api/v1/auth/refresh")).status; }, 403), 1);
    EXPECT_EQ(cost([&] { return api.send(login()).status; }, 401), 1);
    EXPECT_EQ(cost([&] { return api.send({.path = "/health/live"}).status; }, 200), 0);
}

TEST_P(RedisLimitsApi, ASilentRedisCostsLittleAndIsTakenBack)
{
    Api api(GetParam(), on_redis());
    EXPECT_TRUE(api.send({.path = "/x"}).header("X-RateLimit-Limit").has_value());
    server_.pause();
    const auto began = std::chrono::steady_clock::now();
    for (int request = 0; request < 200; ++request) {
        const auto sent = std::chrono::steady_clock::now();
        EXPECT_EQ(api.send({.path = "/x"}).status, 404);
        EXPECT_LT(std::chrono::steady_clock::now() - sent, 250ms);
    }
    // Not 200 times the time-out: the breaker is open.
    EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
    server_.resume();
    bool back = false;
    for (const auto end = std::chrono::steady_clock::now() + 20s;
         !back && std::chrono::steady_clock::now() < end;) {
        back = api.send({.path = "/x"}).header("X-RateLimit-Limit").has_value();
    }
    EXPECT_TRUE(back);
}

TEST_P(RedisLimitsApi, WithoutRedisTheOpenGoOnAndTheClosedRefuse)
{
    Api api(GetParam(), on_redis([](config::Config& config) {
                config.rate_limits.api_per_minute = 7;
                config.rate_limits.login_per_minute = 20;
            }));
    EXPECT_EQ(api.send({.path = "/x"}).header("X-RateLimit-Remaining"), "6");
    server_.crash();
    const auto open = api.send({.path = "/x"});
    EXPECT_EQ(open.status, 404);
    EXPECT_EQ(open.header("X-RateLimit-Limit"), std::nullopt);
    EXPECT_EQ(decisions(api, {"api", "backend_error", "fail_open", "ip"}), 1);

    const auto closed = api.send(login());
    EXPECT_EQ(closed.status, 429);
    EXPECT_EQ(closed.header("X-RateLimit-Limit"), "20");
    EXPECT_EQ(closed.header("X-RateLimit-Remaining"), "0");
    EXPECT_EQ(closed.header("Retry-After"), "60");
    EXPECT_EQ(decisions(api, {"route_login", "backend_error", "fail_closed", "ip"}), 1);

    // This process still counts: two of seven are gone.
    for (int request = 0; request < 5; ++request) {
        EXPECT_EQ(api.send({.path = "/x"}).status, 404) << request;
    }
    EXPECT_EQ(api.send({.path = "/x"}).status, 429);
}

}  // namespace

}  // namespace kit::test
