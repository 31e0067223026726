// Signed-in devices: their tokens, how these are refreshed, and how they end.
//
// A session is one row for as long as the device stays signed in; its `sid` (family_id) never changes. Each
// refresh replaces the refresh token by the next generation. The token that was just replaced counts for
// `refresh_grace` and yields the very same successor, so that two tabs do not sign each other out; an older
// one is a stolen copy and ends the session.
#pragma once

#include "modules/audit/audit.hpp"
#include "modules/sessions/sessions_watchers.hpp"
#include "modules/users/users.hpp"
#include "platform/core/clock.hpp"
#include "platform/core/error.hpp"
#include "platform/core/task.hpp"
#include "platform/telemetry/metrics.hpp"
#include "platform/telemetry/repository_operations.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace kit::db {
class Database;
class Transaction;
}  // namespace kit::db

namespace kit::jwt {
struct Claims;
enum class Expiry : std::uint8_t;
enum class Failure : std::uint8_t;
}  // namespace kit::jwt

namespace kit::keys {
class Service;
}  // namespace kit::keys

namespace kit::mail {
class Letter;
}  // namespace kit::mail

namespace kit::http {
struct CookiePolicy;
class RequestContext;
struct Response;
struct Route;
}  // namespace kit::http

namespace kit::sessions {

// Where a request comes from, as its session remembers it. Longer texts are cut.
struct Device {
    static constexpr std::size_t user_agent_characters_max = 512;
    static constexpr std::size_t ip_characters_max = 64;

    std::string user_agent;
    std::string ip;
};

struct Session {
    std::int64_t id = 0;
    std::int64_t user_id = 0;
    std::string family_id;  // the tokens' sid
    std::string token_id;   // the tokens' jti
    std::int64_t generation = 0;
    std::string refresh_token_hash;
    std::optional<std::string> previous_token_hash;
    Timestamp created_at{};
    Timestamp rotated_at{};
    Timestamp expires_at{};
    std::optional<Timestamp> revoked_at;
};

// What a session must have been made and refreshed after to be alive still.
struct AliveSince {
    Timestamp created = never;
    Timestamp refreshed = never;
};

// A session as its user sees it.
struct Listed {
    std::int64_t id = 0;
    std::string family_id;
    std::optional<std::string> user_agent;
    std::optional<std::string> ip;
    Timestamp created_at{};
    Timestamp rotated_at{};
    Timestamp expires_at{};
};

// A session that has ended, by its family id.
struct RecentEnd {
    std::string family_id;
    std::optional<std::string> revoked_reason;
};

// What a user agent says of itself, for people: "Firefox", "Windows", "desktop". "unknown" where it does not.
struct Client {
    std::string_view browser;
    std::string_view os;
    std::string_view device;  // desktop, mobile, tablet, bot, script
};

// By the signs that the common browsers, tools and crawlers carry. Any bytes are fine.
Client describe_user_agent(std::string_view user_agent);

// Why a session ended; the texts are stored.
namespace reason {
inline constexpr std::string_view reuse_detected = "reuse_detected";
inline constexpr std::string_view logout = "logout";
inline constexpr std::string_view password_reset = "password_reset";
inline constexpr std::string_view password_change = "password_change";
inline constexpr std::string_view user_session_revoked = "user_session_revoked";
inline constexpr std::string_view user_revoke_others = "user_revoke_others";
inline constexpr std::string_view account_taken_over = "account_taken_over";  // by who owns its address
// Written by the database itself, whoever changed the user's status.
inline constexpr std::string_view user_inactive = "user_inactive";
}  // namespace reason

inline constexpr audit::Kind logout_event{"auth.logout", "logout"};

// What a sign-in or refresh hands out.
struct Issued {
    users::User user;
    std::string access_token;
    std::string refresh_token;
    std::string csrf_token;
    Timestamp access_expires_at{};
    bool noticed = false;  // the sign-in's notice was stored
};

// What a sign-in rests on and brings with it.
struct Proof {
    // Of the password that was verified: where it has been replaced since, there is no session. Blank where
    // something else than a password proves who he is.
    std::string_view password_hash{};
    // To the owner, stored with the session if the device is new to an account that was in use before: none
    // of its sessions has the same user agent and address.
    const mail::Letter* notice = nullptr;
};

// What a good access token says.
struct Identity {
    std::int64_t user_id = 0;
    std::string session_id;
    std::string token_id;
};

// Sessions that a transaction ends: announced once it is committed.
struct Ended {
    std::vector<std::string> session_ids;
    std::string_view reason;
};

// A session to be inserted, or the next generation of one.
struct Generation {
    std::int64_t user_id = 0;
    std::string family_id;
    std::string token_id;
    std::int64_t generation = 0;
    std::string refresh_token_hash;
    Device device;
    Timestamp now{};
    Timestamp expires_at{};
};

class Repository {
public:
    // The row alone, inside a caller's transaction.
    static Task<void> insert(db::Transaction& transaction, const Generation& session);

    struct Login {
        const Proof& proof;
        bool used_before;  // whether the account has signed in before, as far as its row tells
    };

    struct Insertion {
        bool made = false;
        bool noticed = false;

        bool is_absent() const { return !made; }
    };

    // One round trip: the row, the audit's and the notice, all of them or none; and the user's
    // last_login_at.
    static Task<Insertion> insert_at_login(
        db::Database& database, const Generation& session, const audit::Entry& entry, const Login& login
    );

    struct Rotation {
        bool rotated = false;
        std::optional<users::User> user;

        bool is_absent() const { return !rotated; }
    };

    // One round trip: makes `next` the row's generation if the row still has `current_hash`, is active and
    // its user is, and then stores the audit's row; and the user.
    static Task<Rotation> rotate(
        db::Database& database,
        const Generation& next,
        std::string_view current_hash,
        const AliveSince& alive,
        const audit::Entry& entry
    );

    static Task<std::optional<Session>> find(db::Database& database, std::string_view family_id);

    struct Revocation {
        std::string_view reason;
        Timestamp now;
    };

    // The family ids of the sessions that were active and now are not. The audit's row is stored with it.
    static Task<std::vector<std::string>> revoke_all(
        db::Database& database, std::int64_t user_id, const Revocation& revocation, const audit::Entry& entry
    );
    // The same in the transaction of what ends them. Sign-ins of the user that are under way are waited for,
    // and those that come later see what the transaction has changed.
    static Task<std::vector<std::string>> revoke_all(
        db::Transaction& transaction, std::int64_t user_id, const Revocation& revocation
    );

    static Task<std::vector<std::string>> revoke(
        db::Database& database,
        std::string_view family_id,
        const Revocation& revocation,
        const audit::Entry& entry
    );

    static Task<std::vector<RecentEnd>> revoked_since(db::Database& database, Timestamp since);

    static constexpr std::int64_t listed_max = 1'000;

    // Those of the user that are alive, newest first, at most `listed_max`.
    static Task<std::vector<Listed>> list_active(
        db::Database& database, std::int64_t user_id, const AliveSince& alive, Timestamp now
    );

    // A row of the user, whatever its state.
    struct Owned {
        std::int64_t user_id;
        std::int64_t id;
    };

    static Task<std::optional<std::string>> revoke_owned(
        db::Transaction& transaction, const Owned& session, const Revocation& revocation
    );
    static Task<bool> exists(db::Transaction& transaction, const Owned& session);

    // The row of an active session of the user.
    static Task<std::optional<std::int64_t>> find_active_id(
        db::Transaction& transaction, std::int64_t user_id, std::string_view family_id, Timestamp now
    );

    // All of the user but that row: the family ids of those that now have ended.
    static Task<std::vector<std::string>> revoke_others(
        db::Transaction& transaction, const Owned& kept, const Revocation& revocation
    );

    // Rows that expired before then: how many, at most `rows_max`.
    static Task<std::int64_t> purge(db::Database& database, Timestamp expired_before, std::int64_t rows_max);
};

// The sessions whose access tokens count no more although they have not expired. Thread-safe; sharded, so
// that a lookup holds a lock for nanoseconds. Bounded by nature: an entry lives for one access token
// lifetime.
class RevokedSessions {
public:
    void add(std::string_view session_id, Timestamp until);
    bool contains(std::string_view session_id) const;
    void purge(Timestamp now);

private:
    struct Shard {
        mutable std::mutex mutex;
        std::unordered_map<std::string, Timestamp> entries;
    };

    static constexpr std::size_t shard_count = 16;

    const Shard& shard(std::string_view session_id) const;

    std::array<Shard, shard_count> shards_;
    std::atomic<std::size_t> size_{0};
};

// How a refresh went, for those who count: the client learns no more than that it was refused. `replayed` is
// the just-replaced token within its grace.
enum class RefreshOutcome : std::uint8_t { invalid, reuse_detected, rotated, replayed };

// The secrets and lifetimes of tokens.
struct TokenSettings {
    std::string issuer;
    std::string audience;
    std::string access_secret;
    std::string refresh_secret;
    std::string refresh_pepper;
    std::chrono::milliseconds access_ttl{std::chrono::minutes(15)};
    std::chrono::milliseconds refresh_ttl{std::chrono::hours(168)};
    std::chrono::milliseconds refresh_grace{std::chrono::seconds(10)};
};

// How long sessions live beside their tokens' lifetimes, and their rows.
struct Lifetimes {
    std::chrono::milliseconds absolute{0};  // since the sign-in; zero: without end
    std::chrono::milliseconds idle{0};      // since the last refresh; zero: without end
    std::chrono::milliseconds purge_after{std::chrono::hours(168)};
    std::chrono::milliseconds purge_interval{std::chrono::minutes(10)};
    std::int64_t purge_batch_rows = 500;
};

class Service {
public:
    struct Deps {
        db::Database& database;
        Clock& clock;
        Random& random;
        telemetry::Registry& metrics;
        audit::Service& audit;
        keys::Service* keys = nullptr;  // of access tokens; null: they are HS256 by `access_secret`
    };

    Service(Deps deps, TokenSettings settings, Lifetimes lifetimes = {}, Watchers::Limits watchers = {});
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;
    ~Service();

    // Starts a session for an existing, active user who has just proved who he is; the event of that login
    // is stored with it. forbidden where he was disabled, or his password replaced, meanwhile.
    Task<Result<Issued>> sign_in(
        users::User user, Device device, const audit::Entry& entry, const Proof& proof = {}
    );

    // The same inside the transaction that made the user.
    Task<Issued> sign_in_new(db::Transaction& transaction, users::User user, Device device);

    // unauthenticated: "missing refresh token" for an empty one, "invalid refresh token" for every other
    // refusal; see the head of this file for when the session ends too.
    Task<Result<Issued>> refresh(
        std::string refresh_token, Device device, audit::Origin origin, RefreshOutcome& outcome
    );

    // Ends all sessions of the user, or the one named, and their access tokens.
    Task<void> sign_out_everywhere(std::int64_t user_id, audit::Origin origin);
    Task<void> sign_out(Identity caller, audit::Origin origin);

    // Ends all sessions of the user in the transaction of what is the reason, such as a new password. Their
    // access tokens die once the caller announces it, after the commit; announcing costs no wait.
    Task<Ended> end_all(db::Transaction& transaction, std::int64_t user_id, std::string_view reason);
    void announce(const Ended& ended);

    // The caller's sessions, newest first.
    struct Devices {
        std::vector<Listed> sessions;
        std::int64_t current_id = 0;  // 0: none of them
    };

    Task<Devices> list(Identity caller, audit::Origin origin);

    // Ends one of the caller's sessions: true; false if it had ended before. not_found.
    Task<Result<bool>> end_one(Identity caller, std::int64_t id, audit::Origin origin);

    struct OthersEnded {
        std::int64_t current_id = 0;
        std::int64_t count = 0;
    };

    // Ends all sessions of the caller but the one that asks. unauthenticated where that one is no more.
    Task<Result<OthersEnded>> end_others(Identity caller, audit::Origin origin);

    // A stream's end to be told of: see Watchers. The session may have ended already.
    Result<std::unique_ptr<Watchers::Watch>> watch(const Identity& caller);

    std::size_t watchers() const { return watchers_.size(); }

    // Who an access token speaks for; nothing if it is not good, has expired or its session has ended. No
    // database.
    std::optional<Identity> authenticate(std::string_view access_token) const;

    // The sessions that a request's tokens name, by good signature alone: expired and revoked ones too.
    std::optional<std::string> session_of_access(std::string_view access_token) const;
    std::optional<std::string> session_of_refresh(std::string_view refresh_token) const;

    // A new one for the session.
    std::string csrf_token(std::string_view session_id);

    // Whether we issued the token, and to one of the sessions where any is named.
    bool csrf_token_good(std::string_view token, std::span<const std::string> sessions) const;

    // Learns of sessions that other nodes or commands have ended. One caller at a time.
    Task<void> learn_revocations();

    // Does so every `revocation_poll` until it is cancelled; a database that is away is asked again after
    // `revocation_retry`.
    Task<void> follow_revocations();

    // Hears of them as they happen, where the database can tell: until it is cancelled.
    Task<void> hear_revocations();

    // Deletes the rows of sessions that expired long ago, batch after batch until none is left: how many.
    Task<std::int64_t> purge();

    // Does so again and again until it is cancelled.
    Task<void> keep_purged();

    static constexpr std::chrono::milliseconds revocation_poll{500};
    static constexpr std::chrono::milliseconds revocation_retry{100};

    std::chrono::seconds access_ttl() const;
    std::chrono::seconds refresh_ttl() const;

private:
    struct Keys;

    Generation first_generation(std::int64_t user_id, const Device& device);
    std::string refresh_token(const Generation& generation) const;
    Issued issue(users::User user, const Generation& generation);
    std::expected<jwt::Claims, jwt::Failure> access_claims(std::string_view token, jwt::Expiry expiry) const;

    struct Presented {
        Generation generation;
        std::string hash;
        std::optional<users::User> user;
    };

    Task<Result<Issued>> refresh_replaced(
        Presented presented, const audit::Origin& origin, RefreshOutcome& outcome
    );
    std::unexpected<Error> refuse_refresh(std::string_view reason, const audit::Origin& origin);
    Task<void> end_stolen(std::string session_id, const audit::Origin& origin);

    struct Ending;

    Task<Result<bool>> end_owned(
        db::Transaction& transaction, Repository::Owned session, const audit::Origin& origin, Ending& ending
    );
    Task<Result<OthersEnded>> end_all_but(
        db::Transaction& transaction, const Identity& caller, const audit::Origin& origin, Ending& ending
    );

    struct Leaving {
        std::int64_t user_id;
        std::optional<std::string> session_id;  // unset: all
    };

    Task<void> end_sessions(Leaving leaving, audit::Origin origin);
    void forget_access_tokens(std::string_view session_id, std::string_view reason);
    AliveSince alive_since(Timestamp now) const;

    Deps deps_;
    TokenSettings settings_;
    Lifetimes lifetimes_;
    std::unique_ptr<const Keys> keys_;
    telemetry::RepositoryOperations operations_;
    telemetry::Counter purged_;
    telemetry::Histogram revoked_count_;
    RevokedSessions revoked_;
    Watchers watchers_;
    std::optional<Timestamp> revocations_known_until_;
};

// A silent stream says that it lives; and ends after a while, so that its browser proves anew who it is.
inline constexpr std::chrono::seconds event_heartbeat{15};
inline constexpr std::chrono::hours event_stream_time_max{1};

// What the handlers need beside the service.
struct Routes {
    Routes(Service& sessions, Clock& system_clock, telemetry::Registry& metrics);

    Service& service;
    Clock& clock;
    telemetry::Counter events;
};

std::vector<http::Route> routes(Routes& handlers);

// The device that a request comes from.
Device device_of(const http::RequestContext& ctx);

// Sets the three cookies of a sign-in or refresh, and forbids caching.
void set_session_cookies(
    http::Response& response, const Issued& issued, const Service& service, const http::CookiePolicy& policy
);

// Clears them, and the OAuth state cookie.
void clear_session_cookies(http::Response& response, const http::CookiePolicy& policy);

}  // namespace kit::sessions
