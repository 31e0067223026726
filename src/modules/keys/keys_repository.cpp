#include "modules/keys/keys.hpp"
#include "platform/db/database.hpp"
#include "platform/db/rows.hpp"

#include <boost/describe/class.hpp>

namespace kit::keys {

BOOST_DESCRIBE_STRUCT(Row, (), (kid, algorithm, public_key, sealed_private_key, created_at, signs_from))

namespace {

constexpr db::Query list_keys{
    .name = "signing_keys.list",
    .sql =
        "SELECT kid, algorithm, public_key, sealed_private_key, created_at, signs_from FROM signing_keys "
        "ORDER BY signs_from, created_at, kid",
    .brief = true
};

constexpr db::Query insert_key{
    "signing_keys.insert",
    "INSERT INTO signing_keys (kid, algorithm, public_key, sealed_private_key, created_at, signs_from) "
    "VALUES ($1, $2, $3, $4, $5, $6)"
};

constexpr db::Query delete_key{"signing_keys.delete", "DELETE FROM signing_keys WHERE kid = $1"};

}  // namespace

Task<std::vector<Row>> Repository::list(db::Session& session)
{
    co_return co_await session.query<Row>(list_keys);
}

Task<void> Repository::insert(db::Session& session, const Row& row)
{
    co_await session.execute(
        insert_key,
        row.kid,
        row.algorithm,
        row.public_key,
        row.sealed_private_key,
        row.created_at,
        row.signs_from
    );
}

Task<void> Repository::remove(db::Session& session, std::string_view kid)
{
    co_await session.execute(delete_key, kid);
}

}  // namespace kit::keys
