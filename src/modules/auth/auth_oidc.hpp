// Signing in with an account somewhere else: Google and any other provider of OpenID Connect (docs/oidc.md).
#pragma once

#include "modules/audit/audit.hpp"
#include "modules/rbac/rbac.hpp"
#include "modules/sessions/sessions.hpp"
#include "modules/users/users.hpp"
#include "platform/core/clock.hpp"
#include "platform/core/error.hpp"
#include "platform/core/task.hpp"
#include "platform/telemetry/metrics.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kit::db {
class Database;
class Transaction;
}  // namespace kit::db

namespace kit::mail {
class Outbox;
}  // namespace kit::mail

namespace kit::outbound {
class Sender;
}  // namespace kit::outbound

namespace kit::telemetry {
class Logger;
}  // namespace kit::telemetry

namespace kit::auth {

struct Claims;
struct ProviderFault;

// A provider that is on, for those who show it to people. A browser begins with a GET of `login_path`. The
// callback then answers as the contract says, with JSON; with `?return_to=/a/path` at the login, it leads the
// browser to that path of ours instead: signed in, or else with `error=` in its query (`oauth_failed`,
// `invalid_state`, `access_denied`, `not_enabled`, `unavailable`).
struct Provider {
    std::string name;   // "google"
    std::string label;  // "Google"
    std::string login_path;
};

// Where a provider is spoken to.
struct ProviderEndpoints {
    std::string authorization;  // one that begins with '/' is ours
    std::string token;
    std::string userinfo;  // empty: there is none
    std::string keys;
};

struct ProviderSettings {
    std::string name;  // as routes, rows, events and metrics know it
    std::string label;
    bool enabled = true;
    std::string issuer;
    std::string issuer_alias{};  // another spelling that its tokens may have; empty: none
    std::string client_id;
    std::string client_secret;
    std::string redirect_url;                      // our callback; empty: at the origin that was asked
    std::optional<ProviderEndpoints> endpoints{};  // unset: by discovery at the issuer
    std::vector<std::pair<std::string, std::string>> login_parameters{};  // beside those of the protocol
    bool secret_in_body = false;    // at the token endpoint; false: HTTP Basic, unless it takes none
    bool loopback_allowed = false;  // plain http to this machine, for development
    outbound::Sender* sender = nullptr;

    bool is_google() const { return name == "google"; }

    std::string path(std::string_view step) const;  // of our routes: "login" or "callback"
};

// How somebody arrives at the callback.
struct Arrival {
    std::string state;
    std::string code;
    std::string issuer;        // RFC 9207; empty: not said
    std::string error;         // why the provider sent no code; empty: it did
    std::string state_cookie;  // empty: none
    std::string origin;        // that the browser asked, such as "http://localhost:8080"
};

// What a sign-in does with an arrival, for those who count and set cookies.
struct Landing {
    bool state_known = false;  // the browser has begun this sign-in: its cookie has served
    bool not_counted = false;  // as a try to sign in
    std::string_view error{};  // as the page that is returned to learns it
};

class Oidc {
public:
    struct Deps {
        db::Database& database;
        users::Service& users;
        rbac::Service& rbac;
        sessions::Service& sessions;
        mail::Outbox& outbox;
        Clock& clock;
        Random& random;
        telemetry::Logger& logger;
        telemetry::Registry& metrics;
        audit::Service& audit;
    };

    struct Settings {
        std::string state_secret;
        std::string product;  // what people know the service by
        // Whether an address counts as its account's owner's where nobody had to verify it: in local-like
        // profiles.
        bool unproven_addresses_count = false;
    };

    static constexpr std::chrono::seconds state_life{300};
    static constexpr std::chrono::minutes purge_interval{10};
    static constexpr std::int64_t purge_rows_max = 500;

    Oidc(Deps deps, Settings settings, std::vector<ProviderSettings> providers);
    Oidc(const Oidc&) = delete;
    Oidc& operator=(const Oidc&) = delete;
    ~Oidc();

    // Those that are on, Google first.
    std::vector<Provider> sign_in_providers() const;

    // One that is on or off; null where there is none of that name.
    const ProviderSettings* find(std::string_view name) const;

    struct Departure {
        std::string location;      // where the browser goes
        std::string state_cookie;  // what it brings back
    };

    // not_enabled; unavailable where the provider has to be asked first, and cannot be.
    Task<Result<Departure>> begin(std::string name, std::string origin, audit::Origin caller);

    // Who signs in: from which device, and whether that is new to the account with this address.
    struct Visitor {
        sessions::Device device;
        std::function<bool(const std::string& email)> on_new_device;
    };

    // invalid_input (no code), unauthenticated (state; or OAUTH_FAILED), not_enabled.
    Task<Result<sessions::Issued>> finish(
        std::string name, Arrival arrival, Visitor visitor, audit::Origin caller, Landing& landing
    );

    // Forgets the states that are too old to be used again, batch after batch. Returns how many.
    Task<std::int64_t> purge();

    // Does so every `purge_interval` until it is cancelled.
    Task<void> keep_purged();

private:
    struct Party;   // a provider, with the client that speaks to it
    struct Person;  // whom a provider has vouched for
    struct Linking;
    struct Linked;
    struct Kept;  // what is made once

    const Party& party(std::string_view name) const;
    Task<Result<sessions::Issued>> sign_in(
        const Party& party, Arrival arrival, const Visitor& visitor, const audit::Origin& caller
    );
    Task<Result<Person>> vouched(const Party& party, Arrival arrival);
    Result<Person> person_of(const Party& party, Claims claims) const;
    std::unexpected<Error> refuse(const Party& party, const ProviderFault& fault) const;
    Task<Result<Linked>> link(const Party& party, const Person& person, const audit::Origin& caller);
    Task<Result<Linked>> link_in(db::Transaction& transaction, const Linking& linking);
    Task<Result<std::int64_t>> attach(db::Transaction& transaction, const Linking& linking, Linked& linked);
    Task<Result<std::int64_t>> create(db::Transaction& transaction, const Linking& linking, Linked& linked);
    Task<void> adopt(
        db::Transaction& transaction, const Linking& linking, std::int64_t user_id, Linked& linked
    );
    Task<void> follow(db::Transaction& transaction, const Linking& linking, Linked& linked);

    Deps deps_;
    Settings settings_;
    std::unique_ptr<const Kept> kept_;
};

}  // namespace kit::auth
