#include "modules/rbac/rbac_rows_repository.hpp"
#include "platform/core/encoding.hpp"
#include "platform/db/list_statements.hpp"

#include <array>

namespace kit::rbac {

namespace {

constexpr std::array<db::OrderColumn, role_list_fields.size()> role_columns{{
    {.name = "id", .unique = true},
    {.name = "created_at"},
    {.name = "updated_at"},
    {.name = "name", .unique = true},
}};

constexpr std::array<db::OrderColumn, permission_list_fields.size()> permission_columns{{
    {.name = "id", .unique = true},
    {.name = "created_at"},
    {.name = "updated_at"},
    {.name = "resource"},
    {.name = "action"},
}};

db::ListStatements role_lists({
    .name = "rbac.list_roles",
    .count = "rbac.count_roles",
    .columns = "q.*",
    .from = "roles q",
    .alias = "q.",
    .order = role_columns,
    .combinations = 2,
    .frame =
        db::ListFrame{
            .head = "SELECT " KIT_ROLE_COLUMNS "FROM ",
            .tail = " r " KIT_ROLE_JOIN,
            .alias = "r.",
            .then = ", p.id",
        },
});

db::ListStatements permission_lists({
    .name = "rbac.list_permissions",
    .count = "rbac.count_permissions",
    .columns = KIT_PERMISSION_COLUMNS,
    .from = "permissions p",
    .alias = "p.",
    .order = permission_columns,
    .combinations = 4,
});

}  // namespace

Task<RolePage> Repository::list_roles(db::Session& session, const std::string& name, const ListView& view)
{
    db::Conditions conditions(session.engine());
    if (!name.empty()) {
        conditions.begins_with("lower(q.name)", to_lower(name), 1);
    }
    auto listed = co_await role_lists.read(
        session, conditions, {.order = view.order, .slice = view.slice, .total = view.total}
    );
    RolePage page{
        .rows = roles_of(db::map_rows<RoleLine>(*listed.query, listed.rows)), .total = listed.total
    };
    db::trim_to(page, view.slice);
    co_return page;
}

Task<PermissionPage> Repository::list_permissions(
    db::Session& session, const PermissionFilter& filter, const ListView& view
)
{
    db::Conditions conditions(session.engine());
    if (!filter.resource.empty()) {
        conditions.begins_with("lower(p.resource)", to_lower(filter.resource), 1);
    }
    if (!filter.action.empty()) {
        conditions.begins_with("lower(p.action)", to_lower(filter.action), 2);
    }
    auto listed = co_await permission_lists.read(
        session, conditions, {.order = view.order, .slice = view.slice, .total = view.total}
    );
    PermissionPage page{
        .rows = db::map_rows<users::Permission>(*listed.query, listed.rows), .total = listed.total
    };
    db::trim_to(page, view.slice);
    co_return page;
}

Place place_of(const users::Role& role, std::size_t field)
{
    const auto name = role_list_fields.at(field);
    Place place{.id = role.id};
    if (name == "created_at") {
        place.value = role.created_at;
    } else if (name == "updated_at") {
        place.value = role.updated_at;
    } else if (name == "name") {
        place.value = role.name;
    }
    return place;
}

Place place_of(const users::Permission& permission, std::size_t field)
{
    const auto name = permission_list_fields.at(field);
    Place place{.id = permission.id};
    if (name == "created_at") {
        place.value = permission.created_at;
    } else if (name == "updated_at") {
        place.value = permission.updated_at;
    } else if (name == "resource") {
        place.value = permission.resource;
    } else if (name == "action") {
        place.value = permission.action;
    }
    return place;
}

}  // namespace kit::rbac
