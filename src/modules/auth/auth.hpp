// Proving who one is: local accounts with a password, and accounts at other providers (auth_oidc.hpp).
#pragma once

#include "modules/audit/audit.hpp"
#include "modules/auth/auth_guard.hpp"
#include "modules/auth/auth_oidc.hpp"
#include "modules/rbac/rbac.hpp"
#include "modules/sessions/sessions.hpp"
#include "modules/users/users.hpp"
#include "platform/core/bell.hpp"
#include "platform/core/clock.hpp"
#include "platform/core/error.hpp"
#include "platform/core/task.hpp"
#include "platform/telemetry/metrics.hpp"
#include "platform/telemetry/repository_operations.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kit {
class PasswordHasher;
}  // namespace kit

namespace kit::mail {
class Letter;
class Outbox;
}  // namespace kit::mail

namespace kit::telemetry {
class Logger;
}  // namespace kit::telemetry

namespace kit::db {
class Database;
class Session;
class Transaction;
}  // namespace kit::db

namespace kit::http {
struct CookiePolicy;
struct Route;
}  // namespace kit::http

namespace kit::auth {

inline constexpr std::size_t email_characters_max = 255;
inline constexpr std::size_t name_characters_max = 255;

struct Registration {
    std::string email;
    std::string name;
    std::string password;
};

struct Credentials {
    std::string email;
    std::string password;
};

struct PasswordReset {
    std::string token;
    std::string new_password;
};

struct PasswordChange {
    std::string current_password;
    std::string new_password;
};

// The answer to a password that the policy refuses.
inline constexpr std::string_view weak_password_text =
    "password must be 12+ chars and include upper, lower, number, and special char";

// An address as it is stored and compared: in Unicode's form NFKC, trimmed, lower-cased.
std::string normalise_email(std::string_view email);

// A name as it is stored: NFKC, trimmed.
std::string normalise_name(std::string_view name);

// A bare addr-spec, RFC 5322 section 3.4.1, without comments or folding white space; non-ASCII as RFC 6532
// allows. No display name, no angle brackets.
bool is_address(std::string_view email);

struct Credential {
    std::int64_t user_id = 0;
    std::string password_hash;
    bool email_verified = false;
};

// An active user with a password.
struct Holder {
    std::int64_t user_id = 0;
    std::string email;
    std::string name;
    std::string password_hash;
    bool email_verified = false;
};

// What a one-time token is for, as it is stored.
enum class Purpose : std::uint8_t { email_verify, password_reset };

std::string_view to_string(Purpose purpose);

class Repository {
public:
    struct Login {
        std::optional<Credential> credential;
        std::optional<users::User> user;

        bool is_absent() const { return !user; }
    };

    // One round trip: the credential and the user, with roles and permissions.
    static Task<Login> find_login(db::Database& database, std::string_view email);

    struct NewCredential {
        std::int64_t user_id;
        std::string_view password_hash;
        bool email_verified;
        Timestamp now;
    };

    static Task<void> insert_credential(db::Session& session, const NewCredential& credential);

    struct NewHash {
        std::int64_t user_id;
        std::string_view current;
        std::string_view next;
        Timestamp now;
    };

    // False where the password is not the one with the hash `current` any more.
    static Task<bool> replace_hash(db::Session& session, const NewHash& hash);

    static Task<std::optional<Holder>> find_holder(db::Session& session, std::int64_t user_id);
    static Task<std::optional<Holder>> find_holder(db::Session& session, std::string_view email);

    // Marks the address of a local account as verified; false where there is no such account.
    static Task<bool> verify_email(db::Session& session, std::string_view email, Timestamp now);
};

// Somebody asked for a token.
struct TokenRequest {
    std::int64_t id = 0;
    std::string purpose;
    std::string email;
    Timestamp created_at{};
};

// A good token as its bearer shows it.
struct ShownToken {
    Purpose purpose;
    std::string hash;
    Timestamp now;
};

// One-time tokens. Whoever changes a user's tokens first locks his credential's row, so that neither two
// tokens of one purpose are good at once, nor one token good twice.
class TokensRepository {
public:
    struct NewRequest {
        Purpose purpose;
        std::string email;
        Timestamp now;
    };

    // The request and the audit's row, in one round trip.
    // Within a transaction.
    static Task<void> note_request(
        db::Session& session, const NewRequest& request, const audit::Entry& entry
    );

    static Task<void> insert_request(
        db::Database& database, const NewRequest& request, const audit::Entry& entry
    );

    // The oldest ones.
    static Task<std::vector<TokenRequest>> requests(db::Session& session, std::int64_t rows_max);

    // True for the one caller who takes it.
    static Task<bool> take_request(db::Session& session, std::int64_t id);

    // Whether the address is verified; nothing where there is no credential any more. Locks it.
    static Task<std::optional<bool>> lock_credential(db::Transaction& transaction, std::int64_t user_id);

    struct NewToken {
        std::int64_t user_id;
        Purpose purpose;
        std::string hash;
        Timestamp now;
        Timestamp expires_at;
    };

    // After which the older ones of the purpose are used up.
    static Task<void> insert(db::Transaction& transaction, const NewToken& token);

    // Whose token it is, as long as it is good.
    static Task<std::optional<Holder>> find_holder(db::Session& session, const ShownToken& token);

    // The effects of a token; false where it is not good. Its credential is locked then.
    static Task<bool> verify_email(db::Transaction& transaction, const ShownToken& token);
    static Task<bool> set_hash(
        db::Transaction& transaction, const ShownToken& token, std::string_view password_hash
    );

    // True for the one caller who uses it up.
    static Task<bool> consume(db::Transaction& transaction, const ShownToken& token);

    // Removes some of those that ended, used or not, before `cutoff`. Returns how many.
    static Task<std::int64_t> purge(db::Session& session, Timestamp cutoff, std::int64_t rows_max);
};

// The kinds of event that begin with a request's body.
inline constexpr audit::Kind registration_event{"auth.local.register", "register"};
inline constexpr audit::Kind login_event{"auth.local.login", "login"};
inline constexpr audit::Kind verify_request_event{"auth.local.verify.request", "verify_request"};
inline constexpr audit::Kind verify_confirm_event{"auth.local.verify.confirm", "verify_confirm"};
inline constexpr audit::Kind forgot_event{"auth.local.password.forgot", "password_forgot"};
inline constexpr audit::Kind reset_event{"auth.local.password.reset", "password_reset"};
inline constexpr audit::Kind change_event{"auth.local.change_password", "password_change"};

// How a failure of one kind is recorded.
struct Refusal {
    audit::Kind kind;
    std::string_view reason;
    std::string_view target_type = "user";
    std::optional<std::int64_t> user{};  // unset: nobody who is known
};

audit::Event refused(const Refusal& refusal, std::string_view error);

struct LinkSettings {
    std::string base_url;  // of the page that the link leads to; blank: the link is `token=…` alone
    std::chrono::milliseconds life{};
};

// The base's query with `token` set, its parameters encoded anew and sorted.
std::string one_time_link(std::string_view base_url, std::string_view token);

// What an answer that is kept for its repetition adds to the transaction of its effect.
using AnswerCommit = std::function<Task<Result<void>>(db::Transaction&)>;

// Links by mail that prove an address. Whether an address has an account is looked up behind the answers,
// which are alike in text and time for that reason (docs/decisions/0014-one-time-links.md).
class Links {
public:
    struct Deps {
        db::Database& database;
        mail::Outbox& outbox;
        Clock& clock;
        Random& random;
        telemetry::Logger& logger;
    };

    struct Settings {
        LinkSettings email_verify;
        LinkSettings password_reset;
        std::string product;  // what people know the service by
        bool logged = false;  // the links, on log lines: in local-like profiles
    };

    static constexpr std::int64_t batch_rows_max = 64;
    static constexpr std::chrono::hours request_age_max{1};       // nobody waits for an older one's mail
    static constexpr std::chrono::milliseconds gather_time{100};  // from a request to its link, see serve()
    static constexpr std::chrono::seconds sweep_interval{1};
    static constexpr std::chrono::minutes purge_interval{1};
    static constexpr std::chrono::hours kept_after_end{24};  // for whoever asks why a link did not work

    Links(Deps deps, Settings settings) : deps_(deps), settings_(std::move(settings)) {}

    // Notes that a link is wanted, and the event with it. What follows happens behind the answer: nothing of
    // the answer may have to wait for the database after this, or its time would tell whose address it is.
    Task<void> request(Purpose purpose, std::string email, const audit::Entry& entry);

    // The same with what else belongs into that transaction.
    Task<Result<void>> request_with(
        Purpose purpose, std::string email, const audit::Entry& entry, const AnswerCommit& commit
    );

    // Sends what was asked for, to those who have an account that needs it. Several may do so at once.
    Task<void> issue_requested();

    // Removes tokens that ended long ago. Returns how many.
    Task<std::int64_t> purge();

    // Issue as soon as something is asked for on this node; and what was left behind, by nodes that died or
    // while the database was away. Both until they are cancelled.
    Task<void> serve();
    Task<void> sweep();

private:
    struct Issued;

    const LinkSettings& settings_of(Purpose purpose) const;
    Task<void> issue(TokenRequest request);
    Task<void> send(Purpose purpose, std::int64_t request_id, Holder holder);
    Task<bool> store(db::Transaction& transaction, const Issued& issued);
    void log(Purpose purpose, const Issued& issued);

    Deps deps_;
    Settings settings_;
    Bell asked_;
};

struct Settings {
    bool local_enabled = true;
    bool require_email_verification = false;
    std::string product;  // what people know the service by
};

// Who comes to sign in.
struct Visitor {
    sessions::Device device;
    bool on_new_device = false;  // the account's owner is told by mail, if others have known it
};

// A registration's outcome: with a session, or waiting for the address to be verified.
struct Registered {
    users::User user;
    std::optional<sessions::Issued> issued;
    cache::Epochs::Raised raised;
};

// Runs last in the transaction that makes an account, for what must commit together with it; its error undoes
// the account.
using Companion = std::function<Task<Result<void>>(db::Transaction&, const Registered&)>;

class Service {
public:
    struct Deps {
        db::Database& database;
        rbac::Service& rbac;
        sessions::Service& sessions;
        PasswordHasher& hasher;
        Clock& clock;
        telemetry::Registry& metrics;
        audit::Service& audit;
        Links& links;
        mail::Outbox& outbox;
    };

    Service(Deps deps, Settings settings)
        : deps_(deps), settings_(std::move(settings)), operations_(deps.metrics)
    {
    }

    // not_enabled, invalid_input (malformed or taken address, blank name, weak password), and the
    // companion's.
    Task<Result<Registered>> register_account(
        Registration registration, sessions::Device device, audit::Origin origin, const Companion& companion
    );

    // not_enabled, unauthenticated (one text for every reason), email_unverified (the password was right).
    Task<Result<sessions::Issued>> login(Credentials credentials, Visitor visitor, audit::Origin origin);

    // A verification link is on its way, if the address is of an account that has not been verified.
    // not_enabled, invalid_input (malformed address).
    Task<Result<void>> request_verification(std::string email, audit::Origin origin);

    // not_enabled, invalid_or_expired_token.
    Task<Result<void>> confirm_verification(std::string token, audit::Origin origin);

    // A reset link is on its way, if the address is of a local account. not_enabled.
    // `commit` is run in the transaction that takes note of the request.
    Task<Result<void>> request_reset(std::string email, audit::Origin origin, const AnswerCommit& commit);

    // Ends all sessions. not_enabled, invalid_input (weak password), invalid_or_expired_token.
    Task<Result<void>> reset_password(PasswordReset reset, audit::Origin origin);

    // Ends all sessions, the caller's too. not_enabled, invalid_input (weak or unchanged password),
    // unauthenticated (no password, or another one).
    Task<Result<void>> change_password(std::int64_t user_id, PasswordChange change, audit::Origin origin);

    sessions::Service& sessions() { return deps_.sessions; }

private:
    struct Account {
        std::string email;
        std::string name;
        std::string password_hash;
        sessions::Device device;
    };

    Task<Result<Registered>> try_register(
        Registration registration,
        sessions::Device device,
        const audit::Origin& origin,
        const Companion& companion
    );
    Task<Result<Registered>> create_account(
        db::Transaction& transaction,
        const Account& account,
        const audit::Origin& origin,
        std::optional<audit::Entry>& entry,
        const Companion& companion
    );

    // The user whom credentials prove, and the hash that the password was found right by.
    struct Proven {
        users::User user;
        std::string password_hash;
    };

    static constexpr int login_attempts_max = 2;

    Task<Result<Proven>> check(Credentials credentials);
    Task<Result<sessions::Issued>> try_login(
        Credentials credentials, const Visitor& visitor, const audit::Origin& origin
    );
    std::optional<mail::Letter> notice_of(const Visitor& visitor, const users::User& user) const;
    Task<void> renew_hash(Proven& proven, std::string password);

    Task<Result<void>> try_request_verification(std::string email, const audit::Origin& origin);
    Task<Result<void>> try_confirm(std::string token, const audit::Origin& origin);
    Task<Result<void>> confirm_in(
        db::Transaction& transaction,
        const ShownToken& token,
        const audit::Entry& entry,
        cache::Epochs::Raised& raised
    );
    Task<Result<void>> try_request_reset(
        std::string email, const audit::Origin& origin, const AnswerCommit& commit
    );
    Task<Result<void>> try_reset(PasswordReset reset, const audit::Origin& origin);
    Task<Result<void>> try_change(std::int64_t user_id, PasswordChange change, const audit::Origin& origin);

    // A new password on its way into the database.
    struct NewPassword;

    Task<Result<sessions::Ended>> reset_in(
        db::Transaction& transaction, const ShownToken& token, const NewPassword& password
    );
    Task<Result<sessions::Ended>> change_in(
        db::Transaction& transaction, std::string_view current_hash, const NewPassword& password
    );
    Task<sessions::Ended> finish(db::Transaction& transaction, const NewPassword& password);
    void announce(const sessions::Ended& ended, const NewPassword& password);

    Deps deps_;
    Settings settings_;
    telemetry::RepositoryOperations operations_;
};

// Accounts that an operator makes for others.
class Accounts {
public:
    struct Deps {
        db::Database& database;
        rbac::Service& rbac;
        PasswordHasher& hasher;
        Clock& clock;
        audit::Service& audit;
    };

    explicit Accounts(Deps deps) : deps_(deps) {}

    // With a proven address: the operator vouches for it. The user's id. invalid_input.
    Task<Result<std::int64_t>> create(Registration registration, audit::Origin origin);

private:
    struct Made;

    Task<Result<Made>> create_in(
        db::Transaction& transaction,
        const Registration& registration,
        std::string_view password_hash,
        const audit::Origin& origin
    );

    Deps deps_;
};

// What the handlers count.
struct Instruments {
    explicit Instruments(telemetry::Registry& metrics);

    telemetry::Histogram duration;
    telemetry::Counter logins;
    telemetry::Counter refreshes;
    telemetry::Counter refresh_events;
    telemetry::Counter logouts;
    telemetry::Counter flows;
};

// What the handlers need beside the service.
struct Routes {
    Service& service;
    Oidc& oidc;
    audit::Service& audit;
    const http::CookiePolicy& cookies;
    const AbuseGuard& guard;
    Instruments instruments;
};

std::vector<http::Route> routes(Routes& handlers);

// Of signing in with providers.
std::vector<http::Route> oidc_routes(Routes& handlers);

// What the handlers do once they have read a body, for other front doors such as pages with forms: the abuse
// guard, the events on record and the metrics are the same. Errors are those of Service, and rate_limited.
Task<Result<sessions::Issued>> log_in(
    Routes& handlers, http::RequestContext& ctx, Credentials credentials, AbuseGuard::Attempt attempt
);
Task<Result<Registered>> sign_up(Routes& handlers, http::RequestContext& ctx, Registration registration);
Task<Result<sessions::Issued>> renew(Routes& handlers, http::RequestContext& ctx);
Task<Result<void>> ask_for_verification(Routes& handlers, http::RequestContext& ctx, std::string email);
Task<Result<void>> confirm_address(Routes& handlers, http::RequestContext& ctx, std::string token);
Task<Result<void>> ask_for_reset(Routes& handlers, http::RequestContext& ctx, std::string email);
Task<Result<void>> set_password(Routes& handlers, http::RequestContext& ctx, PasswordReset reset);

}  // namespace kit::auth
