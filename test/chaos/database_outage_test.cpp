// PostgreSQL gone or silent under load: honest 503s within their deadline, and health at once when it is
// back.
#include "chaos/release.hpp"
#include "support/account.hpp"
#include "support/postgres_cluster.hpp"
#include "support/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

using namespace kit::test;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view email = "ada@example.com";
constexpr int readers = 6;

// What a load has seen since the last reset.
struct Tally {
    std::map<int, int> statuses;
    std::chrono::milliseconds slowest{0};
    int unanswered = 0;

    int count(int status) const
    {
        const auto found = statuses.find(status);
        return found == statuses.end() ? 0 : found->second;
    }
};

// Clients that ask for /me without a pause, one that refreshes, and one that asks whether the server lives.
class Load {
public:
    Load(Endpoint endpoint, const HttpClient::Jar& jar) : endpoint_(std::move(endpoint))
    {
        for (int i = 0; i < readers; ++i) {
            threads_.emplace_back([this, jar] { run(jar, "GET", "/api/v1/me", data_); });
        }
        threads_.emplace_back([this, jar] { run(jar, "POST", "/api/v1/auth/refresh", data_); });
        threads_.emplace_back([this, jar] { run(jar, "GET", "/health/live", live_); });
    }

    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;

    ~Load() { done_ = true; }

    Tally data() const { return copy(data_); }

    Tally live() const { return copy(live_); }

    void reset()
    {
        const std::scoped_lock lock(mutex_);
        data_ = {};
        live_ = {};
    }

    // Until so many more answers of that status have come.
    bool await(int status, int more) const
    {
        const int before = data().count(status);
        return eventually([this, status, more, before] { return data().count(status) >= before + more; });
    }

private:
    Tally copy(const Tally& tally) const
    {
        const std::scoped_lock lock(mutex_);
        return tally;
    }

    void run(HttpClient::Jar jar, const std::string& method, const std::string& target, Tally& tally)
    {
        HttpClient client(endpoint_);
        client.set_jar(std::move(jar));
        while (!done_) {
            const auto began = std::chrono::steady_clock::now();
            int status = 0;
            try {
                status = method == "GET" ? client.get(target).status : client.post(target).status;
            } catch (const std::exception&) {
                client.disconnect();
            }
            const auto took = std::chrono::steady_clock::now() - began;
            const std::scoped_lock lock(mutex_);
            tally.slowest = std::max(tally.slowest, std::chrono::ceil<std::chrono::milliseconds>(took));
            if (status == 0) {
                ++tally.unanswered;
            } else {
                ++tally.statuses[status];
            }
        }
    }

    Endpoint endpoint_;
    std::atomic<bool> done_{false};
    mutable std::mutex mutex_;
    Tally data_;
    Tally live_;
    std::vector<std::jthread> threads_;
};

class DatabaseOutage : public testing::Test {
protected:
    // The outages are shorter than this grace: a refresh whose commit was not acknowledged can be repeated.
    Installation installation{Engine::postgres, {{"AUTH_REFRESH_GRACE", "5m"}}, release_binary()};
    PostgresCluster& postgres = PostgresCluster::shared();
    Server server = installation.start();
    HttpClient::Jar jar = sign_up_one();

    HttpClient::Jar sign_up_one() const
    {
        auto client = server.client();
        EXPECT_EQ(sign_up(client, email).status, 201);
        return client.jar();
    }

    int status_of_me() const
    {
        auto client = server.client();
        client.set_jar(jar);
        return client.get("/api/v1/me").status;
    }

    // Only 200 and 503, all answered, and the server itself lived on.
    static void expect_only_honest(const Load& load)
    {
        const auto data = load.data();
        for (const auto& [status, count] : data.statuses) {
            EXPECT_TRUE(status == 200 || status == 503) << count << " times " << status;
        }
        EXPECT_EQ(data.unanswered, 0);
        const auto live = load.live();
        EXPECT_EQ(live.statuses.size(), 1U);
        EXPECT_GT(live.count(200), 0);
        EXPECT_EQ(live.unanswered, 0);
    }

    void expect_healthy_within_a_second(Load& load)
    {
        const auto returned = std::chrono::steady_clock::now();
        EXPECT_TRUE(eventually(
            [this] { return status_of_me() == 200 && server.client().get("/health/ready").status == 200; }, 1s
        ));
        const auto took = std::chrono::steady_clock::now() - returned;
        RecordProperty("recovery_ms", static_cast<int>(took / std::chrono::milliseconds(1)));
        // By then every worker must be well, not just those that were asked.
        std::this_thread::sleep_until(returned + 1s);
        load.reset();
        EXPECT_TRUE(load.await(200, 500));
        EXPECT_EQ(load.data().statuses.size(), 1U) << "no 503 any more";
    }
};

TEST_F(DatabaseOutage, KilledAndRestartedUnderLoad)
{
    Load load(server.endpoint(), jar);
    ASSERT_TRUE(load.await(200, 100));
    postgres.crash();
    EXPECT_TRUE(load.await(503, 200));
    EXPECT_EQ(server.client().get("/health/ready").status, 503);
    postgres.start();
    expect_only_honest(load);
    expect_healthy_within_a_second(load);
    expect_only_honest(load);
    EXPECT_EQ(server.stop(), 0) << server.process().errors();
}

TEST_F(DatabaseOutage, SilentUnderLoad)
{
    Load load(server.endpoint(), jar);
    ASSERT_TRUE(load.await(200, 100));
    load.reset();
    postgres.pause();
    // Every client has been refused at least twice: once in the middle of a query, once afterwards.
    EXPECT_TRUE(load.await(503, 2 * (readers + 1)));
    const auto data = load.data();
    RecordProperty("slowest_ms", static_cast<int>(data.slowest.count()));
    EXPECT_LE(data.slowest, 2500ms);
    EXPECT_LE(load.live().slowest, 500ms);
    postgres.resume();
    expect_only_honest(load);
    expect_healthy_within_a_second(load);
    EXPECT_EQ(server.stop(), 0) << server.process().errors();
}

// A start without the database fails with its reason, and the pool of a running server survives an orderly
// stop as well.
TEST_F(DatabaseOutage, StoppedInGoodOrder)
{
    Load load(server.endpoint(), jar);
    ASSERT_TRUE(load.await(200, 100));
    postgres.stop();
    EXPECT_TRUE(load.await(503, 50));
    const auto refused = run(installation.command({"api"}));
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_FALSE(refused.errors.empty());
    postgres.start();
    expect_healthy_within_a_second(load);
    expect_only_honest(load);
}

}  // namespace
