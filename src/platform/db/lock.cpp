#include "platform/db/lock.hpp"

#include "platform/db/database.hpp"
#include "platform/db/rows.hpp"

namespace kit::db {

namespace {

constexpr Query advisory_lock{
    "db.lock", "SELECT count(*) AS locked FROM (SELECT pg_advisory_xact_lock($1)) AS held"
};

}  // namespace

Task<void> lock(Transaction& transaction, LockKey key)
{
    if (transaction.engine() == Engine::postgres) {
        co_await transaction.execute(advisory_lock, static_cast<std::int64_t>(key));
    }
}

}  // namespace kit::db
