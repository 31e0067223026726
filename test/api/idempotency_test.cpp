// Repeated requests, on both engines: one effect, the same answer, and who meets whom.
#include "admin_fixture.hpp"
#include "platform/crypto/hash.hpp"
#include "platform/telemetry/exposition.hpp"
#include "support/redis_server.hpp"

#include <atomic>
#include <latch>
#include <mutex>
#include <thread>

namespace kit::test {

namespace {

using testing::HasSubstr;

constexpr const char* path = "/api/v1/auth/local/register";
constexpr const char* in_progress = "request with this idempotency key is in progress";
constexpr const char* reused = "idempotency key reuse with different payload";
constexpr const char* looks_inside = "looks at the keys in the database";

std::string account(const std::string& email)
{
    return R"({"email":")" + email + R"(","name":"Ada","password":")" + Api::password + R"("})";
}

ApiRequest registration(Headers headers, std::string body = account("ada@example.com"))
{
    return {.method = "POST", .path = path, .headers = std::move(headers), .body = std::move(body)};
}

ApiRequest keyed(const std::string& key, std::string body = account("ada@example.com"))
{
    return registration({{"Idempotency-Key", key}}, std::move(body));
}

bool replayed(const ApiResponse& response)
{
    return response.header("x-idempotency-replayed") == "true";
}

class IdempotencyApi : public ApiTest {
protected:
    // How many accounts there are, sessions and records.
    static std::int64_t count(Api& api, const db::Query& query)
    {
        const auto rows = api.run(api.database().run({.query = &query, .values = {}}));
        return rows.cell(0, 0).integer;
    }

    static std::int64_t users(Api& api)
    {
        static constexpr db::Query query{"test.users", "SELECT count(*) AS n FROM users"};
        return count(api, query);
    }

    static std::int64_t records(Api& api)
    {
        static constexpr db::Query query{"test.records", "SELECT count(*) AS n FROM idempotency_records"};
        return count(api, query);
    }
};

KIT_BOTH_ENGINES(IdempotencyApi);

TEST_P(IdempotencyApi, RefusesWhatIsNoKey)
{
    Api api(GetParam());
    const std::string longest(128, 'k');

    struct Case {
        const char* name;
        Headers headers;
        const char* message;
    };

    const std::vector<Case> cases{
        {"none", {}, "missing Idempotency-Key header"},
        {"blank", {{"Idempotency-Key", "  "}}, "missing Idempotency-Key header"},
        {"empty quotes", {{"Idempotency-Key", R"("")"}}, "missing Idempotency-Key header"},
        {"too long", {{"Idempotency-Key", longest + "k"}}, "invalid Idempotency-Key header"},
        {"two", {{"Idempotency-Key", "a"}, {"idempotency-key", "b"}}, "invalid Idempotency-Key header"},
    };
    for (const auto& [name, headers, message] : cases) {
        const auto response = api.send(registration(headers));
        EXPECT_EQ(response.status, 400) << name;
        EXPECT_THAT(response.body, HasSubstr(message)) << name;
        EXPECT_THAT(response.body, HasSubstr("BAD_REQUEST")) << name;
    }
    EXPECT_EQ(users(api), 0);
    EXPECT_EQ(api.send(keyed(longest)).status, 201);
}

TEST_P(IdempotencyApi, ReplaysByteForByteAndSignsInAgain)
{
    Api api(GetParam());
    const auto first = api.send(keyed("k"));
    ASSERT_EQ(first.status, 201) << first.body;
    EXPECT_FALSE(replayed(first));
    api.clock().advance(std::chrono::seconds(5));
    CookieJar jar;
    const auto second = api.send(jar, keyed("k"));
    EXPECT_EQ(second.status, 201);
    EXPECT_TRUE(replayed(second));
    EXPECT_EQ(second.body, first.body);
    EXPECT_EQ(second.header("content-type"), first.header("content-type"));
    EXPECT_EQ(second.header("cache-control"), "no-store");
    EXPECT_EQ(users(api), 1);
    ASSERT_EQ(second.all("set-cookie").size(), first.all("set-cookie").size());
    EXPECT_NE(second.cookie("access_token"), first.cookie("access_token")) << "a session of its own";
    EXPECT_EQ(api.send(jar, {.path = "/api/v1/me"}).status, 200);
    EXPECT_EQ(api.send(jar, {.method = "POST", .path = "/api/v1/auth/refresh"}).status, 200);
}

TEST_P(IdempotencyApi, AReplayWithAPasswordThatIsNoLongerRightHasNoCookies)
{
    Api api(GetParam());
    ASSERT_EQ(api.send(keyed("k")).status, 201);
    api.script("UPDATE users SET status = 'disabled'");
    const auto again = api.send(keyed("k"));
    EXPECT_TRUE(replayed(again));
    EXPECT_TRUE(again.all("set-cookie").empty());
    EXPECT_EQ(again.header("cache-control"), "no-store");
}

TEST_P(IdempotencyApi, QuotedAndBareKeysAreOne)
{
    Api api(GetParam());
    const auto first = api.send(keyed("k-1"));
    const auto second = api.send(keyed(R"("k-1")"));
    EXPECT_TRUE(replayed(second));
    EXPECT_EQ(second.body, first.body);
}

TEST_P(IdempotencyApi, AnotherBodyIsReuse)
{
    Api api(GetParam());
    api.send(keyed("k"));
    const auto response = api.send(keyed("k", account("bob@example.com")));
    EXPECT_EQ(response.status, 409);
    EXPECT_THAT(response.body, HasSubstr(std::string(R"("code":"CONFLICT","message":")") + reused));
    EXPECT_FALSE(response.header("retry-after")) << "waiting does not help";
    EXPECT_EQ(users(api), 1);
}

TEST_P(IdempotencyApi, Q1TheSameForAnotherPersonIsReuse)
{
    Api api(GetParam());
    CookieJar admin;
    sign_up_admin(api, admin);
    CookieJar bob;
    ASSERT_EQ(api.sign_up(bob, "bob@example.com").status, 201);
    const auto set_roles = [&](const std::string& user) {
        return api.send(
            admin,
            {.method = "PATCH",
             .path = "/api/v1/admin/users/" + user + "/roles",
             .headers = {{"Idempotency-Key", "k"}},
             .body = R"({"role_ids":[1,2]})"}
        );
    };
    EXPECT_EQ(set_roles("1").status, 200);
    EXPECT_TRUE(replayed(set_roles("1")));
    const auto other = set_roles("2");
    EXPECT_EQ(other.status, 409) << "not the first one's answer";
    EXPECT_THAT(other.body, HasSubstr(reused));
}

TEST_P(IdempotencyApi, TwoUsersWithOneKeyDoNotMeet)
{
    Api api(GetParam());
    CookieJar admin;
    sign_up_admin(api, admin);
    CookieJar second;
    ASSERT_EQ(api.sign_up(second, "bob@example.com").status, 201);
    ASSERT_EQ(
        api.send(admin, request("PATCH", "/api/v1/admin/users/2/roles", R"({"role_ids":[1,2]})")).status, 200
    );
    const auto create = [&](CookieJar& jar, const std::string& name) {
        return api.send(
            jar,
            {.method = "POST",
             .path = "/api/v1/admin/roles",
             .headers = {{"Idempotency-Key", "k"}},
             .body = R"({"name":")" + name + R"("})"}
        );
    };
    EXPECT_EQ(create(admin, "one").status, 201);
    const auto other = create(second, "two");
    EXPECT_EQ(other.status, 201) << other.body;
    EXPECT_FALSE(replayed(other));
    EXPECT_TRUE(replayed(create(admin, "one")));
}

TEST_P(IdempotencyApi, AnotherBodyIsUnprocessableWhereStrict)
{
    Api api(GetParam(), [](config::Config& config) { config.idempotency.strict = true; });
    api.send(keyed("k"));
    const auto response = api.send(keyed("k", account("bob@example.com")));
    EXPECT_EQ(response.status, 422);
    EXPECT_THAT(response.body, HasSubstr(reused));
}

TEST_P(IdempotencyApi, TwoClientsWithOneKeyDoNotMeet)
{
    Api api(GetParam(), [](config::Config& config) { config.http.trusted_proxies = {"192.0.2.7/32"}; });
    const auto from = [](const std::string& address, const std::string& email) {
        return registration({{"Idempotency-Key", "k"}, {"X-Forwarded-For", address}}, account(email));
    };
    EXPECT_EQ(api.send(from("203.0.113.1", "ada@example.com")).status, 201);
    const auto other = api.send(from("203.0.113.2", "bob@example.com"));
    EXPECT_EQ(other.status, 201) << other.body;
    EXPECT_FALSE(replayed(other));
    // The port is no part of who one is: a retry comes over a new connection.
    const auto again = api.send(from("203.0.113.1:4711", "ada@example.com"));
    EXPECT_TRUE(replayed(again));
    EXPECT_EQ(users(api), 2);
}

TEST_P(IdempotencyApi, KeepsRefusalsOfTheRequestAndNothingElse)
{
    Api api(GetParam());
    const auto first = api.send(keyed("bad", "{"));
    const auto second = api.send(keyed("bad", "{"));
    EXPECT_EQ(first.status, 400);
    EXPECT_EQ(second.status, 400);
    EXPECT_FALSE(replayed(first));
    EXPECT_TRUE(replayed(second));
    EXPECT_EQ(second.body, first.body) << "its request id and time, too";
    auto problem = keyed("problem", "{");
    problem.headers.emplace_back("Accept", "application/problem+json");
    const auto original = api.send(problem);
    const auto copy = api.send(keyed("problem", "{"));
    EXPECT_EQ(copy.body, original.body);
    EXPECT_EQ(copy.header("content-type"), "application/problem+json");
}

TEST_P(IdempotencyApi, AFailureOfOursFreesTheKey)
{
    Api api(GetParam());
    api.script("ALTER TABLE local_credentials RENAME TO away");
    const auto failed = api.send(keyed("k"));
    EXPECT_EQ(failed.status, 500);
    EXPECT_EQ(records(api), 0);
    api.script("ALTER TABLE away RENAME TO local_credentials");
    const auto retried = api.send(keyed("k"));
    EXPECT_EQ(retried.status, 201) << retried.body;
    EXPECT_FALSE(replayed(retried));
}

TEST_P(IdempotencyApi, AStoreThatFailsIsSaidAndNothingHappens)
{
    Api api(GetParam());
    if (!api.keeps_keys_itself()) {
        GTEST_SKIP() << looks_inside;
    }
    api.script("DROP TABLE idempotency_records");
    const auto response = api.send(keyed("k"));
    EXPECT_EQ(response.status, 500);
    EXPECT_THAT(response.body, HasSubstr(R"("code":"INTERNAL","message":"idempotency check failed")"));
    EXPECT_EQ(users(api), 0);
}

TEST_P(IdempotencyApi, WhereTheRecordCannotBeWrittenThereIsNoEffect)
{
    Api api(GetParam());
    if (!api.keeps_keys_itself()) {
        GTEST_SKIP() << looks_inside;
    }
    const bool postgres = GetParam() == ApiEngine::postgres;
    api.script(
        postgres
            ? "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
              "$$BEGIN RAISE EXCEPTION 'no'; END$$;"
              "CREATE TRIGGER refuse BEFORE UPDATE ON idempotency_records FOR EACH ROW EXECUTE FUNCTION "
              "refuse()"
            : "CREATE TRIGGER refuse BEFORE UPDATE ON idempotency_records BEGIN SELECT RAISE(ABORT, 'no'); "
              "END"
    );
    EXPECT_GE(api.send(keyed("k")).status, 500);
    EXPECT_EQ(users(api), 0) << "the account went with its record";
    EXPECT_EQ(records(api), 0);
}

TEST_P(IdempotencyApi, ADeadHolderIsReplacedAfterItsLease)
{
    Api api(GetParam());
    if (!api.keeps_keys_itself()) {
        GTEST_SKIP() << looks_inside;
    }
    ASSERT_EQ(api.send(keyed("k")).status, 201);
    // As a process leaves it that died before the effect.
    api.script(
        "DELETE FROM sessions; DELETE FROM users; UPDATE idempotency_records SET status = 'new', "
        "expires_at = '2026-03-01T00:01:00.000000Z'"
    );
    const auto early = api.send(keyed("k"));
    EXPECT_EQ(early.status, 409);
    EXPECT_THAT(early.body, HasSubstr(in_progress));
    EXPECT_EQ(early.header("retry-after"), "1");
    api.clock().advance(std::chrono::seconds(60));
    const auto late = api.send(keyed("k"));
    EXPECT_EQ(late.status, 201) << late.body;
    EXPECT_FALSE(replayed(late));
}

TEST_P(IdempotencyApi, OfTwentyAtOnceOneTakesEffect)
{
    Api api(GetParam());
    static constexpr int clients_count = 20;
    std::latch together(clients_count);
    std::mutex mutex;
    std::vector<ApiResponse> responses;
    std::vector<std::jthread> clients;
    clients.reserve(clients_count);
    for (int client = 0; client < clients_count; ++client) {
        clients.emplace_back([&] {
            together.arrive_and_wait();
            auto response = api.send(keyed("k"));
            const std::scoped_lock lock(mutex);
            responses.push_back(std::move(response));
        });
    }
    clients.clear();
    int created = 0;
    std::string body;
    for (const auto& response : responses) {
        if (response.status == 201) {
            created += replayed(response) ? 0 : 1;
            EXPECT_TRUE(body.empty() || body == response.body);
            body = response.body;
        } else {
            EXPECT_EQ(response.status, 409) << response.body;
            EXPECT_THAT(response.body, HasSubstr(in_progress));
            EXPECT_EQ(response.header("retry-after"), "1");
        }
    }
    EXPECT_EQ(created, 1);
    EXPECT_EQ(users(api), 1);
}

// Keeps the one hashing thread busy, so that a registration waits while it holds its key.
class BusyHasher {
public:
    explicit BusyHasher(Api& api)
    {
        for (int number = 0; number < logins; ++number) {
            threads_.emplace_back([&api] {
                const auto response = api.send(
                    {.method = "POST",
                     .path = "/api/v1/auth/local/login",
                     .body = R"({"email":"nobody@example.com","password":"x"})"}
                );
                EXPECT_EQ(response.status, 401);
            });
        }
    }

private:
    static constexpr int logins = 4;
    std::vector<std::jthread> threads_;
};

void one_hash_at_a_time(config::Config& config)
{
    config.auth.password_hash_workers = 1;
}

TEST_P(IdempotencyApi, AClientThatGoesAwayFreesTheKey)
{
    Api api(GetParam(), one_hash_at_a_time);
    if (!api.keeps_keys_itself()) {
        GTEST_SKIP() << looks_inside;
    }
    {
        const BusyHasher busy(api);
        api.abandon(keyed("k"), [&] { return records(api) == 1; });
        EXPECT_EQ(records(api), 0);
        EXPECT_EQ(users(api), 0);
    }
    const auto retried = api.send(keyed("k"));
    EXPECT_EQ(retried.status, 201) << retried.body;
    EXPECT_FALSE(replayed(retried));
}

TEST(IdempotencyInRedis, AClientThatGoesAwayFreesTheKey)
{
    RedisServer redis;
    Api api(ApiEngine::sqlite, [&redis](config::Config& config) {
        one_hash_at_a_time(config);
        config.redis.address = redis.address();
        config.idempotency.redis_enabled = true;
    });
    const auto held = [&redis] { return !redis.command({"KEYS", "*auth.local.register*"}).empty(); };
    {
        const BusyHasher busy(api);
        api.abandon(keyed("k"), held);
        EXPECT_FALSE(held());
    }
    const auto retried = api.send(keyed("k"));
    EXPECT_EQ(retried.status, 201) << retried.body;
    EXPECT_FALSE(replayed(retried));
    EXPECT_TRUE(replayed(api.send(keyed("k"))));
}

TEST_P(IdempotencyApi, SwitchedOffTheHeaderIsIgnored)
{
    Api api(GetParam(), [](config::Config& config) { config.idempotency.enabled = false; });
    EXPECT_EQ(api.send(registration({})).status, 201);
    EXPECT_EQ(api.send(keyed("k")).status, 400) << "taken: it is no replay";
    EXPECT_EQ(records(api), 0);
}

TEST_P(IdempotencyApi, WhatIsStoredTellsNoPassword)
{
    Api api(GetParam());
    if (!api.keeps_keys_itself()) {
        GTEST_SKIP() << looks_inside;
    }
    const auto first = api.send(keyed("k"));
    static constexpr db::Query query{
        "test.record",
        "SELECT scope, actor, idempotency_key, fingerprint_hash, status, response_status, content_type "
        "FROM idempotency_records"
    };
    const auto rows = api.run(api.database().run({.query = &query, .values = {}}));
    ASSERT_EQ(rows.size(), 1);
    EXPECT_EQ(rows.cell(0, 0).text, "auth.local.register");
    EXPECT_EQ(rows.cell(0, 1).text, "ip:192.0.2.7");
    EXPECT_EQ(rows.cell(0, 2).text, sha256_hex("k"));
    EXPECT_NE(rows.cell(0, 3).text, sha256_hex(account("ada@example.com")));
    EXPECT_EQ(rows.cell(0, 4).text, "completed");
    EXPECT_EQ(rows.cell(0, 5).integer, 201);
    EXPECT_EQ(rows.cell(0, 6).text, "application/json");
}

TEST_P(IdempotencyApi, EveryOutcomeIsCounted)
{
    Api api(GetParam());
    if (!api.keeps_keys_itself()) {
        GTEST_SKIP() << looks_inside;
    }
    api.send(registration({}));
    api.send(keyed(std::string(129, 'k')));
    api.send(keyed("k"));
    api.send(keyed("k"));
    api.send(keyed("k", "{}"));
    api.script("DROP TABLE idempotency_records");
    api.send(keyed("k"));
    const auto page = telemetry::expose(api.metrics(), telemetry::Exposition::prometheus);
    for (const auto* outcome :
         {"missing_key", "invalid_key", "created", "replayed", "conflict", "store_error"}) {
        EXPECT_THAT(
            page,
            HasSubstr(
                std::string("http_idempotency_events_total{scope=\"auth.local.register\",outcome=\"") +
                outcome + "\"} 1"
            )
        );
    }
}

TEST_P(IdempotencyApi, OnlyTheContractsRoutesAskForAKey)
{
    std::vector<std::string> scopes;
    for (const auto& route : app::documented_routes()) {
        for (const auto& guard : route.guards) {
            if (guard.kind == http::Guard::Kind::idempotent) {
                scopes.emplace_back(guard.scope);
            }
        }
    }
    EXPECT_THAT(
        scopes,
        testing::UnorderedElementsAre(
            "auth.local.register",
            "auth.local.password.forgot",
            "admin.users.roles.patch",
            "admin.roles.create"
        )
    );
}

}  // namespace

}  // namespace kit::test
