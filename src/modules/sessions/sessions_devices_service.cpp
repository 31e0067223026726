// A user's own look at his sessions, and his ending of them.
#include "modules/sessions/sessions.hpp"
#include "platform/db/database.hpp"

namespace kit::sessions {

namespace {

constexpr audit::Kind list_event{"session.list", "list"};
constexpr audit::Kind revoke_single_event{"session.revoke.single", "revoke"};
constexpr audit::Kind revoke_others_event{"session.revoke.others", "revoke"};

audit::Event event_of(
    const audit::Kind& kind, std::int64_t user_id, std::string_view reason, std::string target_id
)
{
    return {
        .kind = kind,
        .outcome = audit::outcome::success,
        .reason = reason,
        .target_type = "session",
        .target_id = std::move(target_id),
        .actor = user_id,
    };
}

}  // namespace

Task<Service::Devices> Service::list(Identity caller, audit::Origin origin)
{
    const auto now = deps_.clock.now();
    Devices devices;
    devices.sessions = co_await operations_(
        "session",
        "list_active_by_user_id",
        Repository::list_active(deps_.database, caller.user_id, alive_since(now), now)
    );
    for (auto& session : devices.sessions) {
        if (session.family_id == caller.session_id) {
            devices.current_id = session.id;
        }
        if (lifetimes_.absolute.count() > 0) {
            session.expires_at =
                std::min<Timestamp>(session.expires_at, session.created_at + lifetimes_.absolute);
        }
        if (lifetimes_.idle.count() > 0) {
            session.expires_at =
                std::min<Timestamp>(session.expires_at, session.rotated_at + lifetimes_.idle);
        }
    }
    auto event = event_of(list_event, caller.user_id, "sessions_loaded", "self");
    event.extras = {
        {"count", std::to_string(devices.sessions.size())},
        {"current_session_id", std::to_string(devices.current_id)}
    };
    deps_.audit.record(event, origin);
    co_return devices;
}

// What a transaction of these has done, for after its commit.
struct Service::Ending {
    std::optional<Ended> ended;
    std::optional<audit::Entry> entry;
};

Task<Result<bool>> Service::end_one(Identity caller, std::int64_t id, audit::Origin origin)
{
    Ending ending;
    auto result = co_await deps_.database.transaction([&](db::Transaction& transaction) {
        return end_owned(transaction, {.user_id = caller.user_id, .id = id}, origin, ending);
    });
    if (result) {
        announce(*ending.ended);
        deps_.audit.announce(*ending.entry);
        revoked_count_.record(*result ? 1 : 0, {"revoke_by_user"});
    }
    co_return result;
}

Task<Result<bool>> Service::end_owned(
    db::Transaction& transaction, Repository::Owned session, const audit::Origin& origin, Ending& ending
)
{
    auto family_id = co_await operations_(
        "session",
        "revoke_by_id_for_user",
        Repository::revoke_owned(
            transaction, session, {.reason = reason::user_session_revoked, .now = deps_.clock.now()}
        )
    );
    if (!family_id && !co_await Repository::exists(transaction, session)) {
        co_return failure(Error::not_found("session not found"));
    }
    const std::string_view status = family_id ? "revoked" : "already_revoked";
    auto event = event_of(revoke_single_event, session.user_id, status, std::to_string(session.id));
    event.extras = {{"status", std::string(status)}};
    ending.entry = deps_.audit.entry(event, origin);
    co_await audit::Repository::insert(transaction, *ending.entry);
    const bool revoked = family_id.has_value();
    ending.ended = Ended{.session_ids = {}, .reason = reason::user_session_revoked};
    if (family_id) {
        ending.ended->session_ids.push_back(std::move(*family_id));
    }
    co_return revoked;
}

Task<Result<Service::OthersEnded>> Service::end_others(Identity caller, audit::Origin origin)
{
    Ending ending;
    auto result = co_await deps_.database.transaction([&](db::Transaction& transaction) {
        return end_all_but(transaction, caller, origin, ending);
    });
    if (result) {
        announce(*ending.ended);
        deps_.audit.announce(*ending.entry);
        revoked_count_.record(static_cast<double>(result->count), {"revoke_others"});
    }
    co_return result;
}

Task<Result<Service::OthersEnded>> Service::end_all_but(
    db::Transaction& transaction, const Identity& caller, const audit::Origin& origin, Ending& ending
)
{
    const auto now = deps_.clock.now();
    const auto current = co_await operations_(
        "session",
        "find_active_by_token_id_for_user",
        Repository::find_active_id(transaction, caller.user_id, caller.session_id, now)
    );
    if (!current) {
        co_return failure(Error::unauthenticated("unable to determine current session"));
    }
    auto ids = co_await operations_(
        "session",
        "revoke_others_by_user",
        Repository::revoke_others(
            transaction,
            {.user_id = caller.user_id, .id = *current},
            {.reason = reason::user_revoke_others, .now = now}
        )
    );
    const OthersEnded result{.current_id = *current, .count = static_cast<std::int64_t>(ids.size())};
    auto event = event_of(revoke_others_event, caller.user_id, "bulk_revoke", "others");
    event.extras = {
        {"current_session_id", std::to_string(result.current_id)},
        {"revoked_count", std::to_string(result.count)}
    };
    ending.entry = deps_.audit.entry(event, origin);
    co_await audit::Repository::insert(transaction, *ending.entry);
    ending.ended = Ended{.session_ids = std::move(ids), .reason = reason::user_revoke_others};
    co_return result;
}

// Registered first and then looked up: an end that comes in between is told by one or the other.
Result<std::unique_ptr<Watchers::Watch>> Service::watch(const Identity& caller)
{
    auto watch = watchers_.open(caller.user_id, caller.session_id);
    if (watch && revoked_.contains(caller.session_id)) {
        return failure(Error::unauthenticated("invalid access token"));
    }
    return watch;
}

}  // namespace kit::sessions
