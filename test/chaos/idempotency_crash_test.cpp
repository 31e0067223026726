// kill -9 at every place between an idempotent request's begin and its reply: the retry gets exactly one
// effect. The places are fail points, which only sanitized builds contain (core/fail_point.hpp).
#include "support/account.hpp"
#include "support/json.hpp"
#include "support/postgres_cluster.hpp"
#include "support/server.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <csignal>
#include <cstdlib>
#include <optional>
#include <thread>

using namespace kit::test;

namespace {

using namespace std::chrono_literals;

constexpr int rounds_usual = 100;
constexpr auto lease = 1s;         // the shortest that the settings allow
constexpr auto lease_slack = 10s;  // of a busy machine: hashing under a sanitizer, six servers at once

// KIT_CRASH_ROUNDS: fewer, to look at one place.
int rounds()
{
    const char* const wanted = std::getenv("KIT_CRASH_ROUNDS");
    return wanted == nullptr ? rounds_usual : std::atoi(wanted);
}

HttpRequest registration(int round)
{
    return {
        .method = "POST",
        .target = "/api/v1/auth/local/register",
        .headers = {{"Content-Type", "application/json"}, {"Idempotency-Key", fmt::format("key-{}", round)}},
        .body = fmt::format(
            R"({{"email":"round-{}@example.com","name":"Ada","password":"{}"}})", round, good_password
        )
    };
}

// The first request, which the server does not survive.
void die(const Installation& installation, int round)
{
    auto server = installation.start();
    auto client = server.client();
    EXPECT_THROW(client.send(registration(round)), std::exception);
    EXPECT_EQ(server.process().wait(), 128 + SIGKILL);
}

// Repeats it until it is answered, as a client does that obeys Retry-After.
HttpResponse retry(const Endpoint& endpoint, int round)
{
    HttpClient client(endpoint);
    std::optional<HttpResponse> response;
    const auto began = std::chrono::steady_clock::now();
    EXPECT_TRUE(eventually(
        [&] {
            response = client.send(registration(round));
            return response->status != 409;
        },
        lease + lease_slack
    )) << response->body;
    EXPECT_LT(std::chrono::steady_clock::now() - began, lease + lease_slack);
    return *response;
}

std::int64_t count_in_file(const std::filesystem::path& path, const std::string& sql)
{
    sqlite3* database = nullptr;
    sqlite3_open(path.c_str(), &database);
    std::int64_t number = -1;
    const auto collect = [](void* into, int, char** texts, char**) {
        *static_cast<std::int64_t*>(into) = std::atoll(texts[0]);
        return 0;
    };
    sqlite3_exec(database, sql.c_str(), collect, &number, nullptr);
    sqlite3_close(database);
    return number;
}

std::int64_t count(const Installation& installation, const std::string& sql)
{
    const auto url = installation.environment().find("DATABASE_URL");
    if (url == installation.environment().end()) {
        return count_in_file(installation.sqlite_path(), sql);
    }
    const auto name = url->second.substr(url->second.rfind('/') + 1);
    const auto rows = PostgresCluster::shared().execute(name.substr(0, name.find('?')), sql);
    return std::stoll(rows.at(0).at(0));
}

class KilledAt : public testing::TestWithParam<std::tuple<Engine, const char*>> {};

INSTANTIATE_TEST_SUITE_P(
    Places,
    KilledAt,
    testing::Combine(
        testing::Values(Engine::sqlite, Engine::postgres),
        testing::Values(
            "idempotency.begin",      // nothing is stored yet
            "idempotency.begun",      // the key is held
            "idempotency.effect",     // in the transaction: the effect is made
            "idempotency.record",     // in the transaction: the answer is stored, too
            "idempotency.committed",  // both are committed
            "http.answered"           // the answer is about to be sent
        )
    ),
    [](const auto& info) {
        std::string name(std::get<1>(info.param));
        std::ranges::replace(name, '.', '_');
        return (std::get<0>(info.param) == Engine::sqlite ? "sqlite_" : "postgres_") + name;
    }
);

TEST_P(KilledAt, TheRetryFindsOneEffect)
{
#ifndef KIT_SANITIZED
    GTEST_SKIP() << "a build without sanitizers has no fail points";
#endif
    const auto [engine, place] = GetParam();
    Installation installation(
        engine, {{"IDEMPOTENCY_LEASE", "1s"}, {"HTTP_WORKERS", "1"}, {"ADMIN_HTTP_ADDR", "off"}}
    );
    const bool committed =
        std::string_view(place) == "idempotency.committed" || std::string_view(place) == "http.answered";
    for (int round = 0; round < rounds() && !HasFailure(); ++round) {
        installation.set("KIT_FAIL_AT", place);
        die(installation, round);
        installation.set("KIT_FAIL_AT", "");
        auto server = installation.start();
        const auto response = retry(server.endpoint(), round);
        EXPECT_EQ(response.status, 201) << response.body;
        EXPECT_EQ(response.header("x-idempotency-replayed") == "true", committed) << "round " << round;
        EXPECT_EQ(server.stop(), 0);
        EXPECT_EQ(count(installation, "SELECT count(*) FROM users"), round + 1);
        EXPECT_EQ(count(installation, "SELECT count(*) FROM idempotency_records"), round + 1);
    }
}

}  // namespace
