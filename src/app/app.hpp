// The composition root: every part of the process, made in the order in which the parts need each other.
#pragma once

#include "app/admin.hpp"
#include "app/startup_metrics.hpp"
#include "modules/audit/audit.hpp"
#include "modules/auth/auth.hpp"
#include "modules/flags/flags.hpp"
#include "modules/health/health.hpp"
#include "modules/products/products.hpp"
#include "modules/rbac/rbac.hpp"
#include "modules/sessions/sessions.hpp"
#include "modules/users/users.hpp"
#include "platform/config/config.hpp"
#include "platform/core/background.hpp"
#include "platform/core/clock.hpp"
#include "platform/core/workers.hpp"
#include "platform/crypto/password.hpp"
#include "platform/db/database.hpp"
#include "platform/http/cookies.hpp"
#include "platform/http/pipeline.hpp"
#include "platform/http/route.hpp"
#include "platform/http/server.hpp"
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
};

// The product without its listener: enough for tests to send requests through the real chain in process.
class Product {
public:
    Product(const config::Config& config, Environment environment, db::Database& database);

    http::Pipeline& pipeline() { return *pipeline_; }

    health::Service& health() { return health_; }

    audit::Service& audit() { return audit_; }

    rbac::Service& rbac() { return rbac_; }

    sessions::Service& sessions() { return sessions_; }

    cache::Epochs& epochs() { return epochs_; }

private:
    http::CookiePolicy cookies_;
    PasswordHasher hasher_;
    audit::Service audit_;
    cache::Epochs epochs_;
    users::Service users_;
    rbac::Service rbac_;
    sessions::Service sessions_;
    auth::Service auth_;
    auth::Routes auth_routes_;
    flags::Service flags_;
    products::Service products_;
    health::Service health_;
    std::unique_ptr<http::Pipeline> pipeline_;
    telemetry::Registry::Observation password_queue_;
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
    std::unique_ptr<Product> product_;
    std::optional<std::string> admin_claim_;
    std::unique_ptr<http::Server> server_;
    Admin admin_;
    std::unique_ptr<http::Server> admin_server_;
    std::unique_ptr<Background> background_;
};

// The database that the settings name, and the number of workers.
std::unique_ptr<db::Database> open_database(const config::Config& config, Workers& workers, Clock& clock);
std::size_t worker_count(const config::Config& config);
cache::ListCache::Options list_cache(const config::Config& config);
rbac::Service::Settings rbac_settings(const config::Config& config);

// The rows of all modules, in the order of the contract: the map of the product. src/app/routes.cpp.
struct Services {
    health::Service& health;
    audit::Service& audit;
    users::Service& users;
    rbac::Service& rbac;
    auth::Routes& auth;
    flags::Service& flags;
    products::Service& products;
};

std::vector<http::Route> route_table(const Services& services);

// Where even what does not exist is for signed-in users only.
std::vector<http::Subtree> guarded_subtrees();

// The same rows for those who only read them: their handlers must not be called.
std::vector<http::Route> documented_routes();

}  // namespace kit::app
