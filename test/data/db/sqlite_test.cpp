// What SQLite does in trouble: other processes, kill -9, a full queue, a full disk.
#include "data/db/database_fixture.hpp"
#include "support/temp_dir.hpp"

#include <boost/asio/experimental/channel.hpp>
#include <gmock/gmock.h>

#include <csignal>
#include <latch>
#include <sys/stat.h>
#include <sys/wait.h>

namespace kit::db {

namespace {

using namespace std::chrono_literals;

constexpr std::string_view schema = "CREATE TABLE IF NOT EXISTS numbers (id INTEGER PRIMARY KEY, name TEXT)";
constexpr Query insert_number{"test.insert_number", "INSERT INTO numbers (id, name) VALUES ($1, $2)"};
constexpr Query count_numbers{"test.count_numbers", "SELECT count(*) AS count FROM numbers", true};
constexpr Query list_numbers{"test.list_numbers", "SELECT id FROM numbers ORDER BY id"};
constexpr Query next_number{"test.next_number", "SELECT coalesce(max(id) + 1, 0) AS next FROM numbers"};
constexpr Query integrity{"test.integrity", "PRAGMA integrity_check"};
constexpr Query endless{
    "test.endless",
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS count FROM n"
};
constexpr Query endless_brief{"test.endless_brief", endless.sql, true};
constexpr Query long_brief{
    "test.long_brief",
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT count(*) AS "
    "count FROM n",
    true
};
constexpr Query just_too_long{
    "test.just_too_long",
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT count(*) AS "
    "count "
    "FROM n",
    true
};
constexpr Query endless_write{
    "test.endless_write",
    "INSERT INTO numbers (id) WITH RECURSIVE n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n) SELECT i "
    "FROM n"
};
constexpr Query brief_write{"test.brief_write", "INSERT INTO numbers (id) VALUES ($1)", true};

class SqliteFile : public testing::Test {
protected:
    std::string url() const { return "sqlite://" + path().string(); }

    std::filesystem::path path() const { return folder.path() / "test.db"; }

    static int count(Opened& database) { return database.run(database->query<int>(count_numbers)).front(); }

    test::TempDir folder;
};

TEST_F(SqliteFile, IsPrivate)
{
    Opened database(url());
    run_script(database, schema);
    struct stat status{};
    for (const auto* suffix : {"", "-wal", "-shm"}) {
        ASSERT_EQ(0, ::stat((path().string() + suffix).c_str(), &status));
        EXPECT_EQ(0600U, status.st_mode & 0777U) << suffix;
    }
}

TEST_F(SqliteFile, ClosingMovesTheLogIntoTheFile)
{
    {
        Opened database(url());
        run_script(database, schema);
        database.run(database->execute(insert_number, 1, "a"));
    }
    EXPECT_FALSE(std::filesystem::exists(path().string() + "-wal"));
    Opened again(url());
    EXPECT_EQ(1, count(again));
}

TEST_F(SqliteFile, TheLogStaysSmall)
{
    Opened database(url());
    run_script(database, schema);
    const std::string text(100'000, 'x');
    for (int id = 0; id < 300; ++id) {
        database.run(database->execute(insert_number, id, text));
    }
    EXPECT_LT(std::filesystem::file_size(path().string() + "-wal"), 12U * 1'024 * 1'024);
}

TEST_F(SqliteFile, BriefReadsThatAreNotGoOnElsewhere)
{
    Opened database(url(), {.query_time_max = 300ms});
    EXPECT_EQ(100'000, database.run(database->query<int>(long_brief)).front());
    EXPECT_THROW(database.run(database->query<int>(endless_brief)), DeadlineExceeded);
}

// SQLite looks at the deadline once in so many steps of a statement, so it takes many to meet every one.
TEST_F(SqliteFile, ReadsThatWereNotBriefLeaveTheirSnapshot)
{
    Opened database(url());
    for (int turn = 0; turn < 1'000; ++turn) {
        ASSERT_EQ(3'000, database.run(database->query<int>(just_too_long)).front());
    }
}

// The reads of one turn share a snapshot, but never one from before what anybody was told of.
TEST_F(SqliteFile, AReadSeesWhatAnotherWorkerWroteInTheSameTurn)
{
    Opened database(url());
    run_script(database, schema);
    const auto look_twice = [&]() -> Task<std::pair<int, int>> {
        const int before = (co_await database->query<int>(count_numbers)).front();
        // Blocks this worker, so that its turn goes on.
        asio::co_spawn(database.executor(1), database->execute(insert_number, 1, "a"), asio::use_future)
            .get();
        co_return std::pair(before, (co_await database->query<int>(count_numbers)).front());
    };
    EXPECT_EQ(std::pair(0, 1), database.run(look_twice()));
}

TEST_F(SqliteFile, AWriteMarkedBriefIsWrittenAllTheSame)
{
    Opened database(url());
    run_script(database, schema);
    EXPECT_EQ(1, database.run(database->execute(brief_write, 1)));
    EXPECT_EQ(1, count(database));
}

TEST_F(SqliteFile, ReadsEndAtTheirDeadline)
{
    Opened database(url(), {.query_time_max = 200ms});
    const auto start = std::chrono::steady_clock::now();
    EXPECT_THROW(database.run(database->query<int>(endless)), DeadlineExceeded);
    const auto took = std::chrono::steady_clock::now() - start;
    EXPECT_GE(took, 200ms);
    EXPECT_LT(took, 2s);
}

// Holds the writer, from inside a transaction, until told otherwise.
struct Hold {
    std::latch& started;
    std::latch& release;

    Task<int> operator()(Transaction& transaction) const
    {
        co_await transaction.execute(insert_number, 1'000'000, "held");
        started.count_down();
        release.wait();
        co_return 0;
    }
};

// SQLite rolls the whole transaction back when a write is interrupted; the neighbours in the same commit must
// not notice, nor wait.
TEST_F(SqliteFile, ASlowWriteHarmsNoNeighbourBeforeIt)
{
    Opened database(url(), {.query_time_max = 700ms});
    run_script(database, schema);
    std::latch started(1);
    std::latch release(1);
    auto held =
        asio::co_spawn(database.executor(0), database->transaction(Hold{started, release}), asio::use_future);
    started.wait();
    std::vector<std::future<std::int64_t>> before;
    before.reserve(20);
    for (int id = 0; id < 20; ++id) {
        before.push_back(
            asio::co_spawn(database.executor(0), database->execute(insert_number, id, "x"), asio::use_future)
        );
    }
    auto slow = asio::co_spawn(database.executor(0), database->execute(endless_write), asio::use_future);
    database.run(database->query<int>(count_numbers));  // now they are all queued
    const auto start = std::chrono::steady_clock::now();
    release.count_down();
    EXPECT_EQ(0, held.get());
    for (auto& future : before) {
        EXPECT_EQ(1, future.get());
    }
    EXPECT_LT(std::chrono::steady_clock::now() - start, 500ms);
    EXPECT_THROW(slow.get(), DeadlineExceeded);
    EXPECT_EQ(21, count(database));
}

TEST_F(SqliteFile, AnotherProcessThatWritesIsWaitedFor)
{
    Opened database(url(), {.query_time_max = 300ms});
    Opened other(url(), {.query_time_max = 10s});  // its own connections: to SQLite another process
    run_script(database, schema);
    std::latch started(1);
    std::latch release(1);
    auto held =
        asio::co_spawn(other.executor(0), other->transaction(Hold{started, release}), asio::use_future);
    started.wait();
    EXPECT_EQ(0, count(database));
    const auto start = std::chrono::steady_clock::now();
    EXPECT_THROW(database.run(database->execute(insert_number, 1, "a")), Unavailable);
    EXPECT_GE(std::chrono::steady_clock::now() - start, 250ms);
    auto waiting =
        asio::co_spawn(database.executor(0), database->execute(insert_number, 2, "b"), asio::use_future);
    release.count_down();
    held.get();
    EXPECT_EQ(1, waiting.get());
    EXPECT_EQ(2, count(database));
}

TEST_F(SqliteFile, AFullQueueIsToldAtOnce)
{
    Opened database(url(), {.query_time_max = 10s, .queue_max = 8});
    run_script(database, schema);
    std::latch started(1);
    std::latch release(1);
    auto held =
        asio::co_spawn(database.executor(0), database->transaction(Hold{started, release}), asio::use_future);
    started.wait();
    std::vector<Task<std::int64_t>> tasks;
    tasks.reserve(8);
    for (int id = 0; id < 8; ++id) {
        tasks.push_back(database->execute(insert_number, id, "x"));
    }
    auto queued = database.start_all(std::move(tasks));
    bool overloaded = false;
    while (!overloaded) {  // until the eight have reached the queue
        try {
            database.run(database->query<int>(count_numbers));
            auto probe = asio::co_spawn(
                database.executor(1), database->execute(insert_number, 100, "x"), asio::use_future
            );
            overloaded = probe.wait_for(10ms) == std::future_status::ready;
            if (overloaded) {
                EXPECT_THROW(probe.get(), Overloaded);
            } else {
                queued.push_back(std::move(probe));
                break;
            }
        } catch (const Overloaded&) {
            overloaded = true;
        }
    }
    release.count_down();
    held.get();
    for (auto& future : queued) {
        try {
            future.get();
        } catch (const Overloaded&) {
            overloaded = true;
        }
    }
    EXPECT_TRUE(overloaded);
}

constexpr Query limit_pages{"test.limit_pages", "PRAGMA max_page_count = 20"};

struct LimitPages {
    Task<int> operator()(Transaction& transaction) const
    {
        co_await transaction.run(Statement{.query = &limit_pages, .values = {}});
        co_return 0;
    }
};

TEST_F(SqliteFile, AFullDiskLosesNothingAcknowledged)
{
    Opened database(url());
    run_script(database, schema);
    database.run(database->transaction(LimitPages{}));
    const std::string text(3'000, 'x');
    std::vector<Task<std::int64_t>> tasks;
    tasks.reserve(64);
    for (int id = 0; id < 64; ++id) {
        tasks.push_back([](Database& target, int number, std::string value) -> Task<std::int64_t> {
            co_return co_await target.execute(insert_number, number, value);
        }(*database, id, text));
    }
    int acknowledged = 0;
    int refused = 0;
    for (auto& future : database.start_all(std::move(tasks))) {
        try {
            future.get();
            ++acknowledged;
        } catch (const Unavailable&) {
            ++refused;
        }
    }
    EXPECT_GT(acknowledged, 0);
    EXPECT_GT(refused, 0);
    EXPECT_EQ(acknowledged, count(database));
}

// Writes acknowledged rows to the pipe until it is killed.
[[noreturn]] void write_until_killed(const std::string& url, int pipe)
{
    {
        Opened database(url);
        run_script(database, schema);
        std::int64_t next = database.run(database->query<std::int64_t>(next_number)).front();
        while (true) {
            std::vector<Task<std::int64_t>> tasks;
            tasks.reserve(8);
            for (int index = 0; index < 8; ++index) {
                tasks.push_back(
                    database->execute(insert_number, next + index, "some text to fill the pages with")
                );
            }
            auto futures = database.start_all(std::move(tasks));
            for (auto& future : futures) {
                future.get();
                const auto id = next++;
                if (::write(pipe, &id, sizeof id) != sizeof id) {
                    ::_exit(1);
                }
            }
        }
    }
}

TEST_F(SqliteFile, KilledWritersLoseNothingAcknowledged)
{
    constexpr int rounds = 50;
    std::vector<std::int64_t> acknowledged;
    for (int round = 0; round < rounds; ++round) {
        int ends[2];
        ASSERT_EQ(0, ::pipe(ends));
        const pid_t child = ::fork();
        if (child == 0) {
            ::close(ends[0]);
            write_until_killed(url(), ends[1]);
        }
        ::close(ends[1]);
        std::int64_t id = -1;
        int left = 1 + round * 3;
        while (::read(ends[0], &id, sizeof id) == sizeof id) {
            acknowledged.push_back(id);
            if (--left == 0) {
                ::kill(child, SIGKILL);
            }
        }
        ASSERT_LE(left, 0) << "the writer failed";
        ::close(ends[0]);
        ::waitpid(child, nullptr, 0);
        Opened database(url());
        const auto ids = database.run(database->query<std::int64_t>(list_numbers));
        ASSERT_TRUE(std::ranges::includes(ids, acknowledged)) << "round " << round;
        ASSERT_EQ("ok", database.run(database->query<std::string>(integrity)).front());
    }
}

TEST(SqliteInMemory, OpensFast)
{
    Workers workers(2);
    SystemClock clock;
    const auto start = std::chrono::steady_clock::now();
    const auto database = open_database("sqlite::memory:", workers, clock, {});
    EXPECT_LT(std::chrono::steady_clock::now() - start, 100ms);
}

}  // namespace

}  // namespace kit::db
