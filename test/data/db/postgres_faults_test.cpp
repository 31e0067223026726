// PostgreSQL gone, back, or silent.
#include "data/db/database_fixture.hpp"

#include <gmock/gmock.h>

#include <atomic>

namespace kit::db {

namespace {

using namespace std::chrono_literals;
using Moment = std::chrono::steady_clock;

// What is promised, and what a sanitized build on a busy machine may take for it.
#ifdef KIT_SANITIZED
constexpr auto health_time_max = 5s;
constexpr auto call_time_max = 5s;
constexpr auto refusal_time_max = 500ms;
#else
constexpr auto health_time_max = 1s;
constexpr auto call_time_max = 2'500ms;
constexpr auto refusal_time_max = 50ms;
#endif
using testing::HasSubstr;
using testing::Not;

constexpr Query brief_one{"test.brief_one", "SELECT 1 AS one", true};
constexpr Query insert_line{"test.insert_line", "INSERT INTO lines (id) VALUES ($1)"};
constexpr Query list_lines{"test.list_lines", "SELECT id FROM lines ORDER BY id"};

class Faults : public testing::Test {
protected:
    Faults() : url(cluster.create_database()), database(url)
    {
        run_script(database, "CREATE TABLE lines (id bigint PRIMARY KEY)");
    }

    bool is_healthy()
    {
        try {
            database.run(database->ping());
            return true;
        } catch (const Unavailable&) {
            return false;
        }
    }

    Moment::duration time_to_health()
    {
        const auto start = Moment::now();
        while (!is_healthy() && Moment::now() - start < 10s) {
        }
        return Moment::now() - start;
    }

    test::PostgresCluster cluster;
    std::string url;
    Opened database;
};

struct Load {
    std::atomic<bool> stop{false};
    std::atomic<int> served{0};
    std::atomic<int> refused{0};
    std::atomic<std::int64_t> next{0};
    std::atomic<Moment::rep> slowest{0};

    // One client: a read, then a write whose acknowledgement is kept.
    Task<std::vector<std::int64_t>> client(Database& target)
    {
        std::vector<std::int64_t> acknowledged;
        while (!stop) {
            const auto start = Moment::now();
            bool is_served = false;
            try {
                co_await target.query<int>(brief_one);
                const auto id = next++;
                co_await target.execute(insert_line, id);
                acknowledged.push_back(id);
                is_served = true;
            } catch (const Unavailable&) {
                ++refused;
            }
            served += is_served ? 1 : 0;
            slowest = std::max(slowest.load(), (Moment::now() - start).count());
            if (!is_served) {
                co_await SystemClock().sleep_for(1ms);
            }
        }
        co_return acknowledged;
    }

    void wait_for(const std::atomic<int>& counter, int more) const
    {
        const int target = counter + more;
        while (counter < target) {
            std::this_thread::yield();
        }
    }
};

TEST_F(Faults, ACrashUnderLoadCostsOnlyUnavailable)
{
    Load load;
    std::vector<Task<std::vector<std::int64_t>>> clients;
    clients.reserve(16);
    for (int index = 0; index < 16; ++index) {
        clients.push_back(load.client(*database));
    }
    auto futures = database.start_all(std::move(clients));
    for (int round = 0; round < 3; ++round) {
        load.wait_for(load.served, 200);
        cluster.crash();
        load.wait_for(load.refused, 50);
        cluster.start();
        EXPECT_LT(time_to_health(), health_time_max);
        load.wait_for(load.served, 200);
    }
    load.stop = true;
    std::vector<std::int64_t> acknowledged;
    for (auto& future : futures) {
        const auto part = future.get();
        acknowledged.insert(acknowledged.end(), part.begin(), part.end());
    }
    std::ranges::sort(acknowledged);
    EXPECT_TRUE(std::ranges::includes(database.run(database->query<std::int64_t>(list_lines)), acknowledged));
    EXPECT_LT(Moment::duration(load.slowest), call_time_max);
}

TEST_F(Faults, AStopIsNoticedWhileIdle)
{
    EXPECT_TRUE(is_healthy());
    cluster.stop();
    const auto start = Moment::now();
    EXPECT_FALSE(is_healthy());
    EXPECT_LT(Moment::now() - start, health_time_max);
    cluster.start();
    EXPECT_LT(time_to_health(), health_time_max);
}

TEST_F(Faults, ASilentServerCostsOneDeadlineAndThenNothing)
{
    EXPECT_TRUE(is_healthy());
    Load load;
    std::vector<Task<std::vector<std::int64_t>>> clients;
    clients.reserve(32);
    for (int index = 0; index < 32; ++index) {
        clients.push_back(load.client(*database));
    }
    auto futures = database.start_all(std::move(clients));
    load.wait_for(load.served, 200);
    cluster.pause();
    load.wait_for(load.refused, 64);
    EXPECT_FALSE(is_healthy());  // this worker may still be finding out
    const auto start = Moment::now();
    EXPECT_FALSE(is_healthy());
    EXPECT_LT(Moment::now() - start, refusal_time_max);
    load.wait_for(load.refused, 5'000);
    cluster.resume();
    EXPECT_LT(time_to_health(), health_time_max);
    load.wait_for(load.served, 200);
    load.stop = true;
    for (auto& future : futures) {
        future.get();
    }
    EXPECT_GE(Moment::duration(load.slowest), 1'900ms);
    EXPECT_LT(Moment::duration(load.slowest), call_time_max);
}

TEST_F(Faults, ASilentServerFromTheStart)
{
    cluster.pause();
    auto start = Moment::now();
    {
        Opened other(url);
        EXPECT_THROW(other.run(other->ping()), Unavailable);
        EXPECT_LT(Moment::now() - start, call_time_max);
        start = Moment::now();
        EXPECT_THROW(other.run(other->ping()), Unavailable);
        EXPECT_LT(Moment::now() - start, refusal_time_max);
    }
    EXPECT_LT(Moment::now() - start, health_time_max) << "closing waits for no one";
    cluster.resume();
}

TEST_F(Faults, WhatCannotBeReachedIsSaidWithoutThePassword)
{
    Opened other("postgres://kit:hunter2@127.0.0.1:" + std::to_string(cluster.port()) + "/no_such_database");
    try {
        other.run(other->ping());
        FAIL();
    } catch (const Unavailable& failed) {
        EXPECT_THAT(failed.what(), HasSubstr("no_such_database"));
        EXPECT_THAT(failed.what(), Not(HasSubstr("hunter2")));
    }
    Opened unknown("postgres://kit:hunter2@no-such-host.invalid/db");
    try {
        unknown.run(unknown->ping());
        FAIL();
    } catch (const Unavailable& failed) {
        EXPECT_THAT(failed.what(), Not(HasSubstr("hunter2")));
    }
}

TEST_F(Faults, HostsAreResolved)
{
    Opened other("postgres://kit@localhost:" + std::to_string(cluster.port()) + "/postgres");
    other.run(other->ping());
}

}  // namespace

}  // namespace kit::db
