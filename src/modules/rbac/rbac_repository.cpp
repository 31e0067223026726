#include "modules/rbac/rbac.hpp"
#include "platform/db/database.hpp"
#include "platform/db/rows.hpp"

#include <boost/describe/class.hpp>

namespace kit::rbac {

BOOST_DESCRIBE_STRUCT(Repository::StoredPermission, (), (id, resource, action, bound_to_admin))

namespace {

struct Id {
    std::int64_t id;
};
BOOST_DESCRIBE_STRUCT(Id, (), (id))

constexpr db::Query list_permission_rows{
    "rbac.permissions",
    "SELECT p.id, p.resource, p.action, "
    "EXISTS (SELECT 1 FROM role_permissions rp JOIN roles r ON r.id = rp.role_id "
    "WHERE rp.permission_id = p.id AND r.name = 'admin') AS bound_to_admin "
    "FROM permissions p ORDER BY p.id"
};

constexpr db::Query insert_permission_row{
    "rbac.insert_permission",
    "INSERT INTO permissions (resource, action, created_at, updated_at) VALUES ($1, $2, $3, $3)"
};

constexpr db::Query find_role_row{"rbac.find_role", "SELECT id FROM roles WHERE name = $1"};

constexpr db::Query insert_role_row{
    "rbac.insert_role",
    "INSERT INTO roles (name, description, created_at, updated_at) VALUES ($1, $2, $3, $3)"
};

constexpr db::Query bind_permission{
    "rbac.bind_to_admin",
    "INSERT INTO role_permissions (role_id, permission_id, created_at) "
    "SELECT r.id, $1, $2 FROM roles r WHERE r.name = 'admin' ON CONFLICT DO NOTHING"
};

constexpr db::Query touch_role_row{"rbac.touch_role", "UPDATE roles SET updated_at = $2 WHERE name = $1"};

constexpr db::Query add_user_role{
    "rbac.add_role",
    "INSERT INTO user_roles (user_id, role_id, created_at) "
    "SELECT $1, r.id, $3 FROM roles r WHERE r.name = $2 ON CONFLICT DO NOTHING"
};

constexpr db::Query find_user_by_email{"rbac.find_user", "SELECT id FROM users WHERE email = $1"};

constexpr db::Query find_verified_user{
    "rbac.find_verified_user",
    "SELECT u.id FROM users u WHERE u.email = $1 AND ("
    "EXISTS (SELECT 1 FROM local_credentials c WHERE c.user_id = u.id AND c.email_verified = true) "
    "OR EXISTS (SELECT 1 FROM o_auth_accounts a WHERE a.user_id = u.id AND a.email_verified = true))"
};

constexpr db::Query find_admin{
    "rbac.find_admin",
    "SELECT ur.user_id AS id FROM user_roles ur JOIN roles r ON r.id = ur.role_id WHERE r.name = 'admin' "
    "LIMIT 1"
};

constexpr db::Query insert_claim_row{
    "rbac.insert_claim", "INSERT INTO admin_claims (token_hash, expires_at, created_at) VALUES ($1, $2, $3)"
};

constexpr db::Query delete_expired_claim_rows{
    "rbac.delete_expired_claims", "DELETE FROM admin_claims WHERE expires_at <= $1"
};

constexpr db::Query consume_claim_row{
    "rbac.consume_claim",
    "UPDATE admin_claims SET used_at = $2 WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2"
};

}  // namespace

Task<std::vector<Repository::StoredPermission>> Repository::permissions(db::Session& session)
{
    co_return co_await session.query<StoredPermission>(list_permission_rows);
}

Task<void> Repository::insert_permission(db::Session& session, const Permission& permission, Timestamp now)
{
    co_await session.execute(insert_permission_row, permission.resource, permission.action, now);
}

Task<bool> Repository::role_exists(db::Session& session, std::string_view name)
{
    const auto rows = co_await session.query<Id>(find_role_row, name);
    co_return !rows.empty();
}

Task<void> Repository::insert_role(
    db::Session& session, std::string_view name, std::string_view description, Timestamp now
)
{
    co_await session.execute(insert_role_row, name, description, now);
}

Task<void> Repository::bind_to_admin(db::Session& session, std::int64_t permission_id, Timestamp now)
{
    co_await session.execute(bind_permission, permission_id, now);
}

Task<void> Repository::touch_role(db::Session& session, std::string_view name, Timestamp now)
{
    co_await session.execute(touch_role_row, name, now);
}

Task<bool> Repository::add_role(
    db::Session& session, std::int64_t user_id, std::string_view role, Timestamp now
)
{
    const auto added = co_await session.execute(add_user_role, user_id, role, now);
    co_return added > 0;
}

Task<std::optional<std::int64_t>> Repository::find_user(
    db::Session& session, std::string_view email, bool verified_only
)
{
    const auto rows =
        co_await session.query<Id>(verified_only ? find_verified_user : find_user_by_email, email);
    if (rows.empty()) {
        co_return std::nullopt;
    }
    co_return rows.front().id;
}

Task<bool> Repository::has_admin(db::Session& session)
{
    const auto rows = co_await session.query<Id>(find_admin);
    co_return !rows.empty();
}

Task<void> Repository::insert_claim(
    db::Session& session, std::string_view token_hash, Timestamp now, Timestamp expires_at
)
{
    co_await session.execute(insert_claim_row, token_hash, expires_at, now);
}

Task<void> Repository::delete_expired_claims(db::Session& session, Timestamp now)
{
    co_await session.execute(delete_expired_claim_rows, now);
}

Task<bool> Repository::consume_claim(db::Session& session, std::string_view token_hash, Timestamp now)
{
    const auto used = co_await session.execute(consume_claim_row, token_hash, now);
    co_return used > 0;
}

}  // namespace kit::rbac
