#include "modules/users/users.hpp"
#include "platform/db/database.hpp"
#include "platform/db/rows.hpp"

#include <boost/describe/class.hpp>

#include <array>

namespace kit::users {

namespace {

constexpr db::Query insert_user{
    "users.insert",
    "INSERT INTO users (email, name, avatar_url, status, created_at, updated_at) VALUES ($1, $2, '', "
    "'active', $3, $3) "
    "ON CONFLICT (email) DO NOTHING RETURNING id"
};

// An update that changes nothing: on PostgreSQL it locks the row, SQLite has one writer anyway.
constexpr db::Query lock_user_status{
    "users.lock_status",
    "UPDATE users SET updated_at = updated_at WHERE email = $1 RETURNING id AS user_id, status"
};

constexpr db::Query update_user_status{
    "users.update_status", "UPDATE users SET status = $2, updated_at = $3 WHERE id = $1"
};

// An update that changes nothing: on PostgreSQL it locks the row, SQLite has one writer anyway.
constexpr db::Query lock_user{"users.lock", "UPDATE users SET updated_at = updated_at WHERE id = $1"};

constexpr db::Query update_user_avatar{
    "users.update_avatar", "UPDATE users SET avatar_url = $2, updated_at = $3 WHERE id = $1"
};

struct InsertedId {
    std::int64_t id;
};
BOOST_DESCRIBE_STRUCT(InsertedId, (), (id))

struct LockedStatus {
    std::int64_t user_id;
    std::string status;
};
BOOST_DESCRIBE_STRUCT(LockedStatus, (), (user_id, status))

#define KIT_USER_WITH_ROLES                                                                               \
    "SELECT u.id, u.email, u.name, u.avatar_url, u.status, u.last_login_at, u.created_at, u.updated_at, " \
    "r.id AS role_id, r.name AS role_name, r.description AS role_description, "                           \
    "r.created_at AS role_created_at, r.updated_at AS role_updated_at, "                                  \
    "p.id AS permission_id, p.resource, p.action, "                                                       \
    "p.created_at AS permission_created_at, p.updated_at AS permission_updated_at "                       \
    "FROM users u "                                                                                       \
    "LEFT JOIN user_roles ur ON ur.user_id = u.id "                                                       \
    "LEFT JOIN roles r ON r.id = ur.role_id "                                                             \
    "LEFT JOIN role_permissions rp ON rp.role_id = r.id "                                                 \
    "LEFT JOIN permissions p ON p.id = rp.permission_id "

constexpr db::Query find_by_id{
    .name = "users.find", .sql = KIT_USER_WITH_ROLES "WHERE u.id = $1 ORDER BY r.id, p.id", .brief = true
};
constexpr db::Query find_by_email{
    .name = "users.find_by_email",
    .sql = KIT_USER_WITH_ROLES "WHERE u.email = $1 ORDER BY r.id, p.id",
    .brief = true
};

#undef KIT_USER_WITH_ROLES

// A line of the join: the user's columns repeat, a role's too, one for each permission.
struct JoinedRow {
    std::int64_t id;
    std::string email;
    std::string name;
    std::optional<std::string> avatar_url;
    std::string status;
    std::optional<Timestamp> last_login_at;
    Timestamp created_at;
    Timestamp updated_at;
    std::optional<std::int64_t> role_id;
    std::optional<std::string> role_name;
    std::optional<std::string> role_description;
    std::optional<Timestamp> role_created_at;
    std::optional<Timestamp> role_updated_at;
    std::optional<std::int64_t> permission_id;
    std::optional<std::string> resource;
    std::optional<std::string> action;
    std::optional<Timestamp> permission_created_at;
    std::optional<Timestamp> permission_updated_at;
};
BOOST_DESCRIBE_STRUCT(
    JoinedRow,
    (),
    (id,
     email,
     name,
     avatar_url,
     status,
     last_login_at,
     created_at,
     updated_at,
     role_id,
     role_name,
     role_description,
     role_created_at,
     role_updated_at,
     permission_id,
     resource,
     action,
     permission_created_at,
     permission_updated_at)
)

void add_role(User& user, JoinedRow& row)
{
    auto& roles = user.roles ? *user.roles : user.roles.emplace();
    if (roles.empty() || roles.back().id != *row.role_id) {
        roles.push_back({
            .id = *row.role_id,
            .name = std::move(*row.role_name),
            .description = std::move(row.role_description).value_or(""),
            .permissions = std::nullopt,
            .created_at = *row.role_created_at,
            .updated_at = *row.role_updated_at,
        });
    }
    if (!row.permission_id) {
        return;
    }
    auto& role = roles.back();
    auto& permissions = role.permissions ? *role.permissions : role.permissions.emplace();
    permissions.push_back({
        .id = *row.permission_id,
        .resource = std::move(*row.resource),
        .action = std::move(*row.action),
        .created_at = *row.permission_created_at,
        .updated_at = *row.permission_updated_at,
    });
}

}  // namespace

Task<std::optional<std::int64_t>> Repository::insert(db::Session& session, const NewUser& user)
{
    const auto rows = co_await session.query<InsertedId>(insert_user, user.email, user.name, user.now);
    if (rows.empty()) {
        co_return std::nullopt;
    }
    co_return rows.front().id;
}

Task<std::optional<Repository::Status>> Repository::lock_status(
    db::Transaction& transaction, std::string_view email
)
{
    auto rows = co_await transaction.query<LockedStatus>(lock_user_status, email);
    if (rows.empty()) {
        co_return std::nullopt;
    }
    co_return Status{.user_id = rows.front().user_id, .status = std::move(rows.front().status)};
}

Task<void> Repository::update_status(db::Transaction& transaction, const Status& status, Timestamp now)
{
    co_await transaction.execute(update_user_status, status.user_id, status.status, now);
}

Task<void> Repository::lock(db::Transaction& transaction, std::int64_t id)
{
    co_await transaction.execute(lock_user, id);
}

Task<bool> Repository::update_avatar(
    db::Transaction& transaction, std::int64_t id, std::string_view url, Timestamp now
)
{
    co_return co_await transaction.execute(update_user_avatar, id, url, now) == 1;
}

const db::Query& Repository::find_by_id_query()
{
    return find_by_id;
}

const db::Query& Repository::find_by_email_query()
{
    return find_by_email;
}

Task<std::optional<User>> Repository::find(db::Session& session, std::int64_t id)
{
    const std::array<db::Value, 1> values{id};
    const auto rows = co_await session.run({&find_by_id, values});
    co_return from_rows(rows);
}

std::optional<User> Repository::from_rows(const db::Rows& rows)
{
    auto lines = db::map_rows<JoinedRow>(find_by_id, rows);
    if (lines.empty()) {
        return std::nullopt;
    }
    auto& first = lines.front();
    User user{
        .id = first.id,
        .email = std::move(first.email),
        .name = std::move(first.name),
        .avatar_url = std::move(first.avatar_url).value_or(""),
        .status = std::move(first.status),
        .last_login_at = first.last_login_at.value_or(never),
        .created_at = first.created_at,
        .updated_at = first.updated_at,
        .roles = std::nullopt,
    };
    for (auto& line : lines) {
        if (line.role_id) {
            add_role(user, line);
        }
    }
    return user;
}

}  // namespace kit::users
