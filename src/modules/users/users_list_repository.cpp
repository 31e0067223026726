#include "modules/users/users.hpp"
#include "platform/core/encoding.hpp"
#include "platform/db/query_family.hpp"
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

// The conditions of a filter with their values, and a number for this combination of conditions.
struct Where {
    static constexpr std::size_t combinations = 8;

    std::string sql;
    std::vector<db::Value> values;
    std::size_t combination = 0;

    void add(std::string_view condition, db::Value value, std::size_t bit)
    {
        values.push_back(value);
        sql += sql.empty() ? "WHERE " : "AND ";
        sql += condition;
        sql += '$' + std::to_string(values.size());
        combination |= bit;
    }
};

// The two texts outlive it.
Where where(const ListFilter& filter, const std::string& email_pattern)
{
    Where where;
    if (!filter.email.empty()) {
        where.add("u.email LIKE ", email_pattern, 1);
        where.sql += " ESCAPE '\\' ";
    }
    if (!filter.status.empty()) {
        where.add("u.status = ", filter.status, 2);
        where.sql += ' ';
    }
    if (!filter.role.empty()) {
        where.add(
            "EXISTS (SELECT 1 FROM user_roles x JOIN roles y ON y.id = x.role_id WHERE x.user_id = u.id "
            "AND y.name = ",
            filter.role,
            4
        );
        where.sql += ") ";
    }
    return where;
}

db::QueryFamily list_family("users.list", Where::combinations* list_fields.size() * 2, true);
db::QueryFamily count_family("users.count", Where::combinations, true);

std::string order_by(std::string_view table, const Order& order)
{
    const std::string direction = order.descending ? " DESC" : " ASC";
    const auto column = std::string(table) + '.' + std::string(list_fields.at(order.field));
    // An absent time is the earliest on both engines.
    const auto nulls = list_fields.at(order.field) == "last_login_at"
                           ? (order.descending ? " NULLS LAST" : " NULLS FIRST")
                           : "";
    return column + direction + nulls + ", " + std::string(table) + ".id" + direction;
}

std::string list_sql(const Where& where, const Order& order)
{
    const auto rows_max = '$' + std::to_string(where.values.size() + 1);
    const auto offset = '$' + std::to_string(where.values.size() + 2);
    return "SELECT p.id, p.email, p.name, p.avatar_url, p.status, p.last_login_at, p.created_at, "
           "p.updated_at, "
           "r.id AS role_id, r.name AS role_name, r.description AS role_description, "
           "r.created_at AS role_created_at, r.updated_at AS role_updated_at "
           "FROM (SELECT u.id, u.email, u.name, u.avatar_url, u.status, u.last_login_at, u.created_at, "
           "u.updated_at FROM users u " +
           where.sql + "ORDER BY " + order_by("u", order) + " LIMIT " + rows_max + " OFFSET " + offset +
           ") p LEFT JOIN user_roles ur ON ur.user_id = p.id LEFT JOIN roles r ON r.id = ur.role_id "
           "ORDER BY " +
           order_by("p", order) + ", r.id";
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

Task<Page> Repository::page(
    db::Session& session, const ListFilter& filter, const Order& order, const Slice& slice
)
{
    const auto pattern = db::prefix_pattern(filter.email);
    const auto conditions = where(filter, pattern);
    const auto number =
        (conditions.combination * list_fields.size() + order.field) * 2 + (order.descending ? 1 : 0);
    const auto& list = list_family.variant(number, [&] { return list_sql(conditions, order); });
    const auto& count = count_family.variant(conditions.combination, [&] {
        return "SELECT count(*) AS total FROM users u " + conditions.sql;
    });
    auto values = conditions.values;
    values.emplace_back(slice.rows_max);
    values.emplace_back(slice.offset);
    const std::array<db::Statement, 2> statements{{{&list, values}, {&count, conditions.values}}};
    const auto results = co_await session.run_all(statements);
    Page page{.users = {}, .total = db::map_rows<std::int64_t>(count, results[1]).at(0)};
    for (auto& line : db::map_rows<ListRow>(list, results[0])) {
        add_line(page.users, line);
    }
    co_return page;
}

}  // namespace kit::users
