#include "modules/rbac/rbac_change_service.hpp"
#include "platform/core/encoding.hpp"
#include "platform/crypto/hash.hpp"
#include "platform/json/paginated.hpp"

#include <algorithm>
#include <array>

namespace kit::rbac {

BOOST_DESCRIBE_STRUCT(Authority, (), (roles, permissions))

namespace {

constexpr audit::Kind claim{"admin.claim", "claim"};

constexpr auto defaults = std::to_array<Permission>({
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
});

// Admin holds every permission on a resource of the kit's own, custom actions included.
bool belongs_to_admin(std::string_view resource)
{
    return std::ranges::any_of(defaults, [resource](const Permission& permission) {
        return permission.resource == resource;
    });
}

constexpr telemetry::Instrument authorization_events{
    .name = "auth.rbac.authorization.events",
    .description = "Permissions asked for by routes.",
    .attributes = {"required_permission", "outcome"},
};

constexpr telemetry::Instrument permission_cache_events{
    .name = "auth.rbac.permission.cache.events",
    .description = "Permission sets that were read from the database or became stale.",
    .attributes = {"outcome"},
};

constexpr telemetry::Instrument mutation_counts{
    .name = "admin.rbac.mutations",
    .description = "Changes of roles, permissions and who has them.",
    .attributes = {"entity", "action", "status"},
};

constexpr std::array sync_report_bounds{0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0};

constexpr telemetry::Instrument sync_reports{
    .name = "admin.rbac.sync.report",
    .kind = telemetry::InstrumentKind::histogram,
    .description = "What syncs added.",
    .attributes = {"field"},
    .bounds = sync_report_bounds,
};

template <class Row>
cache::ListBodyPtr body_of(const Service::ListQuery& query, const PageOf<Row>& page)
{
    const auto neighbours = neighbours_of(query.paging, page, [&query](const Row& row) {
        return place_of(row, query.order.field);
    });
    return cache::list_body(json::paginated(page, query.paging), query.links(neighbours));
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

std::string encode_authority(const Authority& authority)
{
    return json::to_text(authority);
}

std::shared_ptr<const Authority> decode_authority(std::string_view text)
{
    auto authority = json::read<Authority>(text);
    return authority ? std::make_shared<const Authority>(std::move(*authority)) : nullptr;
}

Service::Service(Deps deps, Settings settings)
    : deps_(deps),
      settings_(std::move(settings)),
      operations_(deps.metrics),
      page_sizes_(deps.metrics, cache::page_sizes),
      list_duration_(deps.metrics, cache::list_duration),
      authorizations_(deps.metrics, authorization_events),
      cache_events_(deps.metrics, permission_cache_events),
      mutations_(deps.metrics, mutation_counts),
      sync_report_(deps.metrics, sync_reports),
      caches_(std::make_unique<Caches>(deps_, settings_))
{
}

Service::~Service() = default;

const cache::ListCache& Service::role_lists() const
{
    return caches_->roles;
}

const cache::ListCache& Service::permission_lists() const
{
    return caches_->permissions;
}

void Service::count_authorization(std::string_view permission, std::string_view outcome) const
{
    authorizations_.add({permission, outcome});
}

Task<SeedReport> Service::seed()
{
    Change change{.entity = "sync", .action = "sync", .stale = caches_->all(deps_.users)};
    const auto report = co_await deps_.database.transaction([&](db::Transaction& transaction) {
        return seed_in(transaction, change);
    });
    deps_.epochs.publish(change.raised);
    co_return report;
}

Task<SeedReport> Service::sync(Actor actor)
{
    struct Counted {
        const telemetry::Counter& mutations;
        std::string_view status = "error";

        ~Counted() { mutations.add({"sync", "sync", status}); }
    };

    Counted counted{.mutations = mutations_};
    Change change{
        .actor = std::move(actor),
        .entity = "sync",
        .action = "sync",
        .stale = caches_->all(deps_.users),
        .event = event_of({"admin.rbac.sync", "sync"}, "seed_reconciled", "rbac")
    };
    change.event.target_id = "seed";
    change.event.actor = change.actor.user_id;
    const auto report = co_await deps_.database.transaction([&](db::Transaction& transaction) {
        return seed_in(transaction, change);
    });
    deps_.epochs.publish(change.raised);
    deps_.audit.announce(change.entry.value());
    counted.status = "success";
    sync_report_.record(static_cast<double>(report.created_permissions), {"created_permissions"});
    sync_report_.record(static_cast<double>(report.created_roles), {"created_roles"});
    sync_report_.record(static_cast<double>(report.bound_permissions), {"bound_permissions"});
    sync_report_.record(report.noop() ? 1 : 0, {"noop"});
    co_return report;
}

// With the audit row of whoever asked for it, and the epochs raised where anything was added.
Task<SeedReport> Service::seed_in(db::Transaction& transaction, Change& change)
{
    co_await db::lock(transaction, db::LockKey::rbac_seed);
    const auto report = co_await add_missing(transaction);
    change.raised = {};
    if (!report.noop()) {
        co_await raise(transaction, change);
    }
    if (!change.event.kind.name.empty()) {
        std::string text;
        json::object(text)
            .field("created_permissions", report.created_permissions)
            .field("created_roles", report.created_roles)
            .field("bound_permissions", report.bound_permissions)
            .field("noop", report.noop());
        change.event.json_extras = {{"report", std::move(text)}};
        change.entry = deps_.audit.entry(change.event, change.actor.origin);
        co_await audit::Repository::insert(transaction, *change.entry);
    }
    co_return report;
}

Task<SeedReport> Service::add_missing(db::Transaction& transaction)
{
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
    if (co_await add_bootstrap_admin(transaction)) {
        ++report.bound_permissions;
    }
    co_return report;
}

Task<bool> Service::add_bootstrap_admin(db::Transaction& transaction)
{
    const auto& bootstrap = settings_.bootstrap;
    if (bootstrap.email.empty()) {
        co_return false;
    }
    const auto user = co_await operations_(
        "user", "find_by_email", Repository::find_user(transaction, bootstrap.email, bootstrap.verified_only)
    );
    if (!user) {
        co_return false;
    }
    co_return co_await operations_(
        "user", "add_role", Repository::add_role(transaction, *user, admin_role, deps_.clock.now())
    );
}

Task<bool> Service::assign_bootstrap_admin(db::Transaction& transaction, cache::Epochs::Raised& raised)
{
    const bool added = co_await add_bootstrap_admin(transaction);
    if (added) {
        raised = co_await cache::Epochs::raise(transaction, caches_->of_user_roles(deps_.users));
    }
    co_return added;
}

Task<cache::Epochs::Raised> Service::assign_initial_roles(
    db::Transaction& transaction, std::int64_t user_id, std::string_view email, bool verified
)
{
    const auto now = deps_.clock.now();
    co_await operations_("user", "add_role", Repository::add_role(transaction, user_id, user_role, now));
    const bool proven = verified || !settings_.bootstrap.verified_only;
    if (!settings_.bootstrap.email.empty() && email == settings_.bootstrap.email && proven) {
        co_await operations_("user", "add_role", Repository::add_role(transaction, user_id, admin_role, now));
    }
    // The list of users shows the new one.
    co_return co_await cache::Epochs::raise(transaction, {deps_.users.list_space()});
}

Task<std::optional<std::string>> Service::issue_admin_claim()
{
    if (!settings_.bootstrap.email.empty() || co_await Repository::has_admin(deps_.database)) {
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
    Change change{
        .actor = {.user_id = user_id, .origin = origin},
        .entity = "user_role",
        .action = "set_user_roles",
        .stale = caches_->of_user_roles(deps_.users),
        .event = audit::by_user(claim, user_id, audit::outcome::success, "admin_granted")
    };
    auto claimed = co_await deps_.database.transaction([&](db::Transaction& transaction) {
        return claim_in(transaction, token_hash, user_id, change);
    });
    if (claimed) {
        deps_.epochs.publish(change.raised);
        deps_.audit.announce(change.entry.value());
    } else {
        deps_.audit.record(audit::by_user(claim, user_id, audit::outcome::failure, "invalid_claim"), origin);
    }
    co_return claimed;
}

Task<Result<std::int64_t>> Service::claim_in(
    db::Transaction& transaction, const std::string& token_hash, std::int64_t user_id, Change& change
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
    change.entry = deps_.audit.entry(change.event, change.actor.origin);
    co_await audit::Repository::insert(transaction, *change.entry);
    co_await raise(transaction, change);
    co_return user_id;
}

Task<std::shared_ptr<const Authority>> Service::authority(std::int64_t user_id)
{
    if (!settings_.permission_cache_enabled) {
        co_return co_await read_authority(user_id);
    }
    const auto read =
        co_await caches_->authorities.read(std::to_string(user_id), [&] { return read_authority(user_id); });
    if (read.outcome == cache::Outcome::led || read.outcome == cache::Outcome::shared) {
        cache_events_.add(
            {read.outcome == cache::Outcome::led ? "singleflight_leader" : "singleflight_shared"}
        );
    }
    co_return read.value;
}

Task<std::shared_ptr<const Authority>> Service::read_authority(std::int64_t user_id)
{
    auto found = co_await operations_("user", "find_by_id", Repository::authority(deps_.database, user_id));
    co_return found ? std::make_shared<const Authority>(std::move(*found)) : nullptr;
}

Task<cache::ListBodyPtr> Service::list_roles(ListQuery query, std::string name)
{
    auto key = query.key;
    co_return co_await caches_->roles.read(std::move(key), [&] { return read_roles(query, name); });
}

Task<cache::ListBodyPtr> Service::read_roles(const ListQuery& query, const std::string& name)
{
    page_sizes_.record(static_cast<double>(query.paging.page_size), {"admin.roles"});
    const auto page = co_await operations_(
        "role", "list_paged", Repository::list_roles(deps_.database, name, query.view())
    );
    co_return body_of(query, page);
}

Task<cache::ListBodyPtr> Service::list_permissions(ListQuery query, PermissionFilter filter)
{
    auto key = query.key;
    co_return co_await caches_->permissions.read(std::move(key), [&] {
        return read_permissions(query, filter);
    });
}

Task<cache::ListBodyPtr> Service::read_permissions(const ListQuery& query, const PermissionFilter& filter)
{
    page_sizes_.record(static_cast<double>(query.paging.page_size), {"admin.permissions"});
    const auto page = co_await operations_(
        "permission", "list_paged", Repository::list_permissions(deps_.database, filter, query.view())
    );
    co_return body_of(query, page);
}

}  // namespace kit::rbac
