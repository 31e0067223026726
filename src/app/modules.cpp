#include "app/app.hpp"
#include "app/caller.hpp"
#include "app/guards.hpp"
#include "app/protection.hpp"
#include "app/providers.hpp"

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

constexpr telemetry::Instrument connection_count{
    .name = "db.client.connection.count",
    .kind = telemetry::InstrumentKind::gauge,
    .unit = "{connection}",
    .description = "Connections to the database that are open.",
    .attributes = {"db.client.connection.state"},
};

constexpr telemetry::Instrument pending_requests{
    .name = "db.client.connection.pending_requests",
    .kind = telemetry::InstrumentKind::gauge,
    .unit = "{request}",
    .description = "Statements and transactions that wait for a connection.",
};

constexpr telemetry::Instrument open_event_streams{
    .name = "session.event_streams",
    .kind = telemetry::InstrumentKind::gauge,
    .unit = "{stream}",
    .description = "Browsers that wait for their session's end.",
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

// Mail sealed before the pepper changed is lost with it: links of minutes, and a new one is asked for
// quickly.
mail::OutboxOptions outbox_options(const config::Config& config)
{
    const auto at = config.mail.from.rfind('@');
    return {
        .message_domain = config.mail.from.substr(at + 1),
        .seals = !config.local_like(),
        .secret = std::string(config.tokens.refresh_pepper.reveal()),
        .age_max = config.mail.age_max,
    };
}

// What people know the service by.
std::string product_name(const config::Config& config)
{
    return config.mail.from_name.empty() ? config.telemetry.service_name : config.mail.from_name;
}

bool has_dev_mailbox(const config::Config& config)
{
    return config.local_like() && !config.mail.configured();
}

std::unique_ptr<mail::Transport> mail_transport(const config::Config& config)
{
    if (has_dev_mailbox(config)) {
        return std::make_unique<mail::DevMailbox>();
    }
    if (!config.mail.configured()) {
        return nullptr;
    }
    return std::make_unique<mail::SmtpTransport>(mail::SmtpTransport::Options{
        .server =
            {.url = std::string(config.mail.smtp_url.reveal()),
             .require_tls = config.mail.smtp_require_tls,
             .ca_file = config.mail.smtp_ca_file,
             .connect_time_max = config.mail.smtp_connect_timeout,
             .time_max = config.mail.smtp_timeout},
        .sender =
            {.address = config.mail.from, .name = product_name(config), .reply_to = config.mail.reply_to},
        .connections_max = config.mail.smtp_connections_max,
    });
}

mail::Dispatcher::Options dispatcher_options(const config::Config& config)
{
    return {
        .attempts_max = config.mail.attempts_max,
        // An attempt, and as long again to write down how it ended.
        .lease = 2 * (config.mail.smtp_timeout + std::chrono::seconds(1)),
        .retention = config.mail.retention,
    };
}

sessions::Lifetimes session_lifetimes(const config::SessionConfig& config)
{
    return {
        .absolute = config.absolute_ttl,
        .idle = config.idle_ttl,
        .purge_after = config.purge_after,
        .purge_interval = config.purge_interval,
        .purge_batch_rows = config.purge_batch_size,
    };
}

bool has_password_pages(const config::Config& config)
{
    return config.auth.hosted_pages && config.auth.local_enabled;
}

// The page that is named, else our own where it can be reached; blank: none.
std::string link_base(const config::Config& config, const std::string& named, std::string_view own)
{
    const bool ours = named.empty() && has_password_pages(config) && !config.http.public_url.empty();
    return ours ? config.http.public_url + std::string(own) : named;
}

std::unique_ptr<keys::Service> open_keys(const config::Config& config, const keys::Service::Deps& deps)
{
    auto settings = key_settings(config);
    return settings ? std::make_unique<keys::Service>(deps, std::move(*settings)) : nullptr;
}

auth::Links::Settings link_settings(const config::Config& config)
{
    const auto& auth = config.auth;
    return {
        .email_verify =
            {.base_url = link_base(config, auth.email_verify_base_url, pages::verify_path),
             .life = auth.email_verify_ttl},
        .password_reset =
            {.base_url = link_base(config, auth.password_reset_base_url, pages::reset_path),
             .life = auth.password_reset_ttl},
        .product = product_name(config),
        .logged = config.local_like(),
    };
}

// Few at once: a provider that does not answer must not fill the server with those who wait for it.
constexpr outbound::HttpClient::Options provider_call_options{.connections_max = 64, .calls_max = 128};

std::optional<DevIdp> dev_idp(const config::Config& config, const Environment& environment)
{
    auto settings = dev_idp_settings(config);
    if (!settings) {
        return std::nullopt;
    }
    return std::optional<DevIdp>(std::in_place, environment.clock, environment.random, std::move(*settings));
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

cache::ListCache::Options shared(
    cache::ListCache::Options options, const std::unique_ptr<cache::Copies>& copies
)
{
    options.copies = copies.get();
    return options;
}

rbac::Service::Settings shared(rbac::Service::Settings settings, const SharedCopies& copies)
{
    settings.lists.copies = copies.lists.get();
    settings.negative.copies = copies.absences.get();
    settings.permission_copies = copies.permissions.get();
    return settings;
}

blob::S3Options s3_options(const config::BlobConfig& config)
{
    return {
        .endpoint = config.endpoint,
        .public_endpoint = config.public_endpoint,
        .access_key = config.access_key,
        .secret_key = std::string(config.secret_key.reveal()),
        .bucket = config.bucket,
        .region = config.region,
        .use_tls = config.use_tls,
    };
}

std::unique_ptr<blob::Store> object_store(const config::Config& config, const Environment& environment)
{
    if (!config.blob.configured()) {
        return nullptr;
    }
    return blob::open_s3(s3_options(config.blob), environment.clock, environment.metrics);
}

std::unique_ptr<blob::Folder> object_folder(const config::Config& config, const Environment& environment)
{
    if (config.blob.configured()) {
        return nullptr;
    }
    return blob::open_folder(
        {.root = config.process.blob_dir(),
         .url_prefix = config.http.public_url + files_path,
         .secret = std::string(config.tokens.refresh_secret.reveal())},
        environment.clock,
        environment.metrics
    );
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
      outbox_({.clock = environment.clock, .random = environment.random}, outbox_options(config)),
      dispatcher_(
          {.outbox = outbox_,
           .database = database,
           .clock = environment.clock,
           .random = environment.random,
           .logger = environment.logger,
           .metrics = environment.metrics},
          mail_transport(config),
          dispatcher_options(config)
      ),
      audit_(
          {.database = database, .clock = environment.clock, .logger = environment.logger},
          config.audit.retention
      ),
      page_tokens_(config.tokens.refresh_secret.reveal(), environment.clock, environment.random),
      epochs_(database, environment.clock),
      copies_(open_copies(config, redis, environment.clock)),
      users_(
          {.database = database,
           .clock = environment.clock,
           .metrics = environment.metrics,
           .audit = audit_,
           .epochs = epochs_},
          shared(list_cache(config), copies_.lists)
      ),
      rbac_(
          {.database = database,
           .clock = environment.clock,
           .random = environment.random,
           .metrics = environment.metrics,
           .audit = audit_,
           .epochs = epochs_,
           .users = users_},
          shared(rbac_settings(config), copies_)
      ),
      keys_(open_keys(
          config,
          {.database = database,
           .clock = environment.clock,
           .random = environment.random,
           .logger = environment.logger,
           .audit = audit_}
      )),
      key_routes_{.service = keys()},
      sessions_(
          {.database = database,
           .clock = environment.clock,
           .random = environment.random,
           .metrics = environment.metrics,
           .audit = audit_,
           .keys = keys()},
          token_settings(config.tokens),
          session_lifetimes(config.sessions)
      ),
      session_routes_(sessions_, environment.clock, environment.metrics),
      links_(
          {.database = database,
           .outbox = outbox_,
           .clock = environment.clock,
           .random = environment.random,
           .logger = environment.logger},
          link_settings(config)
      ),
      auth_(
          {.database = database,
           .rbac = rbac_,
           .sessions = sessions_,
           .hasher = hasher_,
           .clock = environment.clock,
           .metrics = environment.metrics,
           .audit = audit_,
           .links = links_,
           .outbox = outbox_},
          {.local_enabled = config.auth.local_enabled,
           .require_email_verification = config.auth.require_email_verification,
           .product = product_name(config)}
      ),
      provider_calls_(provider_call_options),
      dev_idp_(dev_idp(config, environment)),
      oidc_(
          {.database = database,
           .users = users_,
           .rbac = rbac_,
           .sessions = sessions_,
           .outbox = outbox_,
           .clock = environment.clock,
           .random = environment.random,
           .logger = environment.logger,
           .metrics = environment.metrics,
           .audit = audit_},
          {.state_secret = std::string(config.tokens.oauth_state_secret.reveal()),
           .product = product_name(config),
           .unproven_addresses_count = config.local_like()},
          provider_settings(config, provider_calls_, dev_idp_ ? &*dev_idp_ : nullptr)
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
          .oidc = oidc_,
          .audit = audit_,
          .cookies = cookies_,
          .guard = abuse_guard_,
          .instruments = auth::Instruments(environment.metrics)
      },
      flags_(
          {.database = database,
           .clock = environment.clock,
           .metrics = environment.metrics,
           .audit = audit_,
           .epochs = epochs_,
           .rbac = rbac_},
          copies_.flags.get()
      ),
      products_(
          {.database = database, .clock = environment.clock, .metrics = environment.metrics, .audit = audit_}
      ),
      folder_(object_folder(config, environment)),
      store_(object_store(config, environment)),
      avatars_(
          {.database = database,
           .store = folder_ ? *folder_ : *store_,
           .clock = environment.clock,
           .random = environment.random,
           .logger = environment.logger,
           .metrics = environment.metrics,
           .audit = audit_,
           .epochs = epochs_,
           .users = users_},
          config.http.public_url
      ),
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
      )
{
    observe(environment.metrics, database);
    if (folder_) {
        files_.emplace(*folder_);
    }
    if (has_dev_mailbox(config)) {
        mailbox_.emplace(outbox_, database);
    }
    if (config.auth.hosted_pages) {
        pages_.emplace(pages::Routes{
            .auth = auth_routes_,
            .sessions = session_routes_,
            .users = users_,
            .settings =
                {.product = product_name(config),
                 .local_enabled = config.auth.local_enabled,
                 .providers = oidc_.sign_in_providers()}
        });
    }
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
        route_table(
            {.health = health_,
             .audit = audit_,
             .users = users_,
             .rbac = rbac_,
             .sessions = session_routes_,
             .auth = auth_routes_,
             .keys = key_routes_,
             .flags = flags_,
             .products = products_,
             .page_tokens = page_tokens_,
             .avatars = avatars_,
             .files = files_ ? &*files_ : nullptr,
             .pages = pages_ ? &*pages_ : nullptr,
             .reference = reference_,
             .mailbox = mailbox_ ? &*mailbox_ : nullptr,
             .dev_idp = dev_idp_ ? &*dev_idp_ : nullptr}
        ),
        bind_guards(
            {.sessions = sessions_,
             .rbac = rbac_,
             .idempotency = idempotent,
             .limiter = limiter_,
             .origins = origins_,
             .logger = environment.logger,
             .metrics = environment.metrics}
        ),
        guarded_subtrees()
    );
    pipeline_ = std::make_unique<http::Pipeline>(
        std::move(router),
        pipeline_options(config),
        http::Pipeline::Deps{
            .clock = environment.clock,
            .random = environment.random,
            .logger = environment.logger,
            .metrics = environment.metrics,
            .admission = limiter_,
            .recorder = config.telemetry.tracing_enabled ? environment.recorder : nullptr
        }
    );
    std::vector<const http::Route*> rows;
    for (const auto& endpoint : pipeline_->router().endpoints()) {
        rows.push_back(&endpoint.route);
    }
    reference_.describe(rows);
}

// The numbers that are asked for when somebody reads.
void Product::observe(telemetry::Registry& metrics, const db::Database& database)
{
    const auto add = [&](const telemetry::Instrument& instrument,
                         std::vector<std::string> attributes,
                         std::function<std::size_t()> read) {
        observations_.push_back(metrics.observe(instrument, std::move(attributes), [read = std::move(read)] {
            return static_cast<double>(read());
        }));
    };
    add(queue_length, {"password_hash"}, [this] { return hasher_.queued(); });
    add(connection_count, {"used"}, [&database] { return database.load().used; });
    add(connection_count, {"idle"}, [&database] { return database.load().idle; });
    add(open_event_streams, {}, [this] { return sessions_.watchers(); });
    add(pending_requests, {}, [&database] { return database.load().waiting; });
}

}  // namespace kit::app
