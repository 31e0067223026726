#include "modules/rbac/rbac_change_service.hpp"

#include <algorithm>

namespace kit::rbac {

Task<Result<Changed<users::Permission>>> Service::create_permission(PermissionName permission, Actor actor)
{
    if (!permission.valid()) {
        co_return failure(Error::invalid("permission format must be resource:action"));
    }
    Change made{
        .actor = std::move(actor),
        .entity = "permission",
        .action = "create",
        .stale = caches_->of_permissions(),
        .event = event_of({"admin.permission.create", "create"}, "permission_created", "permission"),
    };
    made.event.actor = made.actor.id();
    made.event.extras = {{"permission", permission.token()}};
    co_return co_await change<users::Permission>(
        std::move(made),
        [&](db::Transaction& transaction, Change& under_way) {
            return create_permission_in(transaction, permission, under_way);
        }
    );
}

Task<Result<users::Permission>> Service::create_permission_in(
    db::Transaction& transaction, const PermissionName& name, Change& change
)
{
    auto created = co_await operations_(
        "permission",
        "create",
        Repository::create_permission(
            transaction, {.resource = name.resource, .action = name.action}, deps_.clock.now()
        )
    );
    if (!created) {
        co_return failure(Error::conflict("permission already exists"));
    }
    change.event.target_id = std::to_string(created->id);
    co_return std::move(*created);
}

Task<Result<Changed<users::Permission>>> Service::update_permission(
    std::int64_t id, PermissionName permission, Actor actor
)
{
    if (!permission.valid()) {
        co_return failure(Error::invalid("permission format must be resource:action"));
    }
    Change made{
        .actor = std::move(actor),
        .entity = "permission",
        .action = "update",
        .stale = caches_->of_permissions(),
        .event = event_of({"admin.permission.update", "update"}, "permission_updated", "permission"),
    };
    made.event.actor = made.actor.id();
    made.event.target_id = std::to_string(id);
    co_return co_await change<users::Permission>(
        std::move(made),
        [&](db::Transaction& transaction, Change& under_way) {
            return update_permission_in(transaction, id, permission, under_way);
        }
    );
}

Task<Result<users::Permission>> Service::update_permission_in(
    db::Transaction& transaction, std::int64_t id, const PermissionName& name, Change& change
)
{
    const auto before = co_await Repository::find_permission(transaction, id);
    if (!before) {
        co_return failure(no_such_permission());
    }
    if (is_protected_permission(*before)) {
        co_return failure(Error::forbidden("protected permission cannot be modified"));
    }
    if (!still_matches(change.actor, *before)) {
        co_return failure(changed_meanwhile());
    }
    const auto held = co_await Repository::grants(transaction, change.actor.user_id);
    const auto token = token_of(*before);
    if (token == permissions_write && name.token() != token && std::ranges::binary_search(held, token)) {
        co_return failure(lockout());
    }
    const Permission wanted{.resource = name.resource, .action = name.action};
    const auto namesake = co_await Repository::find_permission(transaction, wanted);
    if (namesake && namesake->id != id) {
        co_return failure(Error::conflict("permission already exists"));
    }
    co_await remember(
        transaction,
        co_await Repository::users_with_permission(transaction, id, Effects::users_max + 1),
        change
    );
    auto after = co_await operations_(
        "permission", "update", Repository::update_permission(transaction, id, wanted, deps_.clock.now())
    );
    change.event.extras = {{"before", token}, {"after", name.token()}};
    co_return std::move(after.value());
}

Task<Result<Changed<Nothing>>> Service::delete_permission(std::int64_t id, Actor actor)
{
    Change made{
        .actor = std::move(actor),
        .entity = "permission",
        .action = "delete",
        .stale = caches_->of_permissions(),
        .event = event_of({"admin.permission.delete", "delete"}, "permission_deleted", "permission"),
    };
    made.event.actor = made.actor.id();
    made.event.target_id = std::to_string(id);
    co_return co_await change<Nothing>(std::move(made), [&](db::Transaction& transaction, Change& under_way) {
        return delete_permission_in(transaction, id, under_way);
    });
}

Task<Result<Nothing>> Service::delete_permission_in(
    db::Transaction& transaction, std::int64_t id, Change& change
)
{
    const auto permission = co_await Repository::find_permission(transaction, id);
    if (!permission) {
        co_return failure(no_such_permission());
    }
    if (is_protected_permission(*permission)) {
        co_return failure(Error::forbidden("protected permission cannot be deleted"));
    }
    if (!still_matches(change.actor, *permission)) {
        co_return failure(changed_meanwhile());
    }
    const auto held = co_await Repository::grants(transaction, change.actor.user_id);
    const auto token = token_of(*permission);
    if (token == permissions_write && std::ranges::binary_search(held, token)) {
        co_return failure(lockout());
    }
    co_await remember(
        transaction,
        co_await Repository::users_with_permission(transaction, id, Effects::users_max + 1),
        change
    );
    co_await operations_("permission", "delete_by_id", Repository::delete_permission(transaction, id));
    change.event.extras = {{"permission", token}};
    co_return Nothing{};
}

}  // namespace kit::rbac
