// How often a request asks PostgreSQL: statements by name, and how many wait for an answer of their own.
#include "api_fixture.hpp"

namespace kit::test {

namespace {

// The statements that PostgreSQL has executed since the last call, but for the bookkeeping of transactions.
std::int64_t statements_executed(Api& api)
{
    const auto rows = api.postgres(
        "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid "
        "WHERE d.datname = current_database() AND s.query NOT LIKE '%pg_stat_statements%'"
    );
    api.postgres("SELECT pg_stat_statements_reset()");
    return std::stoll(rows.at(0).at(0));
}

class RoundTrips : public testing::Test {
protected:
    RoundTrips()
    {
        api.postgres("CREATE EXTENSION IF NOT EXISTS pg_stat_statements");
        api.sign_up(jar);
        // Statements are prepared once per connection: the first use of each is behind us.
        api.send(jar, {.path = "/api/v1/me"});
        api.send(jar, {.method = "POST", .path = "/api/v1/auth/refresh"});
        statements_executed(api);
    }

    Api api{ApiEngine::postgres};
    CookieJar jar;
};

TEST_F(RoundTrips, MeIsOneStatement)
{
    ASSERT_EQ(api.send(jar, {.path = "/api/v1/me"}).status, 200);
    EXPECT_EQ(statements_executed(api), 1);
}

TEST_F(RoundTrips, RefusalsAskNothing)
{
    ASSERT_EQ(api.send({.path = "/api/v1/me"}).status, 401);
    ASSERT_EQ(api.send({.method = "POST", .path = "/api/v1/auth/refresh"}).status, 403);
    ASSERT_EQ(api.send({.path = "/health/live"}).status, 200);
    EXPECT_EQ(statements_executed(api), 0);
}

TEST_F(RoundTrips, RefreshSendsThreeStatementsTogether)
{
    ASSERT_EQ(api.send(jar, {.method = "POST", .path = "/api/v1/auth/refresh"}).status, 200);
    EXPECT_EQ(statements_executed(api), 3);
}

TEST_F(RoundTrips, ARefusedRefreshIsRecordedLater)
{
    ASSERT_EQ(
        api.send(
               {.method = "POST", .path = "/api/v1/auth/refresh", .headers = {{"Authorization", "Bearer x"}}}
        ).status,
        401
    );
    EXPECT_EQ(statements_executed(api), 0);
    api.run(api.product().audit().flush());
    EXPECT_EQ(statements_executed(api), 1);
}

TEST_F(RoundTrips, LoginSendsTwoAndThreeTogether)
{
    const auto response = api.send(
        {.method = "POST",
         .path = "/api/v1/auth/local/login",
         .body = R"({"email":"ada@example.com","password":"Correct-Horse-42"})"}
    );
    ASSERT_EQ(response.status, 200);
    EXPECT_EQ(statements_executed(api), 5);
}

// The key's lease, then one transaction: account, credential, roles, the audit's row, session and the kept
// answer.
TEST_F(RoundTrips, RegistrationTakesALeaseAndOneTransaction)
{
    if (api.config().redis.configured()) {
        GTEST_SKIP() << "Redis has the caches' epochs, or even the keys";
    }
    CookieJar other;
    ASSERT_EQ(api.sign_up(other, "bob@example.com").status, 201);
    EXPECT_EQ(statements_executed(api), 10);
}

// The notice of a new device travels with the rows of its session.
TEST(RoundTripsOfDevices, ANewOneAddsOneStatementToThoseSentTogether)
{
    Api api(ApiEngine::postgres, [](config::Config& config) { config.abuse.enabled = true; });
    api.postgres("CREATE EXTENSION IF NOT EXISTS pg_stat_statements");
    CookieJar jar;
    api.sign_up(jar);
    const ApiRequest login{
        .method = "POST",
        .path = "/api/v1/auth/local/login",
        .body = R"({"email":"ada@example.com","password":"Correct-Horse-42"})",
        .peer = "198.51.100.1"
    };
    statements_executed(api);
    ASSERT_EQ(api.send(jar, login).status, 200);
    EXPECT_EQ(statements_executed(api), 5);
    ASSERT_EQ(api.send(login).status, 200);
    EXPECT_EQ(statements_executed(api), 6);
}

}  // namespace

}  // namespace kit::test
