#include "modules/users/users.hpp"
#include "platform/db/list_statements.hpp"
#include "platform/db/rows.hpp"

#include <boost/describe/class.hpp>

namespace kit::users {

namespace {

// A line of the page's join with roles: the user's columns repeat, one line for each role.
struct ListRow {
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
};
BOOST_DESCRIBE_STRUCT(
    ListRow,
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
     role_updated_at)
)

// An absent time is the earliest on both engines, as it is shown; an index has the same expression.
constexpr std::array<db::OrderColumn, list_fields.size()> columns{{
    {.name = "id", .unique = true},
    {.name = "created_at"},
    {.name = "updated_at"},
    {.name = "email", .unique = true},
    {.name = "name"},
    {.name = "status"},
    {.name = "last_login_at", .before = "coalesce(", .after = ", '0001-01-01T00:00:00.000000Z')"},
}};

enum Condition : std::size_t { by_email = 1, by_status = 2, by_role = 4 };

db::ListStatements statements({
    .name = "users.list",
    .count = "users.count",
    .columns = "u.*",
    .from = "users u",
    .alias = "u.",
    .order = columns,
    .combinations = 8,
    .frame =
        db::ListFrame{
            .head = "SELECT p.id, p.email, p.name, p.avatar_url, p.status, p.last_login_at, p.created_at, "
                    "p.updated_at, r.id AS role_id, r.name AS role_name, r.description AS role_description, "
                    "r.created_at AS role_created_at, r.updated_at AS role_updated_at FROM ",
            .tail = " p LEFT JOIN user_roles ur ON ur.user_id = p.id LEFT JOIN roles r ON r.id = ur.role_id ",
            .alias = "p.",
            .then = ", r.id",
        },
});

constexpr db::Query find_role{
    .name = "users.list_role", .sql = "SELECT id FROM roles WHERE name = $1", .brief = true
};

// Nothing where nobody can match. The role by its id: of a name PostgreSQL cannot tell how many have it.
Task<std::optional<db::Conditions>> conditions_of(db::Session& session, const ListFilter& filter)
{
    db::Conditions conditions(session.engine());
    if (!filter.email.empty()) {
        conditions.begins_with("u.email", filter.email, by_email);
    }
    if (!filter.status.empty()) {
        conditions.compare("u.status = ", filter.status, by_status);
    }
    if (!filter.role.empty()) {
        const auto ids = co_await session.query<std::int64_t>(find_role, filter.role);
        if (ids.empty()) {
            co_return std::nullopt;
        }
        conditions.join("JOIN user_roles x ON x.user_id = u.id AND x.role_id = ", ids.front(), by_role);
    }
    co_return conditions;
}

void add_line(std::vector<User>& users, ListRow& line)
{
    if (users.empty() || users.back().id != line.id) {
        users.push_back({
            .id = line.id,
            .email = std::move(line.email),
            .name = std::move(line.name),
            .avatar_url = std::move(line.avatar_url).value_or(""),
            .status = std::move(line.status),
            .last_login_at = line.last_login_at.value_or(never),
            .created_at = line.created_at,
            .updated_at = line.updated_at,
            .roles = std::nullopt,
        });
    }
    if (!line.role_id) {
        return;
    }
    auto& roles = users.back().roles;
    if (!roles) {
        roles.emplace();
    }
    roles->push_back({
        .id = *line.role_id,
        .name = std::move(*line.role_name),
        .description = std::move(line.role_description).value_or(""),
        .permissions = std::nullopt,
        .created_at = *line.role_created_at,
        .updated_at = *line.role_updated_at,
    });
}

}  // namespace

Task<Page> Repository::page(db::Session& session, const ListFilter& filter, const ListView& view)
{
    const auto conditions = co_await conditions_of(session, filter);
    if (!conditions) {
        co_return Page{.total = view.total == Total::none ? std::nullopt : std::optional<std::int64_t>(0)};
    }
    const auto listed = co_await statements.read(
        session, *conditions, {.order = view.order, .slice = view.slice, .total = view.total}
    );
    Page page{.total = listed.total};
    for (auto& line : db::map_rows<ListRow>(*listed.query, listed.rows)) {
        add_line(page.rows, line);
    }
    db::trim_to(page, view.slice);
    co_return page;
}

Place place_of(const User& user, std::size_t field)
{
    const auto name = list_fields.at(field);
    Place place{.id = user.id};
    if (name == "created_at") {
        place.value = user.created_at;
    } else if (name == "updated_at") {
        place.value = user.updated_at;
    } else if (name == "last_login_at") {
        place.value = user.last_login_at;
    } else if (name == "email") {
        place.value = user.email;
    } else if (name == "name") {
        place.value = user.name;
    } else if (name == "status") {
        place.value = user.status;
    }
    return place;
}

}  // namespace kit::users
