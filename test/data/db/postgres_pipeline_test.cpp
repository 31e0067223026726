// PostgreSQL: statements that share connections, conflicts, deadlines, types.
#include "data/db/database_fixture.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <gmock/gmock.h>

namespace kit::db {

namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr Query divide{"test.divide", "SELECT 100 / CAST($1 AS integer) AS result", true};
constexpr Query count_prepared{
    "test.count_prepared",
    "SELECT count(*) AS count FROM pg_prepared_statements WHERE statement LIKE 'SELECT 100 %'"
};
constexpr Query nap{"test.nap", "SELECT pg_sleep($1)"};
constexpr Query count_naps{
    "test.count_naps",
    "SELECT count(*) AS count FROM pg_stat_activity "
    "WHERE query LIKE '%pg_sleep%' AND state = 'active' AND pid <> pg_backend_pid()"
};
constexpr Query fail_until{"test.fail_until", "SELECT fail_until($1) AS attempt"};
constexpr Query insert_item{"test.insert_item", "INSERT INTO items (id, value) VALUES ($1, 0)"};
constexpr Query bump_item{"test.bump_item", "UPDATE items SET value = value + 1 WHERE id = $1"};
constexpr Query sum_items{"test.sum_items", "SELECT CAST(sum(value) AS bigint) AS sum FROM items"};
constexpr Query numeric_values{
    "test.numeric_values",
    "SELECT x AS value FROM (VALUES (0::numeric), (12345.6789), (-0.0001), (1e30), (-99990000), (0.1), "
    "('NaN')) AS t (x)"
};
constexpr Query address{"test.address", "SELECT CAST('127.0.0.1' AS inet) AS address"};
constexpr Query all_of_shape{"test.all_of_shape", "SELECT * FROM shape"};
constexpr Query own_process{"test.own_process", "SELECT pg_backend_pid() AS process"};
constexpr Query end_process{"test.end_process", "SELECT pg_terminate_backend($1) AS ended"};

constexpr std::string_view schema = R"(
    CREATE TABLE items (id bigint PRIMARY KEY, value bigint NOT NULL);
    CREATE SEQUENCE attempts;
    CREATE FUNCTION fail_until(wanted bigint) RETURNS bigint LANGUAGE plpgsql AS $$
    DECLARE attempt bigint := nextval('attempts');
    BEGIN
        IF attempt < wanted THEN RAISE EXCEPTION 'conflict' USING ERRCODE = '40001'; END IF;
        RETURN attempt;
    END $$;
)";

class Pipeline : public testing::Test {
protected:
    void open(const DatabaseOptions& options = {})
    {
        database.emplace(fresh_url(Engine::postgres), options);
        run_script(*database, schema);
    }

    Database& db() { return **database; }

    template <class T>
    T run(Task<T> task)
    {
        return database->run(std::move(task));
    }

    std::optional<Opened> database;
};

TEST_F(Pipeline, FailedStatementsHarmNoNeighbour)
{
    open();
    for (int round = 0; round < 5; ++round) {
        std::vector<Task<std::vector<int>>> tasks;
        tasks.reserve(200);
        for (int index = 0; index < 200; ++index) {
            tasks.push_back(db().query<int>(divide, index % 5));
        }
        int failed = 0;
        int index = 0;
        for (auto& future : database->start_all(std::move(tasks))) {
            try {
                const auto result = future.get().front();
                EXPECT_EQ(100 / (index % 5), result);
            } catch (const QueryFailed&) {
                EXPECT_EQ(0, index % 5);
                ++failed;
            }
            ++index;
        }
        EXPECT_EQ(40, failed);
    }
    EXPECT_EQ(1, run(db().query<int>(count_prepared)).front());
}

TEST_F(Pipeline, NumbersOfAnyPrecisionBecomeReal)
{
    open();
    const auto values = run(db().query<double>(numeric_values));
    ASSERT_EQ(7U, values.size());
    EXPECT_EQ(
        (std::vector<double>{0, 12345.6789, -0.0001, 1e30, -99990000, 0.1}),
        std::vector(values.begin(), values.end() - 1)
    );
    EXPECT_TRUE(std::isnan(values.back()));
}

TEST_F(Pipeline, TypesThatAreNotReadAreNamed)
{
    open();
    try {
        run(db().query<std::string>(address));
        FAIL();
    } catch (const QueryFailed& failed) {
        EXPECT_THAT(failed.what(), HasSubstr("'address'"));
    }
    run(db().ping());
}

struct FailUntil {
    std::int64_t attempt;

    Task<std::int64_t> operator()(Transaction& transaction) const
    {
        const auto reached = co_await transaction.query<std::int64_t>(fail_until, attempt);
        co_await transaction.execute(insert_item, attempt);
        co_return reached.front();
    }
};

TEST_F(Pipeline, ConflictsRepeatTheTransactionThreeTimesInAll)
{
    open();
    EXPECT_EQ(3, run(db().transaction(FailUntil{3})));
    EXPECT_THROW(run(db().transaction(FailUntil{100})), Unavailable);
    EXPECT_EQ(7, run(db().transaction(FailUntil{7}))) << "the failed one used three";
    const std::array<Value, 1> tenth{10};
    const std::array<Value, 1> id{10};
    const std::array<Statement, 2> statements{{{&insert_item, id}, {&fail_until, tenth}}};
    EXPECT_EQ(10, map_rows<int>(fail_until, run(db().run_atomically(statements))[1]).front());
}

struct BumpBoth {
    std::int64_t first;
    std::int64_t second;

    Task<int> operator()(Transaction& transaction) const
    {
        co_await transaction.execute(bump_item, first);
        co_await transaction.execute(bump_item, second);
        co_return 0;
    }
};

TEST_F(Pipeline, DeadlocksAreSolved)
{
    open({.query_time_max = 10s});
    run(db().execute(insert_item, 1));
    run(db().execute(insert_item, 2));
    std::vector<Task<int>> tasks;
    tasks.reserve(6);
    for (int index = 0; index < 6; ++index) {
        tasks.push_back(db().transaction(index % 2 == 0 ? BumpBoth{1, 2} : BumpBoth{2, 1}));
    }
    int done = 0;
    int given_up = 0;
    for (auto& future : database->start_all(std::move(tasks))) {
        try {
            future.get();
            ++done;
        } catch (const Unavailable&) {
            ++given_up;  // three deadlocks in a row
        }
    }
    EXPECT_GE(done, 2);
    EXPECT_EQ(6, done + given_up);
    EXPECT_EQ(2 * done, run(db().query<int>(sum_items)).front());
}

TEST_F(Pipeline, OverdueStatementsAreCancelledAndNeighboursServed)
{
    open({.query_time_max = 400ms, .connections_per_worker_max = 2});
    run(db().query<int>(divide, 1));
    const auto start = std::chrono::steady_clock::now();
    auto overdue =
        asio::co_spawn(database->executor(0), db().query<std::optional<int>>(nap, 10), asio::use_future);
    EXPECT_THROW(overdue.get(), DeadlineExceeded);
    EXPECT_GE(std::chrono::steady_clock::now() - start, 400ms);
    EXPECT_LT(std::chrono::steady_clock::now() - start, 1s);
    for (int index = 1; index < 50; ++index) {
        EXPECT_EQ(100 / index, run(db().query<int>(divide, index)).front());
    }
    EXPECT_EQ(0, run(db().query<int>(count_naps)).front());
}

struct BumpThenNap {
    Task<int> operator()(Transaction& transaction) const
    {
        co_await transaction.execute(bump_item, 1);
        co_await transaction.query<std::optional<int>>(nap, 10);
        co_return 0;
    }
};

TEST_F(Pipeline, OverdueTransactionsAreRolledBack)
{
    open({.query_time_max = 300ms});
    run(db().execute(insert_item, 1));
    EXPECT_THROW(run(db().transaction(BumpThenNap{})), DeadlineExceeded);
    EXPECT_EQ(1, run(db().execute(bump_item, 1)));  // waits for the lock until the rollback
    EXPECT_EQ(1, run(db().query<int>(sum_items)).front());
}

TEST_F(Pipeline, CancelledCallersLeaveTheConnectionUsable)
{
    open();
    asio::cancellation_signal signal;
    std::promise<std::exception_ptr> ended;
    asio::co_spawn(
        database->executor(0),
        db().query<std::optional<int>>(nap, 0.2),
        asio::bind_cancellation_slot(
            signal.slot(),
            [&](std::exception_ptr failed, const auto& /*rows*/) { ended.set_value(std::move(failed)); }
        )
    );
    asio::post(database->executor(0), [&] { signal.emit(asio::cancellation_type::terminal); });
    EXPECT_THROW(std::rethrow_exception(ended.get_future().get()), Cancelled);
    EXPECT_EQ(50, run(db().query<int>(divide, 2)).front());
}

struct Nap {
    Task<int> operator()(Transaction& transaction) const
    {
        co_await transaction.query<std::optional<int>>(nap, 0.3);
        co_return 0;
    }
};

TEST_F(Pipeline, AFullQueueIsToldAtOnce)
{
    open({.connections_per_worker_max = 1, .queue_max = 4});
    std::vector<std::future<std::vector<int>>> futures;
    futures.reserve(10);
    auto held = asio::co_spawn(database->executor(0), db().transaction(Nap{}), asio::use_future);
    for (int index = 0; index < 10; ++index) {
        futures.push_back(asio::co_spawn(database->executor(0), db().query<int>(divide, 1), asio::use_future)
        );
    }
    int overloaded = 0;
    for (auto& future : futures) {
        try {
            future.get();
        } catch (const Overloaded&) {
            ++overloaded;
        }
    }
    EXPECT_EQ(0, held.get());
    EXPECT_EQ(6, overloaded);
}

TEST_F(Pipeline, TransactionsAndStatementsShareOneConnectionFairly)
{
    open({.connections_per_worker_max = 1});
    run(db().execute(insert_item, 1));
    std::vector<std::future<int>> transactions;
    transactions.reserve(50);
    std::vector<std::future<std::int64_t>> statements;
    statements.reserve(50);
    for (int index = 0; index < 50; ++index) {
        transactions.push_back(
            asio::co_spawn(database->executor(0), db().transaction(BumpBoth{1, 1}), asio::use_future)
        );
        statements.push_back(
            asio::co_spawn(database->executor(0), db().execute(bump_item, 1), asio::use_future)
        );
    }
    for (auto& future : transactions) {
        future.get();
    }
    for (auto& future : statements) {
        EXPECT_EQ(1, future.get());
    }
    EXPECT_EQ(150, run(db().query<int>(sum_items)).front());
}

TEST_F(Pipeline, AChangedSchemaIsPreparedAnew)
{
    open();
    run_script(*database, "CREATE TABLE shape (a integer); INSERT INTO shape VALUES (1)");
    EXPECT_EQ(1, run(db().query<int>(all_of_shape)).front());
    run_script(*database, "ALTER TABLE shape ALTER COLUMN a TYPE text");
    EXPECT_EQ("1", run(db().query<std::string>(all_of_shape)).front());
}

TEST_F(Pipeline, ALostConnectionIsReplaced)
{
    open();
    const auto process = run(db().query<int>(own_process)).front();
    std::vector<Task<std::vector<int>>> tasks;
    tasks.reserve(60);
    for (int index = 1; index < 60; ++index) {
        tasks.push_back(
            index == 30 ? db().query<int>(end_process, process) : db().query<int>(divide, index % 7 + 1)
        );
    }
    int served = 0;
    int lost = 0;
    for (auto& future : database->start_all(std::move(tasks))) {
        try {
            future.get();
            ++served;
        } catch (const Unavailable&) {
            ++lost;
        }
    }
    EXPECT_GT(served, 0);
    EXPECT_EQ(59, served + lost);
    // What is sent before the server's farewell is read fails; then there is a new connection.
    std::optional<int> next;
    for (int attempts = 0; !next && attempts < 10; ++attempts) {
        try {
            next = run(db().query<int>(own_process)).front();
        } catch (const Unavailable&) {
            next.reset();
        }
    }
    ASSERT_TRUE(next);
    EXPECT_NE(process, *next);
}

}  // namespace

}  // namespace kit::db
