// Roles and permissions: seeding them, giving a user a role, and how the first administrator comes to be.
#pragma once

#include "modules/audit/audit.hpp"
#include "modules/users/users.hpp"
#include "platform/cache/list_cache.hpp"
#include "platform/core/clock.hpp"
#include "platform/core/error.hpp"
#include "platform/core/listing.hpp"
#include "platform/core/task.hpp"
#include "platform/core/timestamp.hpp"
#include "platform/telemetry/metrics.hpp"
#include "platform/telemetry/repository_operations.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kit::db {
class Database;
class Session;
class Transaction;
}  // namespace kit::db

namespace kit::http {
class PageTokens;
struct Route;
}  // namespace kit::http

namespace kit::rbac {

inline constexpr std::string_view admin_role = "admin";
inline constexpr std::string_view user_role = "user";

struct SeedReport {
    std::int64_t created_permissions = 0;
    std::int64_t created_roles = 0;
    std::int64_t bound_permissions =
        0;  // newly bound to admin, and one more if the bootstrap user received the role

    bool noop() const { return created_permissions == 0 && created_roles == 0 && bound_permissions == 0; }
};

// Who receives the role admin by configuration.
struct BootstrapAdmin {
    std::string email;          // normalised; empty: nobody
    bool verified_only = true;  // only once the address is known to be the account's owner's
};

struct Permission {
    std::string_view resource;
    std::string_view action;
};

// The permissions that every installation has, in the order of their ids.
std::span<const Permission> default_permissions();

// A permission's name in its two parts; both empty where the text is no resource:action of letters, digits,
// '_' and '-'. Case-folded.
struct PermissionName {
    std::string resource;
    std::string action;

    bool valid() const { return !resource.empty(); }

    std::string token() const { return resource + ":" + action; }
};

PermissionName parse_permission(std::string_view token);
PermissionName parse_permission(std::string_view resource, std::string_view action);

inline constexpr std::size_t role_name_characters_max = 64;
inline constexpr std::size_t role_description_characters_max = 255;
inline constexpr std::size_t permission_part_characters_max = 64;

struct NewRole {
    std::string name;
    std::string description;
    std::vector<std::string> permissions;
};

// What is absent stays as it is; an empty list of permissions clears them.
struct RoleChange {
    std::optional<std::string> name;
    std::optional<std::string> description;
    std::optional<std::vector<std::string>> permissions;
};

inline constexpr std::array<std::string_view, 4> role_list_fields{"id", "created_at", "updated_at", "name"};
inline constexpr std::array<std::string_view, 5> permission_list_fields{
    "id", "created_at", "updated_at", "resource", "action"
};

using users::ListView;
using RolePage = PageOf<users::Role>;

// Beginnings; empty texts ask for nothing.
struct PermissionFilter {
    std::string resource;
    std::string action;
};

using PermissionPage = PageOf<users::Permission>;

Place place_of(const users::Role& role, std::size_t field);
Place place_of(const users::Permission& permission, std::size_t field);

// What a user may do now.
struct Authority {
    std::vector<std::string> roles;        // by id
    std::vector<std::string> permissions;  // resource:action, sorted

    bool allows(std::string_view permission) const
    {
        return std::ranges::binary_search(permissions, permission);
    }
};

class Repository {
public:
    struct StoredPermission {
        std::int64_t id;
        std::string resource;
        std::string action;
        bool bound_to_admin;
    };

    static Task<std::vector<StoredPermission>> permissions(db::Session& session);
    static Task<void> insert_permission(db::Session& session, const Permission& permission, Timestamp now);
    static Task<bool> role_exists(db::Session& session, std::string_view name);
    static Task<void> insert_role(
        db::Session& session, std::string_view name, std::string_view description, Timestamp now
    );
    static Task<void> bind_to_admin(db::Session& session, std::int64_t permission_id, Timestamp now);
    static Task<void> touch_role(db::Session& session, std::string_view name, Timestamp now);

    // True if the user did not have the role yet. False too where there is no such role.
    static Task<bool> add_role(
        db::Session& session, std::int64_t user_id, std::string_view role, Timestamp now
    );
    static Task<std::optional<std::int64_t>> find_user(
        db::Session& session, std::string_view email, bool verified_only
    );
    static Task<bool> has_admin(db::Session& session);

    // One round trip. Nothing where there is no such user.
    static Task<std::optional<Authority>> authority(db::Session& session, std::int64_t user_id);

    // One round trip each.
    static Task<RolePage> list_roles(db::Session& session, const std::string& name, const ListView& view);
    static Task<PermissionPage> list_permissions(
        db::Session& session, const PermissionFilter& filter, const ListView& view
    );

    // With its permissions.
    static Task<std::optional<users::Role>> find_role(db::Session& session, std::int64_t id);

    // Nothing where the name is taken.
    static Task<std::optional<std::int64_t>> create_role(
        db::Session& session, std::string_view name, std::string_view description, Timestamp now
    );
    static Task<bool> role_name_taken(db::Session& session, std::string_view name, std::int64_t besides);

    // Name and description; the time moves in any case.
    static Task<void> update_role(
        db::Session& session, std::int64_t id, const RoleChange& change, Timestamp now
    );
    static Task<void> delete_role(db::Session& session, std::int64_t id);

    // In place of those that the role has.
    static Task<void> bind_permissions(
        db::Session& session,
        std::int64_t role_id,
        std::span<const users::Permission> permissions,
        Timestamp now
    );

    static Task<std::optional<users::Permission>> find_permission(db::Session& session, std::int64_t id);
    static Task<std::optional<users::Permission>> find_permission(
        db::Session& session, const Permission& permission
    );

    // Nothing where there is one.
    static Task<std::optional<users::Permission>> create_permission(
        db::Session& session, const Permission& permission, Timestamp now
    );

    // Nothing where it is gone.
    static Task<std::optional<users::Permission>> update_permission(
        db::Session& session, std::int64_t id, const Permission& permission, Timestamp now
    );
    static Task<void> delete_permission(db::Session& session, std::int64_t id);

    static Task<bool> role_id_exists(db::Session& session, std::int64_t id);

    // In place of those that the user has.
    static Task<void> set_roles(
        db::Session& session, std::int64_t user_id, std::span<const std::int64_t> role_ids, Timestamp now
    );
    static Task<bool> has_admin_besides(db::Session& session, std::int64_t user_id);
    static Task<std::vector<std::int64_t>> role_ids(db::Session& session, std::int64_t user_id);
    static Task<std::optional<std::int64_t>> find_role_id(db::Session& session, std::string_view name);

    static Task<std::vector<std::int64_t>> users_with_role(
        db::Session& session, std::int64_t role_id, std::int64_t rows_max
    );
    static Task<std::vector<std::int64_t>> users_with_permission(
        db::Session& session, std::int64_t permission_id, std::int64_t rows_max
    );

    // resource:action, sorted.
    static Task<std::vector<std::string>> grants(db::Session& session, std::int64_t user_id);

    static Task<void> delete_expired_claims(db::Session& session, Timestamp now);
    static Task<void> insert_claim(
        db::Session& session, std::string_view token_hash, Timestamp now, Timestamp expires_at
    );

    // True for the one caller that uses the claim up.
    static Task<bool> consume_claim(db::Session& session, std::string_view token_hash, Timestamp now);
};

// Who changes something, and under which condition.
struct Actor {
    std::int64_t user_id = 0;  // 0: nobody, a command
    audit::Origin origin;
    std::optional<std::string> if_match{};  // the entity tag that the role or permission must still have
    bool validate_only = false;             // nothing is changed; the answer tells what would be

    std::optional<std::int64_t> id() const { return user_id == 0 ? std::nullopt : std::optional(user_id); }
};

// What a change does to somebody.
struct UserEffect {
    std::int64_t user_id = 0;
    std::vector<std::string> gained;
    std::vector<std::string> lost;
};

struct Effects {
    std::vector<UserEffect> users;  // those whom it does anything to
    bool complete = true;           // false: more than users_max hold it; the others were not looked at

    static constexpr std::int64_t users_max = 1'000;
};

// A change's outcome: what is there now, or what would happen.
template <class T>
struct Changed {
    std::optional<T> value;
    std::optional<Effects> effects;
};

struct Nothing {};

// What else belongs into the transaction of a change, as its last step.
template <class T>
using Companion = std::function<Task<Result<void>>(db::Transaction&, const T&)>;

class Service {
public:
    struct Deps {
        db::Database& database;
        Clock& clock;
        Random& random;
        telemetry::Registry& metrics;
        audit::Service& audit;
        cache::Epochs& epochs;
        users::Service& users;
    };

    struct Settings {
        BootstrapAdmin bootstrap;
        std::vector<std::string> protected_roles;
        std::vector<std::string> protected_permissions;
        bool permission_cache_enabled = true;
        std::chrono::milliseconds permission_cache_ttl{std::chrono::minutes(5)};
        const cache::Copies* permission_copies = nullptr;
        cache::ListCache::Options lists{};
        cache::NegativeCache::Options negative{};
    };

    static constexpr std::chrono::hours claim_time_max{24};

    Service(Deps deps, Settings settings);
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;
    ~Service();

    // Adds what is missing of the default permissions, roles and bindings and gives the bootstrap user the
    // role admin; removes nothing and writes nothing when nothing is missing. Safe to run on several nodes at
    // once.
    Task<SeedReport> seed();

    // The same at an administrator's request.
    Task<SeedReport> sync(Actor actor);

    // Inside a caller's transaction: the roles of a new account. Publish what it raised after the commit.
    Task<cache::Epochs::Raised> assign_initial_roles(
        db::Transaction& transaction, std::int64_t user_id, std::string_view email, bool verified
    );

    // The role admin for the bootstrap account, as long as there is one and it may have it. True if it did
    // not have it yet. Publish what it raised after the commit.
    Task<bool> assign_bootstrap_admin(db::Transaction& transaction, cache::Epochs::Raised& raised);

    void publish(const cache::Epochs::Raised& raised) { deps_.epochs.publish(raised); }

    // A token whose holder may become the first administrator, as long as there is none; nothing where there
    // is one already, or where a bootstrap address is configured.
    Task<std::optional<std::string>> issue_admin_claim();

    // Gives the user the role admin. invalid_or_expired_token unless the claim is good and there is still no
    // administrator.
    Task<Result<std::int64_t>> claim_admin(std::string token, std::int64_t user_id, audit::Origin origin);

    // What the user may do, from the cache where it is there; null where there is no such user.
    Task<std::shared_ptr<const Authority>> authority(std::int64_t user_id);

    // As JSON, from the cache where it is there.
    struct ListQuery {
        std::string key;
        Paging paging;
        Order order;
        PageLinks links{};

        ListView view() const { return {.order = order, .slice = paging.slice(), .total = paging.total}; }
    };

    Task<cache::ListBodyPtr> list_roles(ListQuery query, std::string name);
    Task<cache::ListBodyPtr> list_permissions(ListQuery query, PermissionFilter filter);

    // Why a role or permission may not be touched at all, before anybody reads what is to be done with it:
    // not_found, forbidden.
    enum class Verb : std::uint8_t { modify, remove };
    Task<Result<Nothing>> check_role(std::int64_t id, Verb verb);
    Task<Result<Nothing>> check_permission(std::int64_t id, Verb verb);

    // invalid_input, conflict.
    Task<Result<Changed<users::Role>>> create_role(
        NewRole role, Actor actor, const Companion<users::Role>& companion
    );
    Task<Result<Changed<users::Permission>>> create_permission(PermissionName permission, Actor actor);

    // invalid_input, not_found, forbidden (protected, or the caller would lock himself out), conflict,
    // precondition_failed.
    Task<Result<Changed<users::Role>>> update_role(std::int64_t id, RoleChange change, Actor actor);
    Task<Result<Changed<users::Permission>>> update_permission(
        std::int64_t id, PermissionName permission, Actor actor
    );

    // not_found, forbidden, precondition_failed.
    Task<Result<Changed<Nothing>>> delete_role(std::int64_t id, Actor actor);
    Task<Result<Changed<Nothing>>> delete_permission(std::int64_t id, Actor actor);

    // not_found (the user), invalid_input (a role that does not exist), forbidden (the last administrator).
    Task<Result<Changed<Nothing>>> set_roles(
        std::int64_t user_id,
        std::vector<std::int64_t> role_ids,
        Actor actor,
        const Companion<Nothing>& companion
    );

    // One role more or less, by the user's normalised address and the role's name.
    struct Grant {
        std::string email;
        std::string role;
        bool held = true;
    };

    // False where nothing was to be done. not_found (the user, the role), forbidden (the last administrator).
    Task<Result<bool>> grant(Grant wanted, Actor actor);

    const cache::ListCache& role_lists() const;
    const cache::ListCache& permission_lists() const;

    const telemetry::Histogram& list_duration() const { return list_duration_; }

    void count_authorization(std::string_view permission, std::string_view outcome) const;

private:
    struct Caches;
    struct Change;

    Task<SeedReport> seed_in(db::Transaction& transaction, Change& change);
    Task<SeedReport> add_missing(db::Transaction& transaction);
    Task<bool> add_bootstrap_admin(db::Transaction& transaction);
    Task<Result<std::int64_t>> claim_in(
        db::Transaction& transaction, const std::string& token_hash, std::int64_t user_id, Change& change
    );
    Task<cache::ListBodyPtr> read_roles(const ListQuery& query, const std::string& name);
    Task<cache::ListBodyPtr> read_permissions(const ListQuery& query, const PermissionFilter& filter);
    Task<std::shared_ptr<const Authority>> read_authority(std::int64_t user_id);

    template <class T, class Body>
    Task<Result<Changed<T>>> change(Change description, Body body, const Companion<T>& companion = {});
    Task<void> raise(db::Transaction& transaction, Change& change);
    Task<void> remember(
        db::Transaction& transaction, const std::vector<std::int64_t>& user_ids, Change& change
    );
    Task<Effects> effects_of(db::Transaction& transaction, const Change& change);
    Task<Result<Nothing>> keeps(
        db::Transaction& transaction,
        std::int64_t user_id,
        const std::vector<std::string>& held,
        std::string_view required
    );
    Task<bool> find_role(std::int64_t id, std::optional<users::Role>& role);
    Task<bool> find_permission(std::int64_t id, std::optional<users::Permission>& permission);

    Task<Result<users::Role>> create_role_in(
        db::Transaction& transaction, const NewRole& role, Change& change
    );
    Task<Result<users::Role>> update_role_in(
        db::Transaction& transaction, std::int64_t id, const RoleChange& wanted, Change& change
    );
    Task<Result<Nothing>> delete_role_in(db::Transaction& transaction, std::int64_t id, Change& change);
    Task<Result<users::Permission>> create_permission_in(
        db::Transaction& transaction, const PermissionName& name, Change& change
    );
    Task<Result<users::Permission>> update_permission_in(
        db::Transaction& transaction, std::int64_t id, const PermissionName& name, Change& change
    );
    Task<Result<Nothing>> delete_permission_in(db::Transaction& transaction, std::int64_t id, Change& change);
    Task<Result<Nothing>> set_roles_in(
        db::Transaction& transaction,
        std::int64_t user_id,
        const std::vector<std::int64_t>& role_ids,
        Change& change
    );
    Task<Result<Nothing>> grant_in(
        db::Transaction& transaction, const Grant& wanted, Change& change, bool& noop
    );
    Task<Result<std::vector<users::Permission>>> find_all(
        db::Transaction& transaction, const std::vector<std::string>& tokens
    );
    bool is_protected_role(std::string_view name) const;
    bool is_protected_permission(const users::Permission& permission) const;

    Deps deps_;
    Settings settings_;
    telemetry::RepositoryOperations operations_;
    telemetry::Histogram page_sizes_;
    telemetry::Histogram list_duration_;
    telemetry::Counter authorizations_;
    telemetry::Counter cache_events_;
    telemetry::Counter mutations_;
    telemetry::Histogram sync_report_;
    std::unique_ptr<Caches> caches_;
};

std::vector<http::Route> routes(Service& service, const http::PageTokens& tokens);

}  // namespace kit::rbac
