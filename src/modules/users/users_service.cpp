#include "modules/users/users.hpp"
#include "modules/users/users_metadata.hpp"
#include "platform/db/database.hpp"
#include "platform/json/paginated.hpp"

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

Service::Service(Deps deps, cache::ListCache::Options list_cache)
    : deps_(deps),
      operations_(deps.metrics),
      page_sizes_(deps.metrics, cache::page_sizes),
      list_duration_(deps.metrics, cache::list_duration),
      lists_(cache::Namespace(deps.epochs, list_namespace), deps.clock, deps.metrics, list_cache)
{
}

Task<Result<User>> Service::find(std::int64_t id)
{
    auto user = co_await operations_("user", "find_by_id", Repository::find(deps_.database, id));
    if (!user) {
        co_return failure(Error::not_found("user not found"));
    }
    co_return std::move(*user);
}

Task<cache::ListBodyPtr> Service::list(ListQuery query)
{
    auto key = query.key;
    co_return co_await lists_.read(std::move(key), [this, &query] { return read_list(query); });
}

Task<cache::ListBodyPtr> Service::read_list(const ListQuery& query)
{
    page_sizes_.record(static_cast<double>(query.paging.page_size), {"admin.users"});
    const auto page = co_await operations_(
        "user",
        "list_paged",
        Repository::page(deps_.database, query.filter, query.order, query.paging.slice())
    );
    co_return cache::list_body(json::paginated(page.users, query.paging, page.total));
}

}  // namespace kit::users
