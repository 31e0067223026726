#include "modules/rbac/rbac_change_service.hpp"
#include "platform/core/encoding.hpp"

#include <algorithm>

namespace kit::rbac {

namespace {

// What is not in the other; both sorted.
std::vector<std::string> difference(
    const std::vector<std::string>& from, const std::vector<std::string>& without
)
{
    std::vector<std::string> rest;
    std::ranges::set_difference(from, without, std::back_inserter(rest));
    return rest;
}

}  // namespace

PermissionName parse_permission(std::string_view resource, std::string_view action)
{
    const auto part = [](std::string_view text) {
        const auto sound = [](char character) {
            return (character >= 'a' && character <= 'z') || (character >= '0' && character <= '9') ||
                   character == '_' || character == '-';
        };
        auto folded = to_lower(trim(text));
        const bool fits =
            folded.size() <= permission_part_characters_max && std::ranges::all_of(folded, sound);
        return fits ? folded : std::string();
    };
    PermissionName name{.resource = part(resource), .action = part(action)};
    return name.resource.empty() || name.action.empty() ? PermissionName() : name;
}

PermissionName parse_permission(std::string_view token)
{
    const auto colon = token.find(':');
    return colon == std::string_view::npos
               ? PermissionName()
               : parse_permission(token.substr(0, colon), token.substr(colon + 1));
}

bool Service::is_protected_role(std::string_view name) const
{
    return std::ranges::any_of(settings_.protected_roles, [name](const std::string& kept) {
        return equal_ignoring_case(trim(kept), trim(name));
    });
}

bool Service::is_protected_permission(const users::Permission& permission) const
{
    return std::ranges::any_of(settings_.protected_permissions, [&permission](const std::string& kept) {
        return equal_ignoring_case(trim(kept), token_of(permission));
    });
}

Task<void> Service::raise(db::Transaction& transaction, Change& change)
{
    change.raised = co_await cache::Epochs::raise(transaction, change.stale);
    cache_events_.add({"invalidate_all"});
}

// Remembers what those who may be touched are allowed now, where that is asked for.
Task<void> Service::remember(
    db::Transaction& transaction, const std::vector<std::int64_t>& user_ids, Change& change
)
{
    if (!change.actor.validate_only) {
        co_return;
    }
    change.all_before = std::cmp_less_equal(user_ids.size(), Effects::users_max);
    for (const auto user_id : user_ids) {
        if (std::cmp_less(change.before.size(), Effects::users_max)) {
            change.before[user_id] = co_await Repository::grants(transaction, user_id);
        }
    }
}

Task<Effects> Service::effects_of(db::Transaction& transaction, const Change& change)
{
    Effects effects{.users = {}, .complete = change.all_before};
    for (const auto& [user_id, before] : change.before) {
        const auto after = co_await Repository::grants(transaction, user_id);
        UserEffect effect{
            .user_id = user_id, .gained = difference(after, before), .lost = difference(before, after)
        };
        if (!effect.gained.empty() || !effect.lost.empty()) {
            effects.users.push_back(std::move(effect));
        }
    }
    co_return effects;
}

Task<Result<std::vector<users::Permission>>> Service::find_all(
    db::Transaction& transaction, const std::vector<std::string>& tokens
)
{
    std::vector<users::Permission> found;
    for (const auto& token : tokens) {
        const auto name = parse_permission(token);
        auto permission = co_await operations_(
            "permission",
            "find_by_pairs",
            Repository::find_permission(transaction, {.resource = name.resource, .action = name.action})
        );
        if (!permission) {
            co_return failure(unknown_permissions());
        }
        found.push_back(std::move(*permission));
    }
    co_return found;
}

Task<Result<Nothing>> Service::check_role(std::int64_t id, Verb verb)
{
    std::optional<users::Role> role;
    const bool exists = co_await caches_->absent_roles.exists(id, [&] { return find_role(id, role); });
    if (!exists) {
        co_return failure(no_such_role());
    }
    if (!role) {  // another request has looked
        role = co_await Repository::find_role(deps_.database, id);
    }
    if (role && is_protected_role(role->name)) {
        mutations_.add({"role", verb == Verb::modify ? "update" : "delete", "rejected"});
        co_return failure(Error::forbidden(
            verb == Verb::modify ? "protected role cannot be modified" : "protected role cannot be deleted"
        ));
    }
    co_return Nothing{};
}

Task<bool> Service::find_role(std::int64_t id, std::optional<users::Role>& role)
{
    role = co_await operations_("role", "find_by_id", Repository::find_role(deps_.database, id));
    co_return role.has_value();
}

Task<Result<Nothing>> Service::check_permission(std::int64_t id, Verb verb)
{
    std::optional<users::Permission> permission;
    const bool exists =
        co_await caches_->absent_permissions.exists(id, [&] { return find_permission(id, permission); });
    if (!exists) {
        co_return failure(no_such_permission());
    }
    if (!permission) {  // another request has looked
        permission = co_await Repository::find_permission(deps_.database, id);
    }
    if (permission && is_protected_permission(*permission)) {
        mutations_.add({"permission", verb == Verb::modify ? "update" : "delete", "rejected"});
        co_return failure(Error::forbidden(
            verb == Verb::modify ? "protected permission cannot be modified"
                                 : "protected permission cannot be deleted"
        ));
    }
    co_return Nothing{};
}

Task<bool> Service::find_permission(std::int64_t id, std::optional<users::Permission>& permission)
{
    permission =
        co_await operations_("permission", "find_by_id", Repository::find_permission(deps_.database, id));
    co_return permission.has_value();
}

// The caller must not take from himself the permission by which he acts; where he has it some other way, by
// none of his roles, there is nothing to take.
Task<Result<Nothing>> Service::keeps(
    db::Transaction& transaction,
    std::int64_t user_id,
    const std::vector<std::string>& held,
    std::string_view required
)
{
    if (std::ranges::binary_search(held, required)) {
        const auto left = co_await Repository::grants(transaction, user_id);
        if (!std::ranges::binary_search(left, required)) {
            co_return failure(lockout());
        }
    }
    co_return Nothing{};
}

}  // namespace kit::rbac
