#include "modules/rbac/rbac_rows_repository.hpp"

#include <algorithm>
#include <array>

namespace kit::rbac {

namespace {

constexpr db::Query find_role_by_id{
    "rbac.find_role_by_id",
    "SELECT " KIT_ROLE_COLUMNS "FROM roles r " KIT_ROLE_JOIN "WHERE r.id = $1 ORDER BY p.id"
};

constexpr db::Query create_role_row{
    "rbac.create_role",
    "INSERT INTO roles (name, description, created_at, updated_at) VALUES ($1, $2, $3, $3) "
    "ON CONFLICT DO NOTHING RETURNING id"
};

constexpr db::Query name_is_taken{
    "rbac.role_name_taken", "SELECT id FROM roles WHERE lower(name) = lower($1) AND id <> $2"
};

constexpr db::Query update_role_row{
    "rbac.update_role",
    "UPDATE roles SET name = coalesce($2, name), description = coalesce($3, description), updated_at = $4 "
    "WHERE id = $1"
};

constexpr db::Query delete_role_row{"rbac.delete_role", "DELETE FROM roles WHERE id = $1"};

constexpr db::Query clear_role_row{"rbac.clear_role", "DELETE FROM role_permissions WHERE role_id = $1"};

constexpr db::Query bind_role_row{
    "rbac.bind_permission",
    "INSERT INTO role_permissions (role_id, permission_id, created_at) VALUES ($1, $2, $3) "
    "ON CONFLICT DO NOTHING"
};

constexpr db::Query find_permission_by_id{
    "rbac.find_permission_by_id", "SELECT " KIT_PERMISSION_COLUMNS "FROM permissions WHERE id = $1"
};

constexpr db::Query find_permission_by_pair{
    "rbac.find_permission_by_pair",
    "SELECT " KIT_PERMISSION_COLUMNS "FROM permissions WHERE resource = $1 AND action = $2"
};

constexpr db::Query create_permission_row{
    "rbac.create_permission",
    "INSERT INTO permissions (resource, action, created_at, updated_at) VALUES ($1, $2, $3, $3) "
    "ON CONFLICT DO NOTHING RETURNING " KIT_PERMISSION_COLUMNS
};

constexpr db::Query update_permission_row{
    "rbac.update_permission",
    "UPDATE permissions SET resource = $2, action = $3, updated_at = $4 WHERE id = $1 "
    "RETURNING " KIT_PERMISSION_COLUMNS
};

constexpr db::Query delete_permission_row{"rbac.delete_permission", "DELETE FROM permissions WHERE id = $1"};

constexpr db::Query clear_user_row{"rbac.clear_user", "DELETE FROM user_roles WHERE user_id = $1"};

constexpr db::Query bind_user_row{
    "rbac.bind_user",
    "INSERT INTO user_roles (user_id, role_id, created_at) SELECT $1, r.id, $3 FROM roles r WHERE r.id = $2 "
    "ON CONFLICT DO NOTHING"
};

constexpr db::Query touch_user_row{"rbac.touch_user", "UPDATE users SET updated_at = $2 WHERE id = $1"};

constexpr db::Query list_user_role_ids{
    "rbac.role_ids_of_user", "SELECT role_id FROM user_roles WHERE user_id = $1 ORDER BY role_id"
};

constexpr db::Query find_role_id_by_name{
    "rbac.find_role_id_by_name", "SELECT id FROM roles WHERE lower(name) = lower($1)"
};

constexpr db::Query find_role_by_its_id{"rbac.find_role_id", "SELECT id FROM roles WHERE id = $1"};

// Whoever holds the role admin besides this user.
constexpr db::Query find_other_admin{
    "rbac.find_other_admin",
    "SELECT ur.user_id AS id FROM user_roles ur JOIN roles r ON r.id = ur.role_id "
    "WHERE r.name = 'admin' AND ur.user_id <> $1 LIMIT 1"
};

#define KIT_GRANTS                                             \
    "SELECT DISTINCT p.resource, p.action FROM user_roles ur " \
    "JOIN role_permissions rp ON rp.role_id = ur.role_id JOIN permissions p ON p.id = rp.permission_id "

constexpr db::Query grants_of_user{
    .name = "rbac.grants_of_user",
    .sql = KIT_GRANTS "WHERE ur.user_id = $1 ORDER BY p.resource, p.action",
    .brief = true
};

#undef KIT_GRANTS

constexpr db::Query users_by_role{
    "rbac.users_by_role", "SELECT user_id FROM user_roles WHERE role_id = $1 ORDER BY user_id LIMIT $2"
};

constexpr db::Query users_by_permission{
    "rbac.users_by_permission",
    "SELECT DISTINCT ur.user_id FROM user_roles ur JOIN role_permissions rp ON rp.role_id = ur.role_id "
    "WHERE rp.permission_id = $1 ORDER BY ur.user_id LIMIT $2"
};

constexpr db::Query find_user_roles{
    .name = "rbac.roles_of_user",
    .sql =
        "SELECT u.id AS user_id, r.name FROM users u LEFT JOIN user_roles ur ON ur.user_id = u.id "
        "LEFT JOIN roles r ON r.id = ur.role_id WHERE u.id = $1 ORDER BY r.id",
    .brief = true
};

struct UserRole {
    std::int64_t user_id;
    std::optional<std::string> name;
};
BOOST_DESCRIBE_STRUCT(UserRole, (), (user_id, name))

struct Grant {
    std::string resource;
    std::string action;
};
BOOST_DESCRIBE_STRUCT(Grant, (), (resource, action))

// resource:action, sorted.
std::vector<std::string> tokens_of(const std::vector<Grant>& grants)
{
    std::vector<std::string> tokens;
    tokens.reserve(grants.size());
    for (const auto& grant : grants) {
        tokens.push_back(grant.resource + ":" + grant.action);
    }
    std::ranges::sort(tokens);
    return tokens;
}

template <class Row>
std::optional<Row> first(std::vector<Row> rows)
{
    return rows.empty() ? std::nullopt : std::optional(std::move(rows.front()));
}

}  // namespace

Task<std::optional<users::Role>> Repository::find_role(db::Session& session, std::int64_t id)
{
    co_return first(roles_of(co_await session.query<RoleLine>(find_role_by_id, id)));
}

Task<std::optional<std::int64_t>> Repository::create_role(
    db::Session& session, std::string_view name, std::string_view description, Timestamp now
)
{
    co_return first(co_await session.query<std::int64_t>(create_role_row, name, description, now));
}

Task<bool> Repository::role_name_taken(db::Session& session, std::string_view name, std::int64_t besides)
{
    const auto rows = co_await session.query<std::int64_t>(name_is_taken, name, besides);
    co_return !rows.empty();
}

Task<void> Repository::update_role(
    db::Session& session, std::int64_t id, const RoleChange& change, Timestamp now
)
{
    co_await session.execute(update_role_row, id, change.name, change.description, now);
}

Task<void> Repository::delete_role(db::Session& session, std::int64_t id)
{
    co_await session.execute(delete_role_row, id);
}

Task<void> Repository::bind_permissions(
    db::Session& session, std::int64_t role_id, std::span<const users::Permission> permissions, Timestamp now
)
{
    co_await session.execute(clear_role_row, role_id);
    for (const auto& permission : permissions) {
        co_await session.execute(bind_role_row, role_id, permission.id, now);
    }
}

Task<std::optional<users::Permission>> Repository::find_permission(db::Session& session, std::int64_t id)
{
    co_return first(co_await session.query<users::Permission>(find_permission_by_id, id));
}

Task<std::optional<users::Permission>> Repository::find_permission(
    db::Session& session, const Permission& permission
)
{
    co_return first(co_await session.query<users::Permission>(
        find_permission_by_pair, permission.resource, permission.action
    ));
}

Task<std::optional<users::Permission>> Repository::create_permission(
    db::Session& session, const Permission& permission, Timestamp now
)
{
    co_return first(co_await session.query<users::Permission>(
        create_permission_row, permission.resource, permission.action, now
    ));
}

Task<std::optional<users::Permission>> Repository::update_permission(
    db::Session& session, std::int64_t id, const Permission& permission, Timestamp now
)
{
    co_return first(co_await session.query<users::Permission>(
        update_permission_row, id, permission.resource, permission.action, now
    ));
}

Task<void> Repository::delete_permission(db::Session& session, std::int64_t id)
{
    co_await session.execute(delete_permission_row, id);
}

Task<bool> Repository::role_id_exists(db::Session& session, std::int64_t id)
{
    const auto rows = co_await session.query<std::int64_t>(find_role_by_its_id, id);
    co_return !rows.empty();
}

Task<void> Repository::set_roles(
    db::Session& session, std::int64_t user_id, std::span<const std::int64_t> role_ids, Timestamp now
)
{
    co_await session.execute(clear_user_row, user_id);
    for (const auto role_id : role_ids) {
        co_await session.execute(bind_user_row, user_id, role_id, now);
    }
    co_await session.execute(touch_user_row, user_id, now);
}

Task<bool> Repository::has_admin_besides(db::Session& session, std::int64_t user_id)
{
    const auto rows = co_await session.query<std::int64_t>(find_other_admin, user_id);
    co_return !rows.empty();
}

Task<std::vector<std::int64_t>> Repository::role_ids(db::Session& session, std::int64_t user_id)
{
    co_return co_await session.query<std::int64_t>(list_user_role_ids, user_id);
}

Task<std::optional<std::int64_t>> Repository::find_role_id(db::Session& session, std::string_view name)
{
    co_return first(co_await session.query<std::int64_t>(find_role_id_by_name, name));
}

Task<std::vector<std::int64_t>> Repository::users_with_role(
    db::Session& session, std::int64_t role_id, std::int64_t rows_max
)
{
    co_return co_await session.query<std::int64_t>(users_by_role, role_id, rows_max);
}

Task<std::vector<std::int64_t>> Repository::users_with_permission(
    db::Session& session, std::int64_t permission_id, std::int64_t rows_max
)
{
    co_return co_await session.query<std::int64_t>(users_by_permission, permission_id, rows_max);
}

Task<std::vector<std::string>> Repository::grants(db::Session& session, std::int64_t user_id)
{
    co_return tokens_of(co_await session.query<Grant>(grants_of_user, user_id));
}

Task<std::optional<Authority>> Repository::authority(db::Session& session, std::int64_t user_id)
{
    const std::array<db::Value, 1> values{user_id};
    const std::array<db::Statement, 2> statements{{{&find_user_roles, values}, {&grants_of_user, values}}};
    const auto results = co_await session.run_all(statements);
    auto roles = db::map_rows<UserRole>(find_user_roles, results[0]);
    if (roles.empty()) {
        co_return std::nullopt;
    }
    Authority authority;
    for (auto& role : roles) {
        if (role.name) {
            authority.roles.push_back(std::move(*role.name));
        }
    }
    authority.permissions = tokens_of(db::map_rows<Grant>(grants_of_user, results[1]));
    co_return authority;
}

}  // namespace kit::rbac
