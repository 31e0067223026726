// Clients that hang up and requests that run out of time, through real sockets: what they began ends, and
// what they held is free.
#include "support/account.hpp"
#include "support/postgres_cluster.hpp"
#include "support/server.hpp"

#include <gtest/gtest.h>

#include <thread>

using namespace kit::test;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view email = "ada@example.com";

class Gone : public testing::TestWithParam<Engine> {};

INSTANTIATE_TEST_SUITE_P(
    Engines, Gone, testing::Values(Engine::sqlite, Engine::postgres), testing::PrintToStringParamName()
);

TEST_P(Gone, AClientThatHangsUpFreesItsKey)
{
    // Long enough a queue for the one hashing thread that the server notices.
    constexpr int sign_ins = 48;
    const Installation installation(GetParam(), {{"PASSWORD_HASH_WORKERS", "1"}, {"HTTP_WORKERS", "1"}});
    auto server = installation.start();
    const HttpRequest registration{
        .method = "POST",
        .target = "/api/v1/auth/local/register",
        .headers = {{"Content-Type", "application/json"}, {"Idempotency-Key", "key"}},
        .body = R"({"email":"ada@example.com","name":"Ada","password":")" + std::string(good_password) + "\"}"
    };
    const auto sign_in = to_wire(
        {.method = "POST",
         .target = "/api/v1/auth/local/login",
         .body = R"({"email":"nobody@example.com","password":"x"})"}
    );
    std::vector<RawClient> people;
    for (int person = 0; person < sign_ins; ++person) {
        EXPECT_TRUE(people.emplace_back(server.endpoint()).send(sign_in));
    }
    auto client = server.client();
    {
        RawClient hasty(server.endpoint());
        ASSERT_TRUE(hasty.send(to_wire(registration)));
        // The one worker has read the registration before this, and its key is with the database.
        ASSERT_EQ(client.get("/health/ready").status, 200);
        ASSERT_EQ(client.send(registration).status, 409) << "it holds the key";
    }
    for (auto& person : people) {
        EXPECT_EQ(person.read_response(false, generous).response.value().status, 401);
    }
    std::optional<HttpResponse> retried;
    EXPECT_TRUE(eventually([&] {
        retried = client.send(registration);
        return retried->status != 409;
    }));
    EXPECT_EQ(retried->status, 201) << retried->body;
    EXPECT_FALSE(retried->header("X-Idempotency-Replayed")) << "the first one did nothing";
}

TEST(OutOfTime, ARequestsStatementEndsWithIt)
{
    auto& postgres = PostgresCluster::shared();
    Installation installation(Engine::postgres, {{"DB_QUERY_TIMEOUT", "1m"}});
    HttpClient::Jar jar;
    {
        auto server = installation.start();
        auto client = server.client();
        ASSERT_EQ(sign_up(client, email).status, 201);
        jar = client.jar();
    }
    installation.set("HTTP_REQUEST_TIMEOUT", "500ms");  // too short for a hash on a busy machine
    auto server = installation.start();
    auto client = server.client();
    client.set_jar(jar);
    const auto url = installation.environment().at("DATABASE_URL");
    const auto name = url.substr(url.rfind('/') + 1);
    const auto database = name.substr(0, name.find('?'));
    const auto count = [&](const std::string& condition) {
        const auto rows = postgres.execute(
            database,
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
            "pg_backend_pid() AND " +
                condition
        );
        return std::stoi(rows.at(0).at(0));
    };
    const std::jthread holder([&] {
        try {
            postgres.execute(
                database, "BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60)"
            );
        } catch (const std::exception&) {
            return;  // ended below
        }
    });
    ASSERT_TRUE(eventually([&] { return count("wait_event = 'PgSleep'") == 1; }));

    const auto began = std::chrono::steady_clock::now();
    EXPECT_EQ(client.get("/api/v1/me").status, 503);
    EXPECT_GE(std::chrono::steady_clock::now() - began, 500ms);
    EXPECT_LT(std::chrono::steady_clock::now() - began, 10s) << "not the statement's own limit";
    EXPECT_TRUE(eventually([&] { return count("wait_event_type = 'Lock'") == 0; }, 10s));
    EXPECT_EQ(count("wait_event = 'PgSleep'"), 1) << "the lock is still there";
    postgres.execute(
        database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    );
    EXPECT_TRUE(eventually([&] { return client.get("/api/v1/me").status == 200; }));
}

}  // namespace
