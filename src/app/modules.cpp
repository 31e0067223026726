#include "app/app.hpp"
#include "app/guards.hpp"

#include <array>
#include <unistd.h>

namespace kit::app {

namespace {

constexpr telemetry::Instrument queue_length{
    .name = "pool.queue.length",
    .kind = telemetry::InstrumentKind::gauge,
    .unit = "{job}",
    .description = "Jobs that wait for a thread of a pool.",
    .attributes = {"pool"},
};

http::SameSite same_site(config::SameSite setting)
{
    switch (setting) {
        case config::SameSite::lax:
            return http::SameSite::lax;
        case config::SameSite::strict:
            return http::SameSite::strict;
        case config::SameSite::none:
            return http::SameSite::none;
    }
    std::unreachable();
}

http::CookiePolicy cookie_policy(const config::CookieConfig& config)
{
    return {.domain = config.domain, .secure = config.secure, .same_site = same_site(config.same_site)};
}

PasswordHasher::Options hasher_options(const config::AuthConfig& config)
{
    PasswordHasher::Options options;
    if (config.password_hash_workers > 0) {
        options.threads_max = static_cast<std::size_t>(config.password_hash_workers);
    }
    options.queue_max = config.password_hash_queue_max;
    return options;
}

sessions::TokenSettings token_settings(const config::TokenConfig& config)
{
    return {
        .issuer = config.issuer,
        .audience = config.audience,
        .access_secret = std::string(config.access_secret.reveal()),
        .refresh_secret = std::string(config.refresh_secret.reveal()),
        .refresh_pepper = std::string(config.refresh_pepper.reveal()),
        .access_ttl = config.access_ttl,
        .refresh_ttl = config.refresh_ttl,
        .refresh_grace = config.refresh_grace,
    };
}

std::string host_name()
{
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0) {
        return "localhost";
    }
    return name.data();
}

// With traces off, requests still belong to one while metrics are on; none is sampled.
std::optional<double> sampling_ratio(const config::TelemetryConfig& config)
{
    if (config.tracing_enabled) {
        return config.sampling_ratio;
    }
    return config.metrics_enabled ? std::optional(0.0) : std::nullopt;
}

http::PipelineOptions pipeline_options(const config::Config& config)
{
    http::PipelineOptions options{
        .cors_allowed_origins = config.http.cors_allowed_origins,
        .trusted_proxies = {},
        .body_bytes_max = config.http_limits.body_bytes_max,
        .hostname = host_name(),
        .sampling_ratio = sampling_ratio(config.telemetry),
    };
    for (const auto& range : config.http.trusted_proxies) {
        // Checked when the settings were read.
        options.trusted_proxies.push_back(http::AddressRange::parse(range).value());
    }
    return options;
}

}  // namespace

Product::Product(const config::Config& config, Environment environment, db::Database& database)
    : cookies_(cookie_policy(config.cookies)),
      hasher_(hasher_options(config.auth), environment.random),
      audit_(
          {.database = database, .clock = environment.clock, .logger = environment.logger},
          config.audit.retention
      ),
      epochs_(database, environment.clock),
      users_(
          {.database = database, .clock = environment.clock, .metrics = environment.metrics, .epochs = epochs_
          },
          list_cache(config)
      ),
      rbac_(
          {.database = database,
           .clock = environment.clock,
           .random = environment.random,
           .metrics = environment.metrics,
           .audit = audit_,
           .epochs = epochs_,
           .users = users_},
          rbac_settings(config)
      ),
      sessions_(
          {.database = database,
           .clock = environment.clock,
           .random = environment.random,
           .metrics = environment.metrics,
           .audit = audit_},
          token_settings(config.tokens)
      ),
      auth_(
          {.database = database,
           .rbac = rbac_,
           .sessions = sessions_,
           .hasher = hasher_,
           .clock = environment.clock,
           .metrics = environment.metrics,
           .audit = audit_},
          {.local_enabled = config.auth.local_enabled,
           .require_email_verification = config.auth.require_email_verification}
      ),
      auth_routes_{
          .service = auth_,
          .audit = audit_,
          .cookies = cookies_,
          .instruments = auth::Instruments(environment.metrics)
      },
      flags_(
          {.database = database,
           .clock = environment.clock,
           .metrics = environment.metrics,
           .audit = audit_,
           .epochs = epochs_,
           .rbac = rbac_}
      ),
      products_(
          {.database = database, .clock = environment.clock, .metrics = environment.metrics, .audit = audit_}
      ),
      health_(
          {{"db", [&database] { return database.ping(); }}},
          environment.clock,
          environment.metrics,
          {.probe_timeout = config.health.probe_timeout, .start_grace = config.health.start_grace}
      ),
      password_queue_(environment.metrics.observe(queue_length, {"password_hash"}, [this] {
          return static_cast<double>(hasher_.queued());
      }))
{
    http::Router router(
        route_table(
            {.health = health_,
             .audit = audit_,
             .users = users_,
             .rbac = rbac_,
             .auth = auth_routes_,
             .flags = flags_, .products = products_}
        ),
        bind_guards(sessions_, rbac_, environment.logger, environment.metrics),
        guarded_subtrees()
    );
    pipeline_ = std::make_unique<http::Pipeline>(
        std::move(router),
        pipeline_options(config),
        http::Pipeline::Deps{
            .clock = environment.clock,
            .random = environment.random,
            .logger = environment.logger,
            .metrics = environment.metrics
        }
    );
}

}  // namespace kit::app
