#include "app/app.hpp"

#include "platform/config/secrets.hpp"
#include "platform/core/block_on.hpp"
#include "platform/db/migrations.hpp"
#include "platform/db/open.hpp"

#include <fmt/format.h>

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

}  // namespace

std::size_t worker_count(const config::Config& config)
{
    if (config.http.workers > 0) {
        return static_cast<std::size_t>(config.http.workers);
    }
    return std::max(1U, std::thread::hardware_concurrency());
}

rbac::BootstrapAdmin bootstrap_admin(const config::Config& config)
{
    return {.email = config.auth.bootstrap_admin_email, .verified_only = !config.local_like()};
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
    : config_(config), environment_(environment), workers_(worker_count(config))
{
    workers_.start();
    database_ = open_database(config_, workers_, environment_.clock);
    product_ = std::make_unique<Product>(config_, environment_, *database_);
    if (config_.database.auto_migrate) {
        migrate_and_seed();
    }
    // Before the first request: a restart must not revive the access tokens of ended sessions.
    block_on(workers_.executor(0), product_->sessions().learn_revocations());
    admin_claim_ = block_on(workers_.executor(0), product_->rbac().issue_admin_claim());
}

App::~App()
{
    stop();
}

void App::migrate_and_seed()
{
    const auto applied = block_on(
        workers_.executor(0),
        db::migrate_up(*database_, db::embedded_migrations(database_->engine()), environment_.clock.now())
    );
    for (const auto& name : applied) {
        environment_.logger.info("migration applied", {{"name", name}});
    }
    const auto seeded = block_on(workers_.executor(0), product_->rbac().seed());
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
    background_->spawn(
        workers_.executor(0), "sessions.follow_revocations", product_->sessions().follow_revocations()
    );
    background_->spawn(workers_.executor(0), "audit.keep", product_->audit().keep());
    server_->start();
    product_->health().listening();
    environment_.logger.info(
        "server starting", {{"addr", fmt::format("{}:{}", config_.http.bind, server_->port())}}
    );
}

std::uint16_t App::port() const
{
    return server_->port();
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
    if (background_) {
        background_->stop();
        write_last_events();
    }
    if (database_) {
        database_->close();
    }
    workers_.stop();
    background_.reset();
    server_.reset();
    product_.reset();
    database_.reset();
}

}  // namespace kit::app
