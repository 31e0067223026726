// What becomes of a statement whose caller no longer waits: its request ran out of time, or the client is
// gone. Nothing that goes on for nobody.
#include "data/db/database_fixture.hpp"
#include "platform/core/deadline.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <gmock/gmock.h>

#include <latch>

namespace kit::db {

namespace {

using namespace std::chrono_literals;
using Moment = std::chrono::steady_clock;

constexpr auto patience = 100ms;  // of the caller
constexpr auto soon = 5s;         // for a sanitized build on a busy machine
constexpr auto query_time = 60s;  // what would end the statement otherwise

constexpr std::string_view schema = "CREATE TABLE numbers (id bigint PRIMARY KEY)";
constexpr Query insert_number{"cancel.insert", "INSERT INTO numbers (id) VALUES ($1)"};
constexpr Query count_numbers{"cancel.count", "SELECT count(*) AS count FROM numbers"};
constexpr Query endless{
    "cancel.endless",
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT count(*) AS count FROM n"
};
constexpr Query endless_write{
    "cancel.endless_write",
    "INSERT INTO numbers (id) WITH RECURSIVE n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n) SELECT i "
    "FROM n"
};
constexpr Query count_active{
    "cancel.count_active",
    "SELECT count(*) AS count FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' "
    "AND pid <> pg_backend_pid()"
};

// A single connection and a single thread for each purpose: what still runs holds up what comes next.
class Abandoned : public testing::TestWithParam<Engine> {
protected:
    Abandoned() { run_script(database, schema); }

    // The time until the caller has its thread back.
    template <class T>
    Moment::duration abandon(Task<T> work)
    {
        const auto start = Moment::now();
        EXPECT_THROW(
            database.run(with_deadline(clock, clock.steady_now() + patience, std::move(work))),
            DeadlineExceeded
        );
        return Moment::now() - start;
    }

    // The next one is served, and on PostgreSQL nothing is left of the one before.
    void expect_free()
    {
        const auto start = Moment::now();
        EXPECT_EQ(0, database.run(database->query<int>(count_numbers)).front());
        EXPECT_EQ(1, database.run(database->execute(insert_number, 1)));
        while (GetParam() == Engine::postgres && Moment::now() - start < soon &&
               database.run(database->query<int>(count_active)).front() > 0) {
        }
        EXPECT_LT(Moment::now() - start, soon);
    }

    SystemClock clock;
    Opened database{
        fresh_url(GetParam()),
        {.query_time_max = query_time, .connections_per_worker_max = 1, .reader_threads_max = 1}
    };
};

INSTANTIATE_TEST_SUITE_P(
    Engines,
    Abandoned,
    testing::Values(Engine::sqlite, Engine::postgres),
    [](const auto& info) { return info.param == Engine::sqlite ? "sqlite" : "postgres"; }
);

TEST_P(Abandoned, AReadEnds)
{
    EXPECT_LT(abandon(database->query<std::int64_t>(endless)), soon);
    expect_free();
}

TEST_P(Abandoned, AWriteIsUndone)
{
    EXPECT_LT(abandon(database->execute(endless_write)), soon);
    expect_free();
}

struct WriteThenStay {
    Task<int> operator()(Transaction& transaction) const
    {
        co_await transaction.execute(insert_number, 1);
        co_await transaction.query<std::int64_t>(endless);
        co_return 0;
    }
};

TEST_P(Abandoned, ATransactionIsRolledBack)
{
    EXPECT_LT(abandon(database->transaction(WriteThenStay{})), soon);
    expect_free();
}

// Holds SQLite's writer until told otherwise.
struct Hold {
    std::latch& started;
    std::latch& release;

    Task<int> operator()(Transaction& transaction) const
    {
        co_await transaction.query<int>(count_numbers);
        started.count_down();
        release.wait();
        co_return 0;
    }
};

TEST(AbandonedInTheQueue, AWriteIsNotBegun)
{
    Opened database("sqlite::memory:", {.query_time_max = query_time});
    run_script(database, schema);
    std::latch started(1);
    std::latch release(1);
    auto held =
        asio::co_spawn(database.executor(0), database->transaction(Hold{started, release}), asio::use_future);
    started.wait();
    asio::cancellation_signal signal;
    std::promise<std::exception_ptr> ended;
    asio::co_spawn(
        database.executor(0),
        database->execute(insert_number, 1),
        asio::bind_cancellation_slot(
            signal.slot(),
            [&](std::exception_ptr failed, std::int64_t /*rows*/) { ended.set_value(std::move(failed)); }
        )
    );
    asio::post(database.executor(0), [&] {
        signal.emit(asio::cancellation_type::terminal);
        release.count_down();
    });
    held.get();
    EXPECT_THROW(std::rethrow_exception(ended.get_future().get()), Cancelled);
    EXPECT_EQ(0, database.run(database->query<int>(count_numbers)).front());
}

}  // namespace

}  // namespace kit::db
