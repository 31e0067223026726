#include "app/app.hpp"

#include "app/protection.hpp"
#include "platform/config/secrets.hpp"
#include "platform/core/block_on.hpp"
#include "platform/crypto/signature_key.hpp"
#include "platform/db/migrations.hpp"
#include "platform/db/open.hpp"

#include <fmt/format.h>

#include <charconv>
#include <thread>

namespace kit::app {

namespace {

http::ServerOptions server_options(const config::Config& config)
{
    const auto& limits = config.http_limits;
    return {
        .address = config.http.bind,
        .port = config.http.port,
        .limits =
            {
                .request_line_bytes_max = limits.request_line_bytes_max,
                .header_bytes_max = limits.header_bytes_max,
                .header_fields_max = limits.header_fields_max,
                .body_bytes_max = limits.body_bytes_max,
                .chunk_extension_bytes_max = limits.chunk_extension_bytes_max,
                .header_time_max = limits.header_time_max,
                .body_bytes_per_second_min = limits.body_bytes_per_second_min,
                .idle_time_max = limits.idle_time_max,
                .write_time_max = limits.write_time_max,
                .request_time_max = limits.request_time_max,
                .linger_time_max = limits.linger_time_max,
                .connections_max = limits.connections_max,
            },
    };
}

struct HostPort {
    std::string host;
    std::uint16_t port;
};

// "host:port" or "[v6]:port", as the settings were checked to be.
HostPort admin_address(const config::Config& config)
{
    const std::string_view text = config.http.admin_address;
    const auto colon = text.rfind(':');
    auto host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    }
    HostPort address{.host = host == "localhost" ? "127.0.0.1" : std::string(host), .port = 0};
    const auto port = text.substr(colon + 1);
    std::from_chars(port.data(), port.data() + port.size(), address.port);
    return address;
}

constexpr telemetry::Instrument dropped_telemetry{
    .name = "telemetry.dropped",
    .description = "Telemetry that a full buffer had no room for.",
    .attributes = {"signal"},
};

}  // namespace

std::size_t worker_count(const config::Config& config)
{
    if (config.http.workers > 0) {
        return static_cast<std::size_t>(config.http.workers);
    }
    return std::max(1U, std::thread::hardware_concurrency());
}

cache::ListCache::Options list_cache(const config::Config& config)
{
    return {.enabled = config.caches.admin_list_enabled, .ttl = config.caches.admin_list_ttl};
}

rbac::Service::Settings rbac_settings(const config::Config& config)
{
    return {
        .bootstrap =
            {.email = auth::normalise_email(config.auth.bootstrap_admin_email),
             .verified_only = !config.local_like()},
        .protected_roles = config.rbac.protected_roles,
        .protected_permissions = config.rbac.protected_permissions,
        .permission_cache_enabled = config.caches.permission_enabled,
        .permission_cache_ttl = config.caches.permission_ttl,
        .lists = list_cache(config),
        .negative =
            {.enabled = config.caches.negative_lookup_enabled, .ttl = config.caches.negative_lookup_ttl},
    };
}

std::optional<keys::Settings> key_settings(const config::Config& config)
{
    const auto& tokens = config.tokens;
    if (tokens.signing == config::JwtSigning::hs256) {
        return std::nullopt;
    }
    return keys::Settings{
        .algorithm = tokens.signing == config::JwtSigning::eddsa ? SignatureAlgorithm::eddsa
                                                                 : SignatureAlgorithm::es256,
        .secret = std::string(tokens.access_secret.reveal()),
        .rotation = tokens.key_rotation,
        .jwks_cache = tokens.jwks_cache,
        .access_ttl = tokens.access_ttl,
    };
}

std::unique_ptr<db::Database> open_database(const config::Config& config, Workers& workers, Clock& clock)
{
    const db::DatabaseOptions options{
        .query_time_max = config.database.query_time_max,
        .connections_per_worker_max = config.database.connections_per_worker_max,
        .reader_threads_max = config.database.reader_threads_max,
        .queue_max = config.database.queue_max,
        .synchronous_full = config.database.synchronous == config::SqliteSynchronous::full,
    };
    if (config.database.engine == config::Engine::sqlite && config.database.url.empty()) {
        if (const auto made = config::make_private_folder(config.process.data_dir); !made) {
            throw Unavailable(made.error().message);
        }
    }
    const auto url = config.database.engine == config::Engine::sqlite
                         ? "sqlite:" + config.database.sqlite_path.string()
                         : std::string(config.database.url.reveal());
    return db::open_database(url, workers, clock, options);
}

App::App(const config::Config& config, Environment environment)
    : config_(config),
      environment_(environment),
      workers_(worker_count(config)),
      startup_(environment.metrics, environment.clock),
      dropped_lines_(environment.metrics.observe(dropped_telemetry, {"logs"}, [environment] {
          return static_cast<double>(environment.logger.dropped());
      }))
{
    startup_.loaded(config_.process.environment);
    workers_.start();
    {
        StartupMetrics::Phase phase(startup_, "open");
        database_ = open_database(config_, workers_, environment_.clock);
        phase.succeed();
    }
    redis_ = open_redis(
        config_,
        {.workers = workers_,
         .clock = environment_.clock,
         .random = environment_.random,
         .logger = environment_.logger,
         .metrics = environment_.metrics}
    );
    product_ = std::make_unique<Product>(config_, environment_, *database_, redis_.get());
    if (config_.database.auto_migrate) {
        migrate_and_seed();
    }
    // Before the first request: tokens are signed and checked from then on.
    if (auto* keys = product_->keys()) {
        block_on(workers_.executor(0), keys->prepare());
    }
    // Before the first request: a restart must not revive the access tokens of ended sessions.
    block_on(workers_.executor(0), product_->sessions().learn_revocations());
    block_on(workers_.executor(0), product_->epochs().learn());
    admin_claim_ = block_on(workers_.executor(0), product_->rbac().issue_admin_claim());
}

App::~App()
{
    stop();
}

void App::migrate_and_seed()
{
    StartupMetrics::Phase migrating(startup_, "migrate");
    const auto applied = block_on(
        workers_.executor(0),
        db::migrate_up(*database_, db::embedded_migrations(database_->engine()), environment_.clock.now())
    );
    migrating.succeed();
    for (const auto& name : applied) {
        environment_.logger.info("migration applied", {{"name", name}});
    }
    StartupMetrics::Phase seeding(startup_, "seed");
    const auto seeded = block_on(workers_.executor(0), product_->rbac().seed());
    seeding.succeed();
    if (!seeded.noop()) {
        environment_.logger.info(
            "defaults seeded",
            {{"created_permissions", seeded.created_permissions},
             {"created_roles", seeded.created_roles},
             {"bound_permissions", seeded.bound_permissions}}
        );
    }
}

void App::start()
{
    open_admin_listener();
    server_ = std::make_unique<http::Server>(
        server_options(config_), workers_, environment_.clock, product_->pipeline()
    );
    background_ =
        std::make_unique<Background>([this](const std::string& name, const std::exception_ptr& failed) {
            try {
                std::rethrow_exception(failed);
            } catch (const std::exception& error) {
                environment_.logger.error(
                    "background task failed", {{"task", name}, {"error", error.what()}}
                );
            }
        });
    if (auto* keys = product_->keys()) {
        background_->spawn(workers_.executor(0), "keys.follow", keys->follow());
        background_->spawn(workers_.executor(0), "keys.hear", keys->hear());
    }
    background_->spawn(
        workers_.executor(0), "sessions.follow_revocations", product_->sessions().follow_revocations()
    );
    background_->spawn(
        workers_.executor(0), "sessions.hear_revocations", product_->sessions().hear_revocations()
    );
    background_->spawn(workers_.executor(0), "sessions.keep_purged", product_->sessions().keep_purged());
    background_->spawn(workers_.executor(0), "auth.serve_links", product_->links().serve());
    background_->spawn(workers_.executor(0), "auth.sweep_links", product_->links().sweep());
    background_->spawn(workers_.executor(0), "auth.purge_oauth_states", product_->oidc().keep_purged());
    product_->dispatcher().start(*background_, workers_.executor(0));
    background_->spawn(workers_.executor(0), "audit.keep", product_->audit().keep());
    background_->spawn(
        workers_.executor(0), "telemetry.windows", product_->pipeline().windows().keep(environment_.clock)
    );
    if (config_.idempotency.cleanup_enabled) {
        background_->spawn(
            workers_.executor(0), "idempotency.clean_up", product_->idempotency_sweeper().keep()
        );
    }
    background_->spawn(workers_.executor(0), "avatars.clean_up", product_->avatars().keep());
    background_->spawn(workers_.executor(0), "cache.follow_epochs", product_->epochs().follow());
    server_->start();
    product_->health().listening();
    environment_.logger.info(
        "server starting", {{"addr", fmt::format("{}:{}", config_.http.bind, server_->port())}}
    );
    if (admin_server_) {
        admin_server_->start();
        environment_.logger.info(
            "admin server starting",
            {{"addr", fmt::format("{}:{}", admin_address(config_).host, admin_server_->port())}}
        );
    }
}

void App::open_admin_listener()
{
    if (config_.http.admin_address == "off") {
        return;
    }
    const auto address = admin_address(config_);
    auto options = server_options(config_);
    options.address = address.host;
    options.port = address.port;
    admin_ = std::make_unique<Admin>(
        environment_.metrics,
        TelemetryViews::Sources{
            .recorder = environment_.recorder,
            .routes = product_->pipeline().windows(),
            .clock = environment_.clock
        }
    );
    try {
        admin_server_ =
            std::make_unique<http::Server>(std::move(options), workers_, environment_.clock, *admin_);
    } catch (const Unavailable& failed) {
        // Two servers on one machine are nothing unusual; whoever names an address means it.
        if (config_.given("ADMIN_HTTP_ADDR")) {
            throw;
        }
        environment_.logger.warn(
            "admin server not started", {{"error", failed.what()}, {"setting", "ADMIN_HTTP_ADDR"}}
        );
    }
}

std::uint16_t App::port() const
{
    return server_->port();
}

void App::reload(const config::Config& config)
{
    product_->limiter().set_rates(limit_rates(config.rate_limits));
}

void App::announce_stop()
{
    product_->health().stopping();
    server_->announce_close();
}

// What the last requests left to be written; nobody else writes any more.
void App::write_last_events()
{
    try {
        block_on(workers_.executor(0), product_->audit().flush());
        block_on(workers_.executor(0), product_->audit().seal());
    } catch (const std::exception& failed) {
        environment_.logger.error("audit rows lost", {{"error", failed.what()}});
    }
}

void App::stop()
{
    if (server_) {
        const auto cancelled = server_->drain(environment_.clock.steady_now() + config_.shutdown.http_drain);
        if (cancelled > 0) {
            environment_.logger.error(
                "failed to shutdown http server", {{"error", "requests were cancelled"}, {"count", cancelled}}
            );
        }
    }
    if (admin_server_) {
        admin_server_->drain(environment_.clock.steady_now() + config_.shutdown.http_drain);
    }
    if (background_) {
        product_->dispatcher().stop();
        background_->stop();
        write_last_events();
    }
    if (database_) {
        database_->close();
    }
    if (redis_) {
        redis_->close();
    }
    workers_.stop();
    background_.reset();
    server_.reset();
    admin_server_.reset();
    admin_.reset();
    product_.reset();
    redis_.reset();
    database_.reset();
}

}  // namespace kit::app
