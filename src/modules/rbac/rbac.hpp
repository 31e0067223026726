// Roles and permissions: seeding them, giving a user a role, and how the first administrator comes to be.
#pragma once

#include "modules/audit/audit.hpp"
#include "platform/core/clock.hpp"
#include "platform/core/error.hpp"
#include "platform/core/task.hpp"
#include "platform/core/timestamp.hpp"
#include "platform/telemetry/repository_operations.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kit::db {
class Database;
class Session;
class Transaction;
}  // namespace kit::db

namespace kit::http {
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

    // Nothing where there is no such user.
    static Task<std::optional<bool>> allows(
        db::Session& session, std::int64_t user_id, const Permission& permission
    );

    static Task<void> delete_expired_claims(db::Session& session, Timestamp now);
    static Task<void> insert_claim(
        db::Session& session, std::string_view token_hash, Timestamp now, Timestamp expires_at
    );

    // True for the one caller that uses the claim up.
    static Task<bool> consume_claim(db::Session& session, std::string_view token_hash, Timestamp now);
};

class Service {
public:
    struct Deps {
        db::Database& database;
        Clock& clock;
        Random& random;
        telemetry::Registry& metrics;
        audit::Service& audit;
    };

    static constexpr std::chrono::hours claim_time_max{24};

    Service(Deps deps, BootstrapAdmin bootstrap)
        : deps_(deps), bootstrap_(std::move(bootstrap)), operations_(deps.metrics)
    {
    }

    // Adds what is missing of the default permissions, roles and bindings and gives the bootstrap user the
    // role admin; removes nothing and writes nothing when nothing is missing. Safe to run on several nodes at
    // once.
    Task<SeedReport> seed();

    // Inside a caller's transaction: the roles of a new account.
    Task<void> assign_initial_roles(
        db::Transaction& transaction, std::int64_t user_id, std::string_view email, bool verified
    );

    // The role admin for the bootstrap account, as long as there is one and it may have it. True if it did
    // not have it yet.
    Task<bool> assign_bootstrap_admin(db::Transaction& transaction);

    // A token whose holder may become the first administrator, as long as there is none; nothing where there
    // is one already, or where a bootstrap address is configured.
    Task<std::optional<std::string>> issue_admin_claim();

    // Gives the user the role admin. invalid_or_expired_token unless the claim is good and there is still no
    // administrator.
    Task<Result<std::int64_t>> claim_admin(std::string token, std::int64_t user_id, audit::Origin origin);

    // Whether a role of the user holds the permission (`resource:action`); nothing where there is no such
    // user.
    Task<std::optional<bool>> allows(std::int64_t user_id, std::string_view permission);

private:
    Task<SeedReport> seed_in(db::Transaction& transaction);
    Task<Result<std::int64_t>> claim_in(
        db::Transaction& transaction,
        const std::string& token_hash,
        std::int64_t user_id,
        const audit::Entry& entry
    );

    Deps deps_;
    BootstrapAdmin bootstrap_;
    telemetry::RepositoryOperations operations_;
};

std::vector<http::Route> routes(Service& service);

}  // namespace kit::rbac
