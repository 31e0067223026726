#include "platform/db/postgres/tools.hpp"

#include "platform/db/database.hpp"
#include "platform/db/postgres/libpq.hpp"
#include "platform/db/rows.hpp"

#include <boost/describe/class.hpp>
#include <libpq-fe.h>

#include <memory>

namespace kit::db {

namespace {

struct Counted {
    std::int64_t rows = 0;
    std::string digest;
};
BOOST_DESCRIBE_STRUCT(Counted, (), (rows, digest))

constexpr Query list_tables{
    "backup.tables", "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
};

constexpr Query export_snapshot{"backup.snapshot", "SELECT pg_export_snapshot() AS name"};

// Sixty bits of each row's MD5, summed: against accidents, not against attackers.
std::string digest_sql(const std::string& table)
{
    std::string name = "\"";
    for (const char byte : table) {
        name += byte;
        name += byte == '"' ? "\"" : "";
    }
    return "SELECT count(*) AS rows, coalesce(sum(('x' || substr(md5(t::text), 1, 15))::bit(60)::bigint), "
           "0)::text AS digest FROM " +
           name + "\" t";
}

struct Dump {
    std::function<void(const std::string&)> dump;

    Task<std::vector<TableDigest>> operator()(Transaction& transaction) const
    {
        co_await transaction.run_script("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
        const auto snapshot = co_await transaction.query<std::string>(export_snapshot);
        dump(snapshot.front());
        co_return co_await postgres_digests(transaction);
    }
};

}  // namespace

std::vector<std::pair<std::string, std::string>> libpq_environment(const std::string& url)
{
    postgres::load_libpq();
    const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> options(
        PQconninfoParse(url.c_str(), nullptr), PQconninfoFree
    );
    if (!options) {
        throw Unavailable("libpq does not understand DATABASE_URL");
    }
    std::vector<std::pair<std::string, std::string>> variables;
    for (const auto* option = options.get(); option->keyword != nullptr; ++option) {
        if (option->val != nullptr && option->envvar != nullptr) {
            variables.emplace_back(option->envvar, option->val);
        }
    }
    return variables;
}

Task<std::vector<TableDigest>> postgres_digests(Session& session)
{
    std::vector<TableDigest> digests;
    // Statements are known by their address: none may take another one's place.
    std::vector<std::unique_ptr<std::pair<std::string, Query>>> queries;
    for (auto& name : co_await session.query<std::string>(list_tables)) {
        auto& query = queries.emplace_back(std::make_unique<std::pair<std::string, Query>>());
        query->first = digest_sql(name);
        query->second = {.name = "backup.digest", .sql = query->first};
        auto counted = co_await session.query<Counted>(query->second);
        digests.push_back(
            {.name = std::move(name),
             .rows = counted.front().rows,
             .digest = std::move(counted.front().digest)}
        );
    }
    co_return digests;
}

Task<std::vector<TableDigest>> dump_postgres(Database& database, std::function<void(const std::string&)> dump)
{
    co_return co_await database.transaction(Dump{std::move(dump)});
}

}  // namespace kit::db
