// The composition root: every part of the process, made in the order in which the parts need each other.
#pragma once

#include "app/admin.hpp"
#include "app/dev_idp.hpp"
#include "app/dev_mailbox.hpp"
#include "app/files.hpp"
#include "app/protection.hpp"
#include "app/reference.hpp"
#include "app/startup_metrics.hpp"
#include "modules/audit/audit.hpp"
#include "modules/auth/auth.hpp"
#include "modules/avatars/avatars.hpp"
#include "modules/flags/flags.hpp"
#include "modules/health/health.hpp"
#include "modules/keys/keys.hpp"
#include "modules/pages/pages.hpp"
#include "modules/products/products.hpp"
#include "modules/rbac/rbac.hpp"
#include "modules/sessions/sessions.hpp"
#include "modules/users/users.hpp"
#include "platform/blob/blob.hpp"
#include "platform/config/config.hpp"
#include "platform/core/background.hpp"
#include "platform/core/clock.hpp"
#include "platform/core/workers.hpp"
#include "platform/crypto/password.hpp"
#include "platform/db/database.hpp"
#include "platform/http/cookies.hpp"
#include "platform/http/page_tokens.hpp"
#include "platform/http/pipeline.hpp"
#include "platform/http/request_origin.hpp"
#include "platform/http/route.hpp"
#include "platform/http/server.hpp"
#include "platform/idempotency/idempotency.hpp"
#include "platform/limits/bypass.hpp"
#include "platform/limits/cooldown.hpp"
#include "platform/limits/limiter.hpp"
#include "platform/mail/dispatcher.hpp"
#include "platform/mail/mail.hpp"
#include "platform/outbound/http_client.hpp"
#include "platform/redis/redis.hpp"
#include "platform/telemetry/logger.hpp"
#include "platform/telemetry/metrics.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace kit::app {

// What everything stands on and tests replace.
struct Environment {
    Clock& clock;
    Random& random;
    telemetry::Logger& logger;
    telemetry::Registry& metrics;
    telemetry::Recorder* recorder = nullptr;  // of spans and log lines; null: they are not kept
};

// The product without its listener: enough for tests to send requests through the real chain in process.
class Product {
public:
    // Without `redis`, every part counts and caches in this process.
    Product(
        const config::Config& config,
        Environment environment,
        db::Database& database,
        redis::Client* redis = nullptr
    );

    http::Pipeline& pipeline() { return *pipeline_; }

    health::Service& health() { return health_; }

    audit::Service& audit() { return audit_; }

    rbac::Service& rbac() { return rbac_; }

    pages::Routes* pages() { return pages_ ? &*pages_ : nullptr; }  // null: switched off

    keys::Service* keys() { return keys_.get(); }  // null: HS256

    sessions::Service& sessions() { return sessions_; }

    users::Service& users() { return users_; }

    mail::Outbox& outbox() { return outbox_; }

    mail::Dispatcher& dispatcher() { return dispatcher_; }

    auth::Links& links() { return links_; }

    auth::Oidc& oidc() { return oidc_; }

    limits::Limiter& limiter() { return limiter_; }

    idempotency::Sweeper& idempotency_sweeper() { return idempotency_sweeper_; }

    cache::Epochs& epochs() { return epochs_; }

    avatars::Service& avatars() { return avatars_; }

    const Reference& reference() const { return reference_; }

private:
    void observe(telemetry::Registry& metrics, const db::Database& database);

    http::CookiePolicy cookies_;
    PasswordHasher hasher_;
    mail::Outbox outbox_;
    mail::Dispatcher dispatcher_;
    std::optional<DevMailboxPage> mailbox_;
    audit::Service audit_;
    http::PageTokens page_tokens_;
    cache::Epochs epochs_;
    SharedCopies copies_;
    users::Service users_;
    rbac::Service rbac_;
    std::unique_ptr<keys::Service> keys_;  // null: HS256
    keys::Routes key_routes_;
    sessions::Service sessions_;
    sessions::Routes session_routes_;
    auth::Links links_;
    auth::Service auth_;
    outbound::HttpClient provider_calls_;  // of its own: providers that are slow hold up nobody else's calls
    std::optional<DevIdp> dev_idp_;        // in Google's place
    auth::Oidc oidc_;
    limits::Bypass bypass_;
    limits::Limiter limiter_;
    http::RequestOrigins origins_;
    std::unique_ptr<limits::Cooldowns> cooldowns_;  // null: no abuse guard
    auth::DeviceCookies devices_;
    auth::AbuseGuard abuse_guard_;
    auth::Routes auth_routes_;
    std::optional<pages::Routes> pages_;
    flags::Service flags_;
    products::Service products_;
    std::unique_ptr<blob::Folder> folder_;  // null: the objects are in a store elsewhere
    std::unique_ptr<blob::Store> store_;    // null: in the folder
    std::optional<Files> files_;
    avatars::Service avatars_;
    health::Service health_;
    std::unique_ptr<idempotency::Store> idempotency_store_;  // null: switched off
    idempotency::Fingerprints fingerprints_;
    idempotency::Sweeper idempotency_sweeper_;
    Reference reference_;
    std::unique_ptr<http::Pipeline> pipeline_;
    std::vector<telemetry::Registry::Observation> observations_;
};

// The whole server. Constructed, it is connected, migrated and seeded; started, it listens; stopped, it has
// drained.
class App {
public:
    // Throws Unavailable where the database cannot be reached, QueryFailed where it lacks the schema and may
    // not be migrated.
    App(const config::Config& config, Environment environment);
    App(const App&) = delete;
    App& operator=(const App&) = delete;
    ~App();

    // Throws Unavailable where a port is taken; the admin listener does without its default one.
    void start();

    std::uint16_t port() const;

    // The token of the link that makes its visitor the first administrator; nothing where there is an
    // administrator.
    const std::optional<std::string>& admin_claim() const { return admin_claim_; }

    // Takes the limits from settings that were read again; everything else waits for a restart.
    void reload(const config::Config& config);

    // Not ready any more, but serving on: what a load balancer needs time to notice.
    void announce_stop();

    // Finishes what runs and ends everything, in the reverse order of the start.
    void stop();

private:
    void migrate_and_seed();
    void open_admin_listener();
    void write_last_events();

    config::Config config_;
    Environment environment_;
    Workers workers_;
    StartupMetrics startup_;
    telemetry::Registry::Observation dropped_lines_;
    std::unique_ptr<db::Database> database_;
    std::unique_ptr<redis::Client> redis_;  // null: not used
    std::unique_ptr<Product> product_;
    std::optional<std::string> admin_claim_;
    std::unique_ptr<http::Server> server_;
    std::unique_ptr<Admin> admin_;
    std::unique_ptr<http::Server> admin_server_;
    std::unique_ptr<Background> background_;
};

// The database that the settings name, and the number of workers.
std::unique_ptr<db::Database> open_database(const config::Config& config, Workers& workers, Clock& clock);
std::size_t worker_count(const config::Config& config);
cache::ListCache::Options list_cache(const config::Config& config);
rbac::Service::Settings rbac_settings(const config::Config& config);
std::optional<keys::Settings> key_settings(const config::Config& config);  // nothing: HS256

// The rows of all modules, in the order of the contract: the map of the product. src/app/routes.cpp.
struct Services {
    health::Service& health;
    audit::Service& audit;
    users::Service& users;
    rbac::Service& rbac;
    sessions::Routes& sessions;
    auth::Routes& auth;
    keys::Routes& keys;
    flags::Service& flags;
    products::Service& products;
    const http::PageTokens& page_tokens;
    avatars::Service& avatars;
    Files* files;          // null: stored objects are served elsewhere
    pages::Routes* pages;  // null: switched off
    Reference& reference;
    DevMailboxPage* mailbox;  // null: there is none
    DevIdp* dev_idp;          // likewise
};

std::vector<http::Route> route_table(const Services& services);

// Where even what does not exist is for signed-in users only.
std::vector<http::Subtree> guarded_subtrees();

// The same rows for those who only read them: their handlers must not be called.
std::vector<http::Route> documented_routes();

// The OpenAPI document of those rows.
std::string documented_api();

}  // namespace kit::app
