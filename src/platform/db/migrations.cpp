#include "platform/db/migrations.hpp"

#include "platform/db/lock.hpp"
#include "platform/db/rows.hpp"

#include <boost/describe/class.hpp>

#include <algorithm>
#include <map>
#include <stdexcept>

namespace kit::db {

namespace {

struct Applied {
    int version;
    std::string name;
    std::string checksum;
};

BOOST_DESCRIBE_STRUCT(Applied, (), (version, name, checksum))

constexpr Query table_exists_postgres{
    .name = "migrations.table_exists",
    .sql = "SELECT to_regclass('schema_migrations') IS NOT NULL AS found",
};
constexpr Query table_exists_sqlite{
    .name = "migrations.table_exists",
    .sql = "SELECT count(*) AS found FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'",
};
constexpr Query list_applied{
    .name = "migrations.list",
    .sql = "SELECT version, name, checksum FROM schema_migrations ORDER BY version",
};
constexpr Query insert_applied{
    .name = "migrations.insert",
    .sql = "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)",
};
constexpr std::string_view create_table_postgres =
    "CREATE TABLE IF NOT EXISTS schema_migrations ("
    "version bigint PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT "
    "NULL)";
constexpr std::string_view create_table_sqlite =
    "CREATE TABLE IF NOT EXISTS schema_migrations ("
    "version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at TEXT NOT NULL)";

Task<std::vector<Applied>> read_applied(Session& session)
{
    const auto& exists = session.engine() == Engine::postgres ? table_exists_postgres : table_exists_sqlite;
    const auto found = co_await session.query<bool>(exists);
    if (!found.front()) {
        co_return std::vector<Applied>();
    }
    co_return co_await session.query<Applied>(list_applied);
}

std::vector<MigrationStatus> compare(
    std::span<const Migration> migrations, const std::vector<Applied>& applied
)
{
    std::map<int, MigrationStatus> states;
    for (const auto& migration : migrations) {
        const MigrationStatus pending{
            .version = migration.version,
            .name = std::string(migration.name),
            .state = MigrationState::pending
        };
        if (!states.emplace(migration.version, pending).second) {
            throw std::logic_error("two migrations have the version " + std::to_string(migration.version));
        }
    }
    for (const auto& row : applied) {
        const auto known = std::ranges::find(migrations, row.version, &Migration::version);
        auto state = MigrationState::unknown;
        if (known != migrations.end()) {
            state = known->checksum == row.checksum ? MigrationState::applied : MigrationState::changed;
        }
        states[row.version] = {.version = row.version, .name = row.name, .state = state};
    }
    std::vector<MigrationStatus> list;
    list.reserve(states.size());
    for (auto& [version, status] : states) {
        list.push_back(std::move(status));
    }
    return list;
}

void refuse_changed(const std::vector<MigrationStatus>& states)
{
    const auto changed = std::ranges::find(states, MigrationState::changed, &MigrationStatus::state);
    if (changed != states.end()) {
        throw QueryFailed(
            "migration " + changed->name +
            " was changed after it had been applied: restore it and add a new one"
        );
    }
}

bool is_pending(const std::vector<MigrationStatus>& states, int version)
{
    const auto found = std::ranges::find(states, version, &MigrationStatus::version);
    return found != states.end() && found->state == MigrationState::pending;
}

struct Step {
    const Migration& migration;
    std::span<const Migration> all;
    Timestamp now;

    // False: another node was faster.
    Task<bool> operator()(Transaction& transaction) const
    {
        co_await lock(transaction, LockKey::migrations);
        const bool is_postgres = transaction.engine() == Engine::postgres;
        co_await transaction.run_script(is_postgres ? create_table_postgres : create_table_sqlite);
        const auto states = compare(all, co_await read_applied(transaction));
        refuse_changed(states);
        if (!is_pending(states, migration.version)) {
            co_return false;
        }
        co_await transaction.run_script(migration.sql);
        co_await transaction.execute(
            insert_applied, migration.version, migration.name, migration.checksum, now
        );
        co_return true;
    }
};

Task<bool> apply(Database& database, Step step)
{
    try {
        co_return co_await database.transaction(std::ref(step));
    } catch (const QueryFailed& failed) {
        throw QueryFailed("migration " + std::string(step.migration.name) + ": " + failed.what());
    }
}

}  // namespace

Task<std::vector<MigrationStatus>> migration_status(Database& database, std::span<const Migration> migrations)
{
    const auto applied = co_await read_applied(database);
    co_return compare(migrations, applied);
}

Task<std::vector<std::string>> migrate_up(
    Database& database, std::span<const Migration> migrations, Timestamp now
)
{
    const auto states = co_await migration_status(database, migrations);
    refuse_changed(states);
    std::vector<std::string> names;
    for (const auto& migration : migrations) {
        if (!is_pending(states, migration.version)) {
            continue;
        }
        const bool applied =
            co_await apply(database, {.migration = migration, .all = migrations, .now = now});
        if (applied) {
            names.emplace_back(migration.name);
        }
    }
    co_return names;
}

}  // namespace kit::db
