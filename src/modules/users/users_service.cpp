#include "modules/users/users.hpp"
#include "modules/users/users_metadata.hpp"
#include "platform/db/database.hpp"
#include "platform/json/paginated.hpp"

#include <algorithm>

namespace kit::users {

namespace {

constexpr telemetry::Instrument profile_events{
    .name = "user.profile.events",
    .description = "What users did with their own profile.",
    .attributes = {"outcome"},
};

constexpr audit::Kind status_event{"admin.user.status", "set_status"};

}  // namespace

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
      profile_events_(deps.metrics, profile_events),
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

Task<Result<bool>> Service::set_status(StatusChange change, audit::Origin origin)
{
    if (change.status != active_status && change.status != disabled_status) {
        co_return failure(Error::invalid("status must be active or disabled"));
    }
    std::optional<audit::Entry> entry;
    cache::Epochs::Raised raised;
    auto changed = co_await deps_.database.transaction([&](db::Transaction& transaction) {
        return change_status(transaction, change, origin, entry, raised);
    });
    if (changed && *changed) {
        deps_.epochs.publish(raised);
        deps_.audit.announce(*entry);
    }
    co_return changed;
}

// The sessions of one who is not active any more are ended by the database, in this transaction.
Task<Result<bool>> Service::change_status(
    db::Transaction& transaction,
    const StatusChange& change,
    const audit::Origin& origin,
    std::optional<audit::Entry>& entry,
    cache::Epochs::Raised& raised
)
{
    auto user =
        co_await operations_("user", "find_by_email", Repository::lock_status(transaction, change.email));
    if (!user) {
        co_return failure(Error::not_found("user not found"));
    }
    if (user->status == change.status) {
        co_return false;
    }
    entry = deps_.audit.entry(
        {.kind = status_event,
         .outcome = audit::outcome::success,
         .reason = "status_changed",
         .target_type = "user",
         .target_id = std::to_string(user->user_id),
         .actor = change.actor,
         .extras = {{"from", std::move(user->status)}, {"to", change.status}}},
        origin
    );
    user->status = change.status;
    co_await operations_("user", "update", Repository::update_status(transaction, *user, deps_.clock.now()));
    co_await audit::Repository::insert(transaction, *entry);
    raised = co_await cache::Epochs::raise(transaction, {list_space()});
    co_return true;
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
        Repository::page(
            deps_.database,
            query.filter,
            {.order = query.order, .slice = query.paging.slice(), .total = query.paging.total}
        )
    );
    const auto neighbours = neighbours_of(query.paging, page, [&query](const User& user) {
        return place_of(user, query.order.field);
    });
    co_return cache::list_body(json::paginated(page, query.paging), query.links(neighbours));
}

}  // namespace kit::users
