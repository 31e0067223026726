// How every mutation of roles and permissions runs. Of this room only.
#pragma once

#include "modules/rbac/rbac.hpp"
#include "modules/rbac/rbac_caches.hpp"
#include "modules/users/users_metadata.hpp"
#include "platform/core/etag.hpp"
#include "platform/db/database.hpp"
#include "platform/db/lock.hpp"
#include "platform/json/json.hpp"

#include <map>

namespace kit::rbac {

// One mutation on its way: what it is called, what it makes stale, and what becomes of it. The last four are
// of the latest attempt.
struct Service::Change {
    Actor actor;
    std::string_view entity;
    std::string_view action;
    std::vector<cache::Namespace> stale;
    audit::Event event;
    std::optional<audit::Entry> entry{};
    cache::Epochs::Raised raised{};
    std::map<std::int64_t, std::vector<std::string>> before{};  // the permissions of those whom it may touch
    bool all_before = true;
};

inline constexpr std::string_view roles_write = "roles:write";
inline constexpr std::string_view permissions_write = "permissions:write";

inline Error lockout()
{
    return Error::forbidden("mutation would remove caller required permission");
}

inline Error no_such_role()
{
    return Error::not_found("role not found");
}

inline Error no_such_permission()
{
    return Error::not_found("permission not found");
}

inline Error unknown_permissions()
{
    return Error::invalid("one or more permissions do not exist");
}

inline std::string token_of(const users::Permission& permission)
{
    return permission.resource + ":" + permission.action;
}

template <class T>
bool still_matches(const Actor& actor, const T& value)
{
    return !actor.if_match ||
           etag_listed(
               *actor.if_match, cache::list_body(json::to_text(value), {})->etag, EtagComparison::strong
           );
}

inline Error changed_meanwhile()
{
    return {ErrorCode::precondition_failed, "the resource has changed since it was read"};
}

// How a mutation is counted: an exception is an error; what is wrong with the request itself is not counted.
inline std::string_view status_of(ErrorCode code)
{
    switch (code) {
        case ErrorCode::conflict:
        case ErrorCode::forbidden:
        case ErrorCode::precondition_failed:
            return "rejected";
        default:
            return "";
    }
}

// Why an attempt without effect is rolled back; no client sees it.
inline Error only_validated()
{
    return Error::internal("validated");
}

// Runs the mutation under the one lock of all of them, with its audit row and the epochs that it raises, all
// at once or not at all. Where only its effects are wanted, the transaction is rolled back once they are
// known.
template <class T, class Body>
Task<Result<Changed<T>>> Service::change(Change change, Body body, const Companion<T>& companion)
{
    struct Attempt {
        Service& service;
        Change& change;
        Body& body;
        std::optional<Effects>& effects;
        const Companion<T>& companion;

        Task<Result<T>> run(db::Transaction& transaction)
        {
            change.before.clear();
            change.all_before = true;
            effects.reset();
            co_await db::lock(transaction, db::LockKey::rbac_seed);
            auto value = TRY(co_await body(transaction, change));
            if (change.actor.validate_only) {
                effects = co_await service.effects_of(transaction, change);
                co_return failure(only_validated());
            }
            change.entry = service.deps_.audit.entry(change.event, change.actor.origin);
            co_await audit::Repository::insert(transaction, *change.entry);
            co_await service.raise(transaction, change);
            if (companion) {
                TRY(co_await companion(transaction, value));
            }
            co_return std::move(value);
        }
    };

    struct Counted {
        const telemetry::Counter& mutations;
        const Change& change;
        std::string_view status = "error";

        ~Counted()
        {
            if (!status.empty()) {
                mutations.add({change.entity, change.action, status});
            }
        }
    };

    Counted counted{.mutations = mutations_, .change = change};
    std::optional<Effects> effects;
    Attempt attempt{
        .service = *this, .change = change, .body = body, .effects = effects, .companion = companion
    };
    auto result = co_await deps_.database.transaction([&attempt](db::Transaction& transaction) {
        return attempt.run(transaction);
    });
    if (effects) {
        counted.status = "";
        co_return Changed<T>{.value = std::nullopt, .effects = std::move(effects)};
    }
    if (!result) {
        counted.status = status_of(result.error().code());
        co_return failure(result.error());
    }
    counted.status = "success";
    deps_.epochs.publish(change.raised);
    deps_.audit.announce(*change.entry);
    co_return Changed<T>{.value = std::move(*result), .effects = std::nullopt};
}

}  // namespace kit::rbac
