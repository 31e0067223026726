// Proving who one is: local accounts with a password.
#pragma once

#include "modules/audit/audit.hpp"
#include "modules/rbac/rbac.hpp"
#include "modules/sessions/sessions.hpp"
#include "modules/users/users.hpp"
#include "platform/core/clock.hpp"
#include "platform/core/error.hpp"
#include "platform/core/task.hpp"
#include "platform/telemetry/metrics.hpp"
#include "platform/telemetry/repository_operations.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kit {
class PasswordHasher;
}  // namespace kit

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

// An address as it is stored and compared: trimmed, ASCII lower-cased.
std::string normalise_email(std::string_view email);

// A bare addr-spec, RFC 5322 section 3.4.1, without comments or folding white space; non-ASCII as RFC 6532
// allows. No display name, no angle brackets.
bool is_address(std::string_view email);

struct Credential {
    std::int64_t user_id = 0;
    std::string password_hash;
    bool email_verified = false;
};

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
    static Task<void> update_hash(
        db::Session& session, std::int64_t user_id, std::string_view password_hash, Timestamp now
    );

    // Marks the address of a local account as verified; false where there is no such account.
    static Task<bool> verify_email(db::Session& session, std::string_view email, Timestamp now);
};

// The kinds of event that begin with a request's body.
inline constexpr audit::Kind registration_event{"auth.local.register", "register"};
inline constexpr audit::Kind login_event{"auth.local.login", "login"};

// How a failure of one kind is recorded.
struct Refusal {
    audit::Kind kind;
    std::string_view reason;
};

// A failure of somebody who is not known yet.
audit::Event refused(const Refusal& refusal, std::string_view error);

struct Settings {
    bool local_enabled = true;
    bool require_email_verification = false;
};

// A registration's outcome: with a session, or waiting for the address to be verified.
struct Registered {
    users::User user;
    std::optional<sessions::Issued> issued;
    cache::Epochs::Raised raised;
};

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
    };

    Service(Deps deps, Settings settings) : deps_(deps), settings_(settings), operations_(deps.metrics) {}

    // not_enabled, invalid_input (malformed or taken address, blank name, weak password).
    Task<Result<Registered>> register_account(
        Registration registration, sessions::Device device, audit::Origin origin
    );

    // not_enabled, unauthenticated (one text for every reason), email_unverified (the password was right).
    Task<Result<sessions::Issued>> login(
        Credentials credentials, sessions::Device device, audit::Origin origin
    );

    sessions::Service& sessions() { return deps_.sessions; }

private:
    struct Account {
        std::string email;
        std::string name;
        std::string password_hash;
        sessions::Device device;
    };

    Task<Result<Registered>> try_register(
        Registration registration, sessions::Device device, const audit::Origin& origin
    );
    Task<Result<Registered>> create_account(
        db::Transaction& transaction,
        const Account& account,
        const audit::Origin& origin,
        std::optional<audit::Entry>& entry
    );
    Task<Result<users::User>> check(Credentials credentials);
    Task<Result<sessions::Issued>> try_login(
        Credentials credentials, sessions::Device device, const audit::Origin& origin
    );
    template <class T>
    Task<Result<T>> on_record(const Refusal& refusal, const audit::Origin& origin, Task<Result<T>> attempt);

    Task<void> renew_hash(std::int64_t user_id, std::string password);

    Deps deps_;
    Settings settings_;
    telemetry::RepositoryOperations operations_;
};

// What the handlers count.
struct Instruments {
    explicit Instruments(telemetry::Registry& metrics);

    telemetry::Histogram duration;
    telemetry::Counter logins;
    telemetry::Counter refreshes;
    telemetry::Counter refresh_events;
    telemetry::Counter logouts;
};

// What the handlers need beside the service.
struct Routes {
    Service& service;
    audit::Service& audit;
    const http::CookiePolicy& cookies;
    Instruments instruments;
};

std::vector<http::Route> routes(Routes& handlers);

}  // namespace kit::auth
