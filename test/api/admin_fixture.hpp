// An administrator's requests, in process.
#pragma once

#include "api_fixture.hpp"
#include "support/json.hpp"
#include "support/redis_server.hpp"

#include <tuple>

namespace kit::test {

inline ApiRequest request(std::string method, std::string path, std::string body = "", Headers headers = {})
{
    headers.push_back(new_idempotency_key());
    return {
        .method = std::move(method),
        .path = std::move(path),
        .headers = std::move(headers),
        .body = std::move(body)
    };
}

// Where a node keeps what it has read: for itself, or with copies in Redis for the others.
enum class CacheStore : std::uint8_t { memory, redis };

// The one of this process, started with the first call.
inline RedisServer& shared_redis()
{
    static RedisServer server;
    return server;
}

// Nothing but caches, under keys of this installation alone.
inline void cache_in_redis(config::Config& config)
{
    static int installations = 0;
    config.redis.address = shared_redis().address();
    config.redis.key_namespace = "test" + std::to_string(++installations);
    config.redis.command_timeout = std::chrono::seconds(2);
    config.rate_limits.redis_enabled = false;
}

// Suites about what is cached run on both engines and both stores.
class CachedApiTest : public testing::TestWithParam<std::tuple<ApiEngine, CacheStore>> {
protected:
    static ApiEngine engine() { return std::get<0>(GetParam()); }

    static void configure(config::Config& config)
    {
        if (std::get<1>(GetParam()) == CacheStore::redis) {
            cache_in_redis(config);
        }
    }
};

inline std::string store_name(const testing::TestParamInfo<std::tuple<ApiEngine, CacheStore>>& info)
{
    const std::string engine = std::get<0>(info.param) == ApiEngine::sqlite ? "sqlite" : "postgres";
    return engine + (std::get<1>(info.param) == CacheStore::memory ? "_memory" : "_redis");
}

#define KIT_BOTH_STORES(suite)                                       \
    INSTANTIATE_TEST_SUITE_P(                                        \
        Stores,                                                      \
        suite,                                                       \
        testing::Combine(                                            \
            testing::Values(ApiEngine::sqlite, ApiEngine::postgres), \
            testing::Values(CacheStore::memory, CacheStore::redis)   \
        ),                                                           \
        store_name                                                   \
    )

// Signs up and becomes the first administrator.
inline void sign_up_admin(Api& api, CookieJar& jar)
{
    ASSERT_EQ(api.sign_up(jar).status, 201);
    const auto token = api.run(api.product().rbac().issue_admin_claim());
    ASSERT_EQ(api.send(jar, {.path = "/setup/admin?token=" + token.value()}).status, 200);
}

// What a request is refused with.
struct Refusal {
    ApiRequest request;
    int status;
    std::string message;
};

inline void expect_refusals(Api& api, CookieJar& jar, const std::vector<Refusal>& refusals)
{
    for (const auto& refusal : refusals) {
        const auto what = refusal.request.method + " " + refusal.request.path + " " + refusal.request.body;
        const auto response = api.send(jar, refusal.request);
        EXPECT_EQ(response.status, refusal.status) << what;
        EXPECT_THAT(response.body, testing::HasSubstr(R"("message":")" + refusal.message + '"')) << what;
    }
}

}  // namespace kit::test
