#include "app/app.hpp"
#include "app/caller.hpp"
#include "app/guards.hpp"
#include "app/protection.hpp"

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
        .workers = worker_count(config),
        .load =
            {.concurrency_min = config.http_limits.concurrency_min,
             .concurrency_max = config.http_limits.concurrency_max},
    };
    for (const auto& range : config.http.trusted_proxies) {
        // Checked when the settings were read.
        options.trusted_proxies.push_back(http::AddressRange::parse(range).value());
    }
    return options;
}

std::unique_ptr<idempotency::Store> idempotency_store(
    const config::Config& config, db::Database& database, redis::Client* redis, Clock& clock
)
{
    const auto& settings = config.idempotency;
    if (!settings.enabled) {
        return nullptr;
    }
    const idempotency::Times times{.lease = settings.lease, .ttl = settings.ttl};
    if (redis == nullptr || !settings.redis_enabled) {
        return idempotency::database_store(database, clock, times);
    }
    const auto prefix = settings.redis_prefix.empty() ? "" : settings.redis_prefix + ':';
    return idempotency::redis_store(*redis, config.redis.key_namespace + ':' + prefix, times);
}

// What a request may need.
std::vector<health::Check> health_checks(db::Database& database, redis::Client* redis)
{
    std::vector<health::Check> checks{{"db", [&database] { return database.ping(); }}};
    if (redis != nullptr) {
        checks.push_back({"redis", [redis] { return redis->ping(); }});
    }
    return checks;
}

}  // namespace

Product::Product(
    const config::Config& config, Environment environment, db::Database& database, redis::Client* redis
)
    : cookies_(cookie_policy(config.cookies)),
      hasher_(hasher_options(config.auth), environment.random),
      audit_(
          {.database = database, .clock = environment.clock, .logger = environment.logger},
          config.audit.retention
      ),
      users_(database, environment.metrics),
      rbac_(
          {.database = database, .clock = environment.clock, .random = environment.random, .audit = audit_},
          bootstrap_admin(config)
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
      bypass_(bypass_options(config.bypass), environment.metrics),
      limiter_(
          {.clock = environment.clock,
           .random = environment.random,
           .logger = environment.logger,
           .metrics = environment.metrics,
           .bypass = bypass_,
           .redis = config.rate_limits.redis_enabled ? redis : nullptr,
           .subject =
               [this](http::RequestContext& ctx) {
                   const auto& caller = caller_of(ctx, sessions_);
                   return caller ? std::optional(caller->user_id) : std::nullopt;
               }},
          limiter_options(config),
          limit_rates(config.rate_limits)
      ),
      origins_({.allowed = config.http.cors_allowed_origins, .cookie_domain = config.cookies.domain}),
      cooldowns_(open_cooldowns(config, redis)),
      devices_(config.tokens.refresh_secret.reveal(), environment.random),
      abuse_guard_(
          {.cooldowns = cooldowns_.get(),
           .bypass = bypass_,
           .devices = devices_,
           .clock = environment.clock,
           .metrics = environment.metrics,
           .audit = audit_}
      ),
      auth_routes_{
          .service = auth_,
          .audit = audit_,
          .cookies = cookies_,
          .guard = abuse_guard_,
          .instruments = auth::Instruments(environment.metrics)
      },
      health_(
          health_checks(database, redis),
          environment.clock,
          environment.metrics,
          {.probe_timeout = config.health.probe_timeout, .start_grace = config.health.start_grace}
      ),
      idempotency_store_(idempotency_store(config, database, redis, environment.clock)),
      fingerprints_(config.tokens.refresh_secret.reveal()),
      idempotency_sweeper_(
          {.database = database,
           .clock = environment.clock,
           .logger = environment.logger,
           .metrics = environment.metrics},
          {.interval = config.idempotency.cleanup_interval,
           .batch_rows_max = config.idempotency.cleanup_batch_size}
      ),
      password_queue_(environment.metrics.observe(queue_length, {"password_hash"}, [this] {
          return static_cast<double>(hasher_.queued());
      }))
{
    const Idempotency idempotent{
        .store = idempotency_store_.get(),
        .fingerprints = fingerprints_,
        .strict = config.idempotency.strict,
        .random = environment.random,
        .audit = audit_,
        .logger = environment.logger,
        .metrics = environment.metrics
    };
    http::Router router(
        route_table({.health = health_, .audit = audit_, .users = users_, .rbac = rbac_, .auth = auth_routes_}
        ),
        bind_guards(
            {.sessions = sessions_,
             .rbac = rbac_,
             .idempotency = idempotent,
             .limiter = limiter_,
             .origins = origins_,
             .logger = environment.logger,
             .metrics = environment.metrics}
        )
    );
    pipeline_ = std::make_unique<http::Pipeline>(
        std::move(router),
        pipeline_options(config),
        http::Pipeline::Deps{
            .clock = environment.clock,
            .random = environment.random,
            .logger = environment.logger,
            .metrics = environment.metrics,
            .admission = limiter_
        }
    );
}

}  // namespace kit::app
