#include "platform/db/migrations.hpp"

#include "data/db/database_fixture.hpp"

#include <gmock/gmock.h>

namespace kit::db {

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Migration first{
    1, "0001_first", "CREATE TABLE a (id bigint PRIMARY KEY); -- a comment\nCREATE TABLE b (id bigint);", "c1"
};
constexpr Migration second{
    2, "0002_second", "INSERT INTO a (id) VALUES (1);\nINSERT INTO a (id) VALUES (2)", "c2"
};
constexpr Migration broken{
    3, "0003_broken", "INSERT INTO a (id) VALUES (3); INSERT INTO nowhere (id) VALUES (1);", "c3"
};

constexpr Query count_a{"test.count_a", "SELECT count(*) AS count FROM a"};

constexpr Timestamp now{std::chrono::seconds(1'800'000'000)};

class Migrations : public testing::TestWithParam<Engine> {
protected:
    Migrations()
        : url(GetParam() == Engine::sqlite ? "sqlite::memory:" : fresh_url(Engine::postgres)), database(url)
    {
    }

    std::vector<std::string> up(std::span<const Migration> migrations)
    {
        return database.run(migrate_up(*database, migrations, now));
    }

    std::vector<MigrationState> states(std::span<const Migration> migrations)
    {
        std::vector<MigrationState> result;
        for (const auto& status : database.run(migration_status(*database, migrations))) {
            result.push_back(status.state);
        }
        return result;
    }

    std::string url;
    Opened database;
};

TEST_P(Migrations, AppliesEachOnce)
{
    const std::array both{first, second};
    EXPECT_THAT(states(both), ElementsAre(MigrationState::pending, MigrationState::pending));
    EXPECT_THAT(up(std::span(both).first(1)), ElementsAre("0001_first"));
    EXPECT_THAT(states(both), ElementsAre(MigrationState::applied, MigrationState::pending));
    EXPECT_THAT(up(both), ElementsAre("0002_second"));
    EXPECT_THAT(up(both), IsEmpty());
    EXPECT_EQ(2, database.run(database->query<int>(count_a)).front());
    EXPECT_THAT(
        states(std::span(both).first(1)), ElementsAre(MigrationState::applied, MigrationState::unknown)
    );
    EXPECT_THAT(up(std::span(both).first(1)), IsEmpty());
}

TEST_P(Migrations, RefusesAChangedOne)
{
    auto changed = first;
    up({&first, 1});
    changed.checksum = "other";
    EXPECT_THAT(states({&changed, 1}), ElementsAre(MigrationState::changed));
    try {
        up({&changed, 1});
        FAIL();
    } catch (const QueryFailed& failed) {
        EXPECT_THAT(failed.what(), HasSubstr("0001_first"));
    }
}

TEST_P(Migrations, AFailedOneLeavesNothing)
{
    const std::array all{first, second, broken};
    try {
        up(all);
        FAIL();
    } catch (const QueryFailed& failed) {
        EXPECT_THAT(failed.what(), HasSubstr("0003_broken"));
        EXPECT_THAT(failed.what(), HasSubstr("nowhere"));
    }
    EXPECT_EQ(2, database.run(database->query<int>(count_a)).front());
    EXPECT_THAT(
        states(all), ElementsAre(MigrationState::applied, MigrationState::applied, MigrationState::pending)
    );
}

TEST_P(Migrations, NodesThatStartTogetherWaitForEachOther)
{
    const std::array both{first, second};
    std::vector<Task<std::vector<std::string>>> tasks;
    tasks.reserve(4);
    for (int node = 0; node < 4; ++node) {
        tasks.push_back(migrate_up(*database, both, now));
    }
    std::size_t applied = 0;
    for (auto& future : database.start_all(std::move(tasks))) {
        applied += future.get().size();
    }
    EXPECT_EQ(2U, applied);
}

TEST_P(Migrations, TheEmbeddedOnesApply)
{
    const auto embedded = embedded_migrations(GetParam());
    EXPECT_EQ(embedded.size(), up(embedded).size());
    EXPECT_EQ(embedded_migrations(Engine::sqlite).size(), embedded_migrations(Engine::postgres).size());
}

INSTANTIATE_TEST_SUITE_P(
    Engines,
    Migrations,
    testing::Values(Engine::sqlite, Engine::postgres),
    [](const auto& engine) { return engine.param == Engine::sqlite ? "sqlite" : "postgres"; }
);

}  // namespace

}  // namespace kit::db
