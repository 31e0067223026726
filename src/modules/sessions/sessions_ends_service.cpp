// How sessions end: for whom else asks, for those who hold their access tokens, and at last for the database.
#include "modules/sessions/sessions.hpp"
#include "platform/db/database.hpp"

namespace kit::sessions {

namespace {

// Of the messages that the database's trigger sends: "<family id> <reason>".
constexpr std::string_view session_ended_channel = "session_ended";

// An access token may be signed a little after its session was last seen alive, and nodes' clocks differ.
constexpr std::chrono::minutes remembered_longer{1};

// The reasons are few and ours; whatever else stands in a row is not for browsers.
std::string_view known_reason(std::string_view text)
{
    for (const auto known :
         {reason::reuse_detected,
          reason::logout,
          reason::password_reset,
          reason::password_change,
          reason::user_session_revoked,
          reason::user_revoke_others,
          reason::user_inactive}) {
        if (text == known) {
            return known;
        }
    }
    return "ended";
}

}  // namespace

Task<void> Service::sign_out_everywhere(std::int64_t user_id, audit::Origin origin)
{
    co_await end_sessions({.user_id = user_id, .session_id = std::nullopt}, std::move(origin));
}

Task<void> Service::sign_out(Identity caller, audit::Origin origin)
{
    co_await end_sessions(
        {.user_id = caller.user_id, .session_id = std::move(caller.session_id)}, std::move(origin)
    );
}

Task<void> Service::end_sessions(Leaving leaving, audit::Origin origin)
{
    const auto entry = deps_.audit.entry(
        audit::by_user(logout_event, leaving.user_id, audit::outcome::success, "sessions_revoked"), origin
    );
    const Repository::Revocation revocation{.reason = reason::logout, .now = deps_.clock.now()};
    try {
        const auto ended =
            leaving.session_id
                ? co_await operations_(
                      "session",
                      "revoke_by_family_id",
                      Repository::revoke(deps_.database, *leaving.session_id, revocation, entry)
                  )
                : co_await operations_(
                      "session",
                      "revoke_by_user_id",
                      Repository::revoke_all(deps_.database, leaving.user_id, revocation, entry)
                  );
        announce({.session_ids = ended, .reason = reason::logout});
    } catch (const Cancelled&) {
        throw;
    } catch (const std::exception&) {
        deps_.audit.record(
            audit::by_user(logout_event, leaving.user_id, audit::outcome::failure, "revoke_error"), origin
        );
        throw;
    }
    deps_.audit.announce(entry);
}

Task<Ended> Service::end_all(db::Transaction& transaction, std::int64_t user_id, std::string_view reason)
{
    auto ended = co_await operations_(
        "session",
        "revoke_by_user_id",
        Repository::revoke_all(transaction, user_id, {.reason = reason, .now = deps_.clock.now()})
    );
    co_return Ended{.session_ids = std::move(ended), .reason = reason};
}

void Service::announce(const Ended& ended)
{
    for (const auto& session_id : ended.session_ids) {
        forget_access_tokens(session_id, ended.reason);
    }
}

// First the tokens, then the browsers: one that comes back at once is refused.
void Service::forget_access_tokens(std::string_view session_id, std::string_view reason)
{
    revoked_.add(session_id, deps_.clock.now() + settings_.access_ttl + remembered_longer);
    watchers_.end(session_id, known_reason(reason));
}

Task<void> Service::learn_revocations()
{
    // A node whose clock is behind, or a transaction that commits late, is still seen: entries may be learnt
    // twice.
    static constexpr std::chrono::seconds overlap{10};
    const auto now = deps_.clock.now();
    const auto since = revocations_known_until_ ? *revocations_known_until_ - overlap
                                                : now - settings_.access_ttl - remembered_longer;
    const auto ended = co_await operations_(
        "session", "list_revoked_since", Repository::revoked_since(deps_.database, since)
    );
    for (const auto& session : ended) {
        forget_access_tokens(session.family_id, session.revoked_reason.value_or(""));
    }
    revoked_.purge(now);
    revocations_known_until_ = now;
}

Task<void> Service::follow_revocations()
{
    while (true) {
        auto pause = revocation_poll;
        try {
            co_await learn_revocations();
        } catch (const Unavailable&) {
            pause = revocation_retry;
        }
        co_await deps_.clock.sleep_for(pause);
    }
}

Task<void> Service::hear_revocations()
{
    co_await deps_.database.listen(std::string(session_ended_channel), [this](std::string_view message) {
        const auto space = std::min(message.find(' '), message.size());
        forget_access_tokens(message.substr(0, space), message.substr(std::min(space + 1, message.size())));
    });
}

Task<std::int64_t> Service::purge()
{
    const auto expired_before = deps_.clock.now() - lifetimes_.purge_after;
    std::int64_t total = 0;
    while (true) {
        const auto removed = co_await operations_(
            "session",
            "purge_expired",
            Repository::purge(deps_.database, expired_before, lifetimes_.purge_batch_rows)
        );
        purged_.add({}, removed);
        total += removed;
        if (removed < lifetimes_.purge_batch_rows) {
            co_return total;
        }
    }
}

// A database that is away is asked again at the next interval: nothing waits for this.
Task<void> Service::keep_purged()
{
    while (true) {
        try {
            co_await purge();
        } catch (const Unavailable&) {
        }
        co_await deps_.clock.sleep_for(lifetimes_.purge_interval);
    }
}

const RevokedSessions::Shard& RevokedSessions::shard(std::string_view session_id) const
{
    return shards_[std::hash<std::string_view>()(session_id) % shard_count];
}

void RevokedSessions::add(std::string_view session_id, Timestamp until)
{
    auto& home = shards_[std::hash<std::string_view>()(session_id) % shard_count];
    const std::lock_guard lock(home.mutex);
    if (home.entries.try_emplace(std::string(session_id), until).second) {
        size_.fetch_add(1, std::memory_order_release);
    }
}

bool RevokedSessions::contains(std::string_view session_id) const
{
    if (size_.load(std::memory_order_acquire) == 0) {
        return false;
    }
    const auto& home = shard(session_id);
    const std::lock_guard lock(home.mutex);
    return home.entries.contains(std::string(session_id));
}

void RevokedSessions::purge(Timestamp now)
{
    for (auto& home : shards_) {
        const std::lock_guard lock(home.mutex);
        size_.fetch_sub(std::erase_if(home.entries, [now](const auto& entry) { return entry.second <= now; })
        );
    }
}

}  // namespace kit::sessions
