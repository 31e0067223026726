#include "modules/rbac/rbac.hpp"
#include "platform/crypto/hash.hpp"
#include "platform/db/database.hpp"
#include "platform/db/lock.hpp"

#include <algorithm>
#include <array>

namespace kit::rbac {

namespace {

constexpr audit::Kind claim{"admin.claim", "claim"};

constexpr std::array<Permission, 12> defaults{{
    {"users", "read"},
    {"users", "write"},
    {"roles", "read"},
    {"roles", "write"},
    {"permissions", "read"},
    {"permissions", "write"},
    {"feature_flags", "read"},
    {"feature_flags", "write"},
    {"products", "read"},
    {"products", "write"},
    {"products", "delete"},
    {"audit", "read"},
}};

// Admin holds every permission on a resource of the kit's own, custom actions included.
bool belongs_to_admin(std::string_view resource)
{
    return std::ranges::any_of(defaults, [resource](const Permission& permission) {
        return permission.resource == resource;
    });
}

Error bad_claim()
{
    return {ErrorCode::invalid_or_expired_token, "invalid or expired token"};
}

}  // namespace

std::span<const Permission> default_permissions()
{
    return defaults;
}

Task<SeedReport> Service::seed()
{
    co_return co_await deps_.database.transaction([this](db::Transaction& transaction) {
        return seed_in(transaction);
    });
}

Task<SeedReport> Service::seed_in(db::Transaction& transaction)
{
    co_await db::lock(transaction, db::LockKey::rbac_seed);
    const auto now = deps_.clock.now();
    SeedReport report;
    auto stored = co_await operations_("permission", "list", Repository::permissions(transaction));
    for (const auto& permission : defaults) {
        const bool known =
            std::ranges::any_of(stored, [&permission](const Repository::StoredPermission& row) {
                return row.resource == permission.resource && row.action == permission.action;
            });
        if (!known) {
            co_await operations_(
                "permission", "create", Repository::insert_permission(transaction, permission, now)
            );
            ++report.created_permissions;
        }
    }
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 2> roles{{
        {user_role, "Default user role"},
        {admin_role, "Administrator role"},
    }};
    for (const auto& [name, description] : roles) {
        if (!co_await operations_("role", "find_by_name", Repository::role_exists(transaction, name))) {
            co_await operations_(
                "role", "create", Repository::insert_role(transaction, name, description, now)
            );
            ++report.created_roles;
        }
    }
    if (report.created_permissions > 0) {
        stored = co_await operations_("permission", "list", Repository::permissions(transaction));
    }
    for (const auto& row : stored) {
        if (!row.bound_to_admin && belongs_to_admin(row.resource)) {
            co_await Repository::bind_to_admin(transaction, row.id, now);
            ++report.bound_permissions;
        }
    }
    if (report.bound_permissions > 0 && report.created_roles == 0) {
        co_await operations_("role", "update", Repository::touch_role(transaction, admin_role, now));
    }
    if (co_await assign_bootstrap_admin(transaction)) {
        ++report.bound_permissions;
    }
    co_return report;
}

Task<bool> Service::assign_bootstrap_admin(db::Transaction& transaction)
{
    if (bootstrap_.email.empty()) {
        co_return false;
    }
    const auto user = co_await Repository::find_user(transaction, bootstrap_.email, bootstrap_.verified_only);
    co_return user&& co_await Repository::add_role(transaction, *user, admin_role, deps_.clock.now());
}

Task<void> Service::assign_initial_roles(
    db::Transaction& transaction, std::int64_t user_id, std::string_view email, bool verified
)
{
    const auto now = deps_.clock.now();
    co_await operations_("user", "add_role", Repository::add_role(transaction, user_id, user_role, now));
    const bool proven = verified || !bootstrap_.verified_only;
    if (!bootstrap_.email.empty() && email == bootstrap_.email && proven) {
        co_await operations_("user", "add_role", Repository::add_role(transaction, user_id, admin_role, now));
    }
}

Task<std::optional<std::string>> Service::issue_admin_claim()
{
    if (!bootstrap_.email.empty() || co_await Repository::has_admin(deps_.database)) {
        co_return std::nullopt;
    }
    auto token = deps_.random.token(32);
    const auto now = deps_.clock.now();
    co_await Repository::delete_expired_claims(deps_.database, now);
    co_await Repository::insert_claim(deps_.database, sha256_hex(token), now, now + claim_time_max);
    co_return token;
}

Task<Result<std::int64_t>> Service::claim_admin(std::string token, std::int64_t user_id, audit::Origin origin)
{
    const auto token_hash = sha256_hex(token);
    const auto entry =
        deps_.audit.entry(audit::by_user(claim, user_id, audit::outcome::success, "admin_granted"), origin);
    auto claimed = co_await deps_.database.transaction([&](db::Transaction& transaction) {
        return claim_in(transaction, token_hash, user_id, entry);
    });
    if (claimed) {
        deps_.audit.announce(entry);
    } else {
        deps_.audit.record(audit::by_user(claim, user_id, audit::outcome::failure, "invalid_claim"), origin);
    }
    co_return claimed;
}

Task<std::optional<bool>> Service::allows(std::int64_t user_id, std::string_view permission)
{
    const auto colon = permission.find(':');
    co_return co_await Repository::allows(
        deps_.database,
        user_id,
        {.resource = permission.substr(0, colon), .action = permission.substr(colon + 1)}
    );
}

Task<Result<std::int64_t>> Service::claim_in(
    db::Transaction& transaction,
    const std::string& token_hash,
    std::int64_t user_id,
    const audit::Entry& entry
)
{
    co_await db::lock(transaction, db::LockKey::rbac_seed);
    const auto now = deps_.clock.now();
    if (co_await Repository::has_admin(transaction)) {
        co_return failure(bad_claim());
    }
    if (!co_await Repository::consume_claim(transaction, token_hash, now)) {
        co_return failure(bad_claim());
    }
    co_await operations_("user", "add_role", Repository::add_role(transaction, user_id, admin_role, now));
    co_await audit::Repository::insert(transaction, entry);
    co_return user_id;
}

}  // namespace kit::rbac
