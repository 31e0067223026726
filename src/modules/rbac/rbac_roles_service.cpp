#include "modules/rbac/rbac_change_service.hpp"
#include "platform/core/encoding.hpp"

#include <algorithm>

namespace kit::rbac {

namespace {

std::optional<Error> check_texts(std::optional<std::string>& name, std::optional<std::string>& description)
{
    if (name) {
        name = std::string(trim(*name));
        if (name->empty()) {
            return Error::invalid("name is required");
        }
        if (count_characters(*name) > role_name_characters_max) {
            return Error::invalid("name must be at most 64 characters");
        }
    }
    if (description) {
        description = std::string(trim(*description));
        if (count_characters(*description) > role_description_characters_max) {
            return Error::invalid("description must be at most 255 characters");
        }
    }
    return std::nullopt;
}

// Case-folded and each once; the first that is no resource:action.
std::optional<Error> fold(std::vector<std::string>& tokens)
{
    std::vector<std::string> folded;
    for (const auto& token : tokens) {
        const auto name = parse_permission(token);
        if (!name.valid()) {
            return Error::invalid("permission format must be resource:action");
        }
        if (std::ranges::find(folded, name.token()) == folded.end()) {
            folded.push_back(name.token());
        }
    }
    tokens = std::move(folded);
    return std::nullopt;
}

std::vector<std::string> tokens_of(const users::Role& role)
{
    std::vector<std::string> tokens;
    if (role.permissions) {
        for (const auto& permission : *role.permissions) {
            tokens.push_back(permission.resource + ":" + permission.action);
        }
    }
    return tokens;
}

}  // namespace

Task<Result<Changed<users::Role>>> Service::create_role(
    NewRole role, Actor actor, const Companion<users::Role>& companion
)
{
    std::optional name(std::move(role.name));
    std::optional description(std::move(role.description));
    const auto as_sent = json::to_text(role.permissions);
    if (auto fault = check_texts(name, description)) {
        co_return failure(std::move(*fault));
    }
    if (auto fault = fold(role.permissions)) {
        co_return failure(std::move(*fault));
    }
    role.name = std::move(*name);
    role.description = std::move(*description);
    Change made{
        .actor = std::move(actor),
        .entity = "role",
        .action = "create",
        .stale = caches_->of_roles(deps_.users),
        .event = event_of({"admin.role.create", "create"}, "role_created", "role"),
    };
    made.event.actor = made.actor.id();
    made.event.extras = {{"role_name", role.name}};
    made.event.json_extras = {{"after_permissions", as_sent}};
    co_return co_await change<users::Role>(
        std::move(made),
        [&](db::Transaction& transaction, Change& under_way) {
            return create_role_in(transaction, role, under_way);
        },
        companion
    );
}

Task<Result<users::Role>> Service::create_role_in(
    db::Transaction& transaction, const NewRole& role, Change& change
)
{
    const auto permissions = TRY(co_await find_all(transaction, role.permissions));
    const auto now = deps_.clock.now();
    const auto id = co_await operations_(
        "role", "create", Repository::create_role(transaction, role.name, role.description, now)
    );
    if (!id) {
        co_return failure(Error::conflict("role already exists"));
    }
    co_await Repository::bind_permissions(transaction, *id, permissions, now);
    change.event.target_id = std::to_string(*id);
    auto created = co_await Repository::find_role(transaction, *id);
    co_return std::move(created.value());
}

Task<Result<Changed<users::Role>>> Service::update_role(std::int64_t id, RoleChange wanted, Actor actor)
{
    const auto as_sent = wanted.permissions ? json::to_text(*wanted.permissions) : std::string();
    if (auto fault = check_texts(wanted.name, wanted.description)) {
        co_return failure(std::move(*fault));
    }
    if (auto fault = wanted.permissions ? fold(*wanted.permissions) : std::nullopt) {
        co_return failure(std::move(*fault));
    }
    Change made{
        .actor = std::move(actor),
        .entity = "role",
        .action = "update",
        .stale = caches_->of_roles(deps_.users),
        .event = event_of({"admin.role.update", "update"}, "role_updated", "role"),
    };
    made.event.actor = made.actor.id();
    made.event.target_id = std::to_string(id);
    co_return co_await change<users::Role>(
        std::move(made),
        [&](db::Transaction& transaction, Change& under_way) {
            return update_role_in(transaction, id, wanted, under_way);
        }
    );
}

Task<Result<users::Role>> Service::update_role_in(
    db::Transaction& transaction, std::int64_t id, const RoleChange& wanted, Change& change
)
{
    const auto before = co_await Repository::find_role(transaction, id);
    if (!before) {
        co_return failure(no_such_role());
    }
    if (is_protected_role(before->name)) {
        co_return failure(Error::forbidden("protected role cannot be modified"));
    }
    if (!still_matches(change.actor, *before)) {
        co_return failure(changed_meanwhile());
    }
    co_await remember(
        transaction, co_await Repository::users_with_role(transaction, id, Effects::users_max + 1), change
    );
    const auto now = deps_.clock.now();
    if (wanted.permissions) {
        const auto permissions = TRY(co_await find_all(transaction, *wanted.permissions));
        const auto held = co_await Repository::grants(transaction, change.actor.user_id);
        co_await Repository::bind_permissions(transaction, id, permissions, now);
        TRY(co_await keeps(transaction, change.actor.user_id, held, roles_write));
    }
    if (wanted.name && co_await Repository::role_name_taken(transaction, *wanted.name, id)) {
        co_return failure(Error::conflict("role name already exists"));
    }
    co_await operations_("role", "update", Repository::update_role(transaction, id, wanted, now));
    auto after = co_await Repository::find_role(transaction, id);
    change.event.extras = {{"before_name", before->name}, {"after_name", after.value().name}};
    change.event.json_extras = {
        {"before_permissions", json::to_text(tokens_of(*before))},
        {"after_permissions", json::to_text(tokens_of(*after))}
    };
    co_return std::move(*after);
}

Task<Result<Changed<Nothing>>> Service::delete_role(std::int64_t id, Actor actor)
{
    Change made{
        .actor = std::move(actor),
        .entity = "role",
        .action = "delete",
        .stale = caches_->of_roles(deps_.users),
        .event = event_of({"admin.role.delete", "delete"}, "role_deleted", "role"),
    };
    made.event.actor = made.actor.id();
    made.event.target_id = std::to_string(id);
    co_return co_await change<Nothing>(std::move(made), [&](db::Transaction& transaction, Change& under_way) {
        return delete_role_in(transaction, id, under_way);
    });
}

Task<Result<Nothing>> Service::delete_role_in(db::Transaction& transaction, std::int64_t id, Change& change)
{
    const auto role = co_await Repository::find_role(transaction, id);
    if (!role) {
        co_return failure(no_such_role());
    }
    if (is_protected_role(role->name)) {
        co_return failure(Error::forbidden("protected role cannot be deleted"));
    }
    if (!still_matches(change.actor, *role)) {
        co_return failure(changed_meanwhile());
    }
    co_await remember(
        transaction, co_await Repository::users_with_role(transaction, id, Effects::users_max + 1), change
    );
    const auto held = co_await Repository::grants(transaction, change.actor.user_id);
    co_await operations_("role", "delete_by_id", Repository::delete_role(transaction, id));
    TRY(co_await keeps(transaction, change.actor.user_id, held, roles_write));
    change.event.extras = {{"role_name", role->name}};
    change.event.json_extras = {{"before_permissions", json::to_text(tokens_of(*role))}};
    co_return Nothing{};
}

Task<Result<Changed<Nothing>>> Service::set_roles(
    std::int64_t user_id, std::vector<std::int64_t> role_ids, Actor actor, const Companion<Nothing>& companion
)
{
    Change made{
        .actor = std::move(actor),
        .entity = "user_role",
        .action = "set_user_roles",
        .stale = caches_->of_user_roles(deps_.users),
        .event = event_of({"admin.user_roles.update", "set_roles"}, "roles_updated", "user"),
    };
    made.event.actor = made.actor.id();
    made.event.target_id = std::to_string(user_id);
    co_return co_await change<Nothing>(
        std::move(made),
        [&](db::Transaction& transaction, Change& under_way) {
            return set_roles_in(transaction, user_id, role_ids, under_way);
        },
        companion
    );
}

Task<Result<Nothing>> Service::set_roles_in(
    db::Transaction& transaction,
    std::int64_t user_id,
    const std::vector<std::int64_t>& role_ids,
    Change& change
)
{
    const auto before = co_await Repository::authority(transaction, user_id);
    if (!before) {
        co_return failure(Error::not_found("user not found"));
    }
    for (const auto role_id : role_ids) {
        if (!co_await Repository::role_id_exists(transaction, role_id)) {
            co_return failure(Error::invalid("one or more roles do not exist"));
        }
    }
    const auto before_ids = co_await Repository::role_ids(transaction, user_id);
    change.event.json_extras = {
        {"role_ids", json::to_text(role_ids)}, {"before_role_ids", json::to_text(before_ids)}
    };
    co_await remember(transaction, {user_id}, change);
    co_await operations_(
        "user", "set_roles", Repository::set_roles(transaction, user_id, role_ids, deps_.clock.now())
    );
    const auto is_admin = [](const Authority& authority) {
        return std::ranges::find(authority.roles, admin_role) != authority.roles.end();
    };
    const auto after = co_await Repository::authority(transaction, user_id);
    if (is_admin(*before) && !is_admin(after.value()) &&
        !co_await Repository::has_admin_besides(transaction, user_id)) {
        co_return failure(Error::forbidden("the last administrator keeps the role admin"));
    }
    co_return Nothing{};
}

Task<Result<bool>> Service::grant(Grant wanted, Actor actor)
{
    Change made{
        .actor = std::move(actor),
        .entity = "user_role",
        .action = "set_user_roles",
        .stale = caches_->of_user_roles(deps_.users),
        .event = event_of({"admin.user_roles.update", "set_roles"}, "roles_updated", "user"),
    };
    made.event.actor = made.actor.id();
    bool noop = false;
    const auto changed =
        co_await change<Nothing>(std::move(made), [&](db::Transaction& transaction, Change& under_way) {
            return grant_in(transaction, wanted, under_way, noop);
        });
    if (noop) {
        co_return false;
    }
    if (!changed) {
        co_return failure(changed.error());
    }
    co_return true;
}

// Where there is nothing to do, nothing is written either: the transaction is given up, with `noop` set.
Task<Result<Nothing>> Service::grant_in(
    db::Transaction& transaction, const Grant& wanted, Change& change, bool& noop
)
{
    const auto user = co_await Repository::find_user(transaction, wanted.email, false);
    if (!user) {
        co_return failure(Error::not_found("user not found"));
    }
    const auto role = co_await Repository::find_role_id(transaction, wanted.role);
    if (!role) {
        co_return failure(no_such_role());
    }
    auto role_ids = co_await Repository::role_ids(transaction, *user);
    const auto held = std::ranges::find(role_ids, *role);
    noop = (held != role_ids.end()) == wanted.held;
    if (noop) {
        co_return failure(Error::internal("nothing to do"));
    }
    if (wanted.held) {
        role_ids.push_back(*role);
    } else {
        role_ids.erase(held);
    }
    change.event.target_id = std::to_string(*user);
    co_return co_await set_roles_in(transaction, *user, role_ids, change);
}

}  // namespace kit::rbac
