#include "modules/users/users.hpp"
#include "platform/db/database.hpp"

#include <algorithm>

namespace kit::users {

std::vector<std::string> role_names(const User& user)
{
    std::vector<std::string> names;
    if (user.roles) {
        for (const auto& role : *user.roles) {
            names.push_back(role.name);
        }
    }
    return names;
}

std::vector<std::string> permission_names(const User& user)
{
    std::vector<std::string> names;
    if (!user.roles) {
        return names;
    }
    for (const auto& role : *user.roles) {
        if (!role.permissions) {
            continue;
        }
        for (const auto& permission : *role.permissions) {
            names.push_back(permission.resource + ":" + permission.action);
        }
    }
    std::ranges::sort(names);
    const auto repeated = std::ranges::unique(names);
    names.erase(repeated.begin(), repeated.end());
    return names;
}

Task<Result<User>> Service::find(std::int64_t id)
{
    auto user = co_await operations_("user", "find_by_id", Repository::find(database_, id));
    if (!user) {
        co_return failure(Error::not_found("user not found"));
    }
    co_return std::move(*user);
}

}  // namespace kit::users
