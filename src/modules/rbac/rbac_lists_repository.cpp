#include "modules/rbac/rbac_rows_repository.hpp"
#include "platform/core/encoding.hpp"
#include "platform/db/query_family.hpp"

#include <array>

namespace kit::rbac {

namespace {

// The statements of a small table's list: every order, with and without each of the filters.
struct ListFamilies {
    db::QueryFamily list;
    db::QueryFamily count;
};

ListFamilies role_lists{{"rbac.list_roles", role_list_fields.size() * 4}, {"rbac.count_roles", 2}};
ListFamilies permission_lists{
    {"rbac.list_permissions", permission_list_fields.size() * 8}, {"rbac.count_permissions", 4}
};

std::string order_by(std::string_view table, std::string_view column, bool descending)
{
    const std::string direction = descending ? " DESC" : " ASC";
    return std::string(table) + std::string(column) + direction + ", " + std::string(table) + "id" +
           direction;
}

// Conditions on the beginnings of columns; the patterns outlive it.
struct Where {
    std::string sql;
    std::vector<db::Value> values;
    std::size_t combination = 0;

    void begins_with(std::string_view column, const std::string& pattern, std::size_t bit)
    {
        values.emplace_back(pattern);
        sql += sql.empty() ? "WHERE lower(" : "AND lower(";
        sql += column;
        sql += ") LIKE $" + std::to_string(values.size()) + " ESCAPE '\\' ";
        combination |= bit;
    }

    std::string limit() const
    {
        return " LIMIT $" + std::to_string(values.size() + 1) + " OFFSET $" +
               std::to_string(values.size() + 2);
    }
};

struct Listing {
    ListFamilies& families;
    const Where& where;
    std::size_t order;  // of the statement, among those of one combination of conditions
    std::size_t orders;
    std::string_view table;
};

struct ListRows {
    const db::Query* query;
    db::Rows rows;
    std::int64_t total;
};

Task<ListRows> read_list(
    db::Session& session, const Listing& listing, const Slice& slice, const std::function<std::string()>& sql
)
{
    const auto& where = listing.where;
    const auto& list = listing.families.list.variant(where.combination * listing.orders + listing.order, sql);
    const auto& count = listing.families.count.variant(where.combination, [&] {
        return "SELECT count(*) AS total FROM " + std::string(listing.table) + " " + where.sql;
    });
    auto values = where.values;
    values.emplace_back(slice.rows_max);
    values.emplace_back(slice.offset);
    const std::array<db::Statement, 2> statements{{{&list, values}, {&count, where.values}}};
    auto results = co_await session.run_all(statements);
    co_return ListRows{
        .query = &list,
        .rows = std::move(results[0]),
        .total = db::map_rows<std::int64_t>(count, results[1]).at(0)
    };
}

}  // namespace

Task<RolePage> Repository::list_roles(
    db::Session& session, const std::string& name, const Order& order, const Slice& slice
)
{
    const auto pattern = db::prefix_pattern(to_lower(name));
    Where where;
    if (!name.empty()) {
        where.begins_with("name", pattern, 1);
    }
    const auto column = role_list_fields.at(order.field);
    auto listed = co_await read_list(
        session,
        {.families = role_lists,
         .where = where,
         .order = order.field * 2 + (order.descending ? 1 : 0),
         .orders = role_list_fields.size() * 2,
         .table = "roles"},
        slice,
        [&] {
            return "SELECT " KIT_ROLE_COLUMNS "FROM (SELECT * FROM roles " + where.sql + "ORDER BY " +
                   order_by("", column, order.descending) + where.limit() + ") r " KIT_ROLE_JOIN "ORDER BY " +
                   order_by("r.", column, order.descending) + ", p.id";
        }
    );
    co_return RolePage{
        .roles = roles_of(db::map_rows<RoleLine>(*listed.query, listed.rows)), .total = listed.total
    };
}

Task<PermissionPage> Repository::list_permissions(
    db::Session& session, const PermissionFilter& filter, const Order& order, const Slice& slice
)
{
    const auto resource = db::prefix_pattern(to_lower(filter.resource));
    const auto action = db::prefix_pattern(to_lower(filter.action));
    Where where;
    if (!filter.resource.empty()) {
        where.begins_with("resource", resource, 1);
    }
    if (!filter.action.empty()) {
        where.begins_with("action", action, 2);
    }
    const auto column = permission_list_fields.at(order.field);
    auto listed = co_await read_list(
        session,
        {.families = permission_lists,
         .where = where,
         .order = order.field * 2 + (order.descending ? 1 : 0),
         .orders = permission_list_fields.size() * 2,
         .table = "permissions"},
        slice,
        [&] {
            return "SELECT " KIT_PERMISSION_COLUMNS "FROM permissions " + where.sql + "ORDER BY " +
                   order_by("", column, order.descending) + where.limit();
        }
    );
    co_return PermissionPage{
        .permissions = db::map_rows<users::Permission>(*listed.query, listed.rows), .total = listed.total
    };
}

}  // namespace kit::rbac
