// How roles and permissions are read from rows. Of this room only.
#pragma once

#include "modules/rbac/rbac.hpp"
#include "platform/db/database.hpp"
#include "platform/db/rows.hpp"

#include <boost/describe/class.hpp>

namespace kit::users {

BOOST_DESCRIBE_STRUCT(Permission, (), (id, resource, action, created_at, updated_at))

}  // namespace kit::users

namespace kit::rbac {

// A line of a role's join with its permissions: the role's columns repeat.
struct RoleLine {
    std::int64_t id;
    std::string name;
    std::optional<std::string> description;
    Timestamp created_at;
    Timestamp updated_at;
    std::optional<std::int64_t> permission_id;
    std::optional<std::string> resource;
    std::optional<std::string> action;
    std::optional<Timestamp> permission_created_at;
    std::optional<Timestamp> permission_updated_at;
};
BOOST_DESCRIBE_STRUCT(
    RoleLine,
    (),
    (id,
     name,
     description,
     created_at,
     updated_at,
     permission_id,
     resource,
     action,
     permission_created_at,
     permission_updated_at)
)

#define KIT_ROLE_COLUMNS                                                                           \
    "r.id, r.name, r.description, r.created_at, r.updated_at, p.id AS permission_id, p.resource, " \
    "p.action, p.created_at AS permission_created_at, p.updated_at AS permission_updated_at "

#define KIT_ROLE_JOIN                                     \
    "LEFT JOIN role_permissions rp ON rp.role_id = r.id " \
    "LEFT JOIN permissions p ON p.id = rp.permission_id "

#define KIT_PERMISSION_COLUMNS "id, resource, action, created_at, updated_at "

inline users::Permission permission_of(RoleLine& line)
{
    return {
        .id = *line.permission_id,
        .resource = std::move(*line.resource),
        .action = std::move(*line.action),
        .created_at = *line.permission_created_at,
        .updated_at = *line.permission_updated_at,
    };
}

inline std::vector<users::Role> roles_of(std::vector<RoleLine> lines)
{
    std::vector<users::Role> roles;
    for (auto& line : lines) {
        if (roles.empty() || roles.back().id != line.id) {
            roles.push_back({
                .id = line.id,
                .name = std::move(line.name),
                .description = std::move(line.description).value_or(""),
                .permissions = std::nullopt,
                .created_at = line.created_at,
                .updated_at = line.updated_at,
            });
        }
        if (line.permission_id) {
            auto& permissions = roles.back().permissions;
            (permissions ? *permissions : permissions.emplace()).push_back(permission_of(line));
        }
    }
    return roles;
}

}  // namespace kit::rbac
