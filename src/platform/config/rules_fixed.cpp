#include "platform/config/files.hpp"
#include "platform/config/rules.hpp"
#include "platform/config/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace kit::config {

namespace {

using namespace std::chrono_literals;

bool blank(std::string_view text)
{
    return trim(text).empty();
}

template <class T>
bool within(T value, T min, T max)
{
    return value >= min && value <= max;
}

void check_secret(Rules& rules, std::string_view variable, const Secret& secret, std::size_t bytes_min)
{
    rules.require(
        rules.will_be_made(variable) || secret.size() >= bytes_min,
        variable,
        fmt::format("{} must be at least {} chars", variable, bytes_min),
        secret_mend(variable)
    );
}

void check_required(Rules& rules)
{
    const auto& config = rules.config();
    const auto& tokens = config.tokens;
    rules.require(
        !config.prod_like() || !config.database.url.empty(),
        "DATABASE_URL",
        "DATABASE_URL is required",
        "name the database: DATABASE_URL=postgres://user:password@host:5432/name, or sqlite:///absolute/path "
        "for one node"
    );
    check_secret(rules, "JWT_ACCESS_SECRET", tokens.access_secret, 32);
    check_secret(rules, "JWT_REFRESH_SECRET", tokens.refresh_secret, 32);
    const bool made = rules.will_be_made("JWT_ACCESS_SECRET") || rules.will_be_made("JWT_REFRESH_SECRET");
    rules.require(
        made || tokens.access_secret != tokens.refresh_secret,
        "JWT_ACCESS_SECRET",
        "JWT_ACCESS_SECRET and JWT_REFRESH_SECRET must differ",
        secret_mend("each")
    );
    check_secret(rules, "REFRESH_TOKEN_PEPPER", tokens.refresh_pepper, 16);
    check_secret(rules, "OAUTH_STATE_SECRET", tokens.oauth_state_secret, 16);
}

bool is_permission(std::string_view text)
{
    const auto colon = text.find(':');
    return colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos &&
           !blank(text.substr(0, colon)) && !blank(text.substr(colon + 1));
}

void check_accounts(Rules& rules)
{
    const auto& [auth, google, tokens] =
        std::tie(rules.config().auth, rules.config().google, rules.config().tokens);
    rules.require(
        auth.local_enabled || google.enabled || !rules.config().oidc.names.empty(),
        "AUTH_LOCAL_ENABLED",
        "at least one auth provider must be enabled",
        "set AUTH_LOCAL_ENABLED or AUTH_GOOGLE_ENABLED to true"
    );
    for (const auto& [variable, missing] :
         {std::pair{std::string_view("GOOGLE_OAUTH_CLIENT_ID"), google.client_id.empty()},
          {std::string_view("GOOGLE_OAUTH_CLIENT_SECRET"), google.client_secret.empty()}}) {
        rules.require(
            !google.enabled || !missing,
            variable,
            fmt::format("{} is required when AUTH_GOOGLE_ENABLED=true", variable),
            fmt::format("set {}, or AUTH_GOOGLE_ENABLED=false", variable)
        );
    }
    rules.require(
        !auth.require_email_verification || auth.local_enabled,
        "AUTH_LOCAL_REQUIRE_EMAIL_VERIFICATION",
        "AUTH_LOCAL_REQUIRE_EMAIL_VERIFICATION requires AUTH_LOCAL_ENABLED=true",
        "set AUTH_LOCAL_ENABLED=true, or AUTH_LOCAL_REQUIRE_EMAIL_VERIFICATION=false"
    );
    const auto life = [&](std::string_view variable, Duration value, Duration max, std::string_view max_text
                      ) {
        rules.require(
            value > 0ms && value <= max,
            variable,
            fmt::format("{} must be between 1s and {}", variable, max_text)
        );
    };
    life("AUTH_EMAIL_VERIFY_TOKEN_TTL", auth.email_verify_ttl, 24h, "24h");
    life("AUTH_PASSWORD_RESET_TOKEN_TTL", auth.password_reset_ttl, 24h, "24h");
    rules.require(
        rules.config().rate_limits.forgot_per_minute > 0,
        "AUTH_PASSWORD_FORGOT_RATE_LIMIT_PER_MIN",
        "AUTH_PASSWORD_FORGOT_RATE_LIMIT_PER_MIN must be > 0"
    );
    rules.require(
        std::ranges::all_of(rules.config().rbac.protected_permissions, is_permission),
        "RBAC_PROTECTED_PERMISSIONS",
        "RBAC_PROTECTED_PERMISSIONS entries must use resource:action format"
    );
    life("JWT_ACCESS_TTL", tokens.access_ttl, 1h, "1h");
    life("JWT_REFRESH_TTL", tokens.refresh_ttl, 720h, "30d");
}

void check_limits(Rules& rules)
{
    const auto& limits = rules.config().rate_limits;
    for (const auto& [variable, value] :
         {std::pair{std::string_view("AUTH_RATE_LIMIT_PER_MIN"), limits.auth_per_minute},
          {"API_RATE_LIMIT_PER_MIN", limits.api_per_minute},
          {"RATE_LIMIT_LOGIN_PER_MIN", limits.login_per_minute},
          {"RATE_LIMIT_REFRESH_PER_MIN", limits.refresh_per_minute},
          {"RATE_LIMIT_ADMIN_WRITE_PER_MIN", limits.admin_write_per_minute},
          {"RATE_LIMIT_ADMIN_SYNC_PER_MIN", limits.admin_sync_per_minute}}) {
        rules.require(value > 0, variable, fmt::format("{} must be > 0", variable));
    }
    rules.require(
        within(limits.burst_multiplier, 1.0, 10.0),
        "RATE_LIMIT_BURST_MULTIPLIER",
        "RATE_LIMIT_BURST_MULTIPLIER must be between 1 and 10"
    );
    rules.require(
        within<Duration>(limits.sustained_window, 1s, 15min),
        "RATE_LIMIT_SUSTAINED_WINDOW",
        "RATE_LIMIT_SUSTAINED_WINDOW must be between 1s and 15m"
    );
    for (const std::string_view scope :
         {"API", "AUTH", "FORGOT", "ROUTE_LOGIN", "ROUTE_REFRESH", "ROUTE_ADMIN_WRITE", "ROUTE_ADMIN_SYNC"}) {
        const auto variable = fmt::format("RATE_LIMIT_REDIS_OUTAGE_POLICY_{}", scope);
        rules.require(
            !rules.rejected(variable), variable, fmt::format("{} must be fail_open or fail_closed", variable)
        );
    }
}

void check_abuse(Rules& rules)
{
    const auto& abuse = rules.config().abuse;
    const auto& bypass = rules.config().bypass;
    rules.require(
        within(abuse.free_attempts, 0, 20),
        "AUTH_ABUSE_FREE_ATTEMPTS",
        "AUTH_ABUSE_FREE_ATTEMPTS must be between 0 and 20"
    );
    rules.require(
        within<Duration>(abuse.base_delay, 1s, 1min),
        "AUTH_ABUSE_BASE_DELAY",
        "AUTH_ABUSE_BASE_DELAY must be between 1s and 1m"
    );
    rules.require(
        within(abuse.multiplier, 1.0, 10.0),
        "AUTH_ABUSE_MULTIPLIER",
        "AUTH_ABUSE_MULTIPLIER must be between 1 and 10"
    );
    rules.require(
        within<Duration>(abuse.max_delay, abuse.base_delay, 1h),
        "AUTH_ABUSE_MAX_DELAY",
        "AUTH_ABUSE_MAX_DELAY must be >= AUTH_ABUSE_BASE_DELAY and <= 1h"
    );
    rules.require(
        within<Duration>(abuse.reset_window, 1min, 24h),
        "AUTH_ABUSE_RESET_WINDOW",
        "AUTH_ABUSE_RESET_WINDOW must be between 1m and 24h"
    );
    rules.require(
        std::ranges::all_of(bypass.trusted_actor_cidrs, is_cidr),
        "AUTH_BYPASS_TRUSTED_ACTOR_CIDRS",
        "AUTH_BYPASS_TRUSTED_ACTOR_CIDRS must contain valid CIDR values",
        "write every entry as address/length, such as 10.0.0.0/8 or 2001:db8::/32"
    );
    rules.require(
        !bypass.trusted_actors || !bypass.trusted_actor_cidrs.empty() ||
            !bypass.trusted_actor_subjects.empty(),
        "AUTH_BYPASS_TRUSTED_ACTORS",
        "AUTH_BYPASS_TRUSTED_ACTORS requires AUTH_BYPASS_TRUSTED_ACTOR_CIDRS or "
        "AUTH_BYPASS_TRUSTED_ACTOR_SUBJECTS",
        "name the actors in one of the lists, or set AUTH_BYPASS_TRUSTED_ACTORS=false"
    );
}

void check_caches(Rules& rules)
{
    const auto& [caches, idempotency] = std::tie(rules.config().caches, rules.config().idempotency);
    rules.require(
        !caches.admin_list_enabled || (caches.admin_list_ttl > 0ms && caches.admin_list_ttl <= 10min),
        "ADMIN_LIST_CACHE_TTL",
        "ADMIN_LIST_CACHE_TTL must be between 1s and 10m when admin list cache is enabled"
    );
    rules.require(
        !caches.negative_lookup_enabled ||
            (caches.negative_lookup_ttl > 0ms && caches.negative_lookup_ttl <= 1min),
        "NEGATIVE_LOOKUP_CACHE_TTL",
        "NEGATIVE_LOOKUP_CACHE_TTL must be between 1s and 1m when negative lookup cache is enabled"
    );
    rules.require(
        !caches.permission_enabled || (caches.permission_ttl > 0ms && caches.permission_ttl <= 30min),
        "RBAC_PERMISSION_CACHE_TTL",
        "RBAC_PERMISSION_CACHE_TTL must be between 1s and 30m when rbac permission cache is enabled"
    );
    rules.require(
        idempotency.ttl > 0ms && idempotency.ttl <= 168h,
        "IDEMPOTENCY_TTL",
        "IDEMPOTENCY_TTL must be between 1s and 168h"
    );
    const bool in_redis = idempotency.redis_enabled && rules.config().redis.configured();
    const bool cleaned = idempotency.enabled && !in_redis && idempotency.cleanup_enabled;
    rules.require(
        !cleaned || within<Duration>(idempotency.cleanup_interval, 1s, 1h),
        "IDEMPOTENCY_DB_CLEANUP_INTERVAL",
        "IDEMPOTENCY_DB_CLEANUP_INTERVAL must be between 1s and 1h"
    );
    rules.require(
        !cleaned || within(idempotency.cleanup_batch_size, 1, 10'000),
        "IDEMPOTENCY_DB_CLEANUP_BATCH_SIZE",
        "IDEMPOTENCY_DB_CLEANUP_BATCH_SIZE must be between 1 and 10000"
    );
}

bool is_key_namespace(std::string_view text)
{
    constexpr std::string_view letters_and_digits =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    return text.find_first_not_of(letters_and_digits) == std::string_view::npos && !text.starts_with('_') &&
           !text.starts_with('-') && !text.empty();
}

void check_ca_file(Rules& rules)
{
    constexpr std::string_view variable = "REDIS_TLS_CA_CERT_FILE";
    constexpr std::size_t bytes_max = 1024UL * 1024;
    const auto content = read_file(rules.config().redis.tls_ca_file, bytes_max);
    rules.require(
        content.has_value(),
        variable,
        "REDIS_TLS_CA_CERT_FILE must be readable",
        content ? "" : fmt::format("{}: {}", rules.config().redis.tls_ca_file, content.error().reason())
    );
    if (content) {
        const auto begin = content->find("-----BEGIN CERTIFICATE-----");
        rules.require(
            begin != std::string::npos &&
                content->find("-----END CERTIFICATE-----", begin) != std::string::npos,
            variable,
            "REDIS_TLS_CA_CERT_FILE must contain valid PEM certificates",
            "name a file with at least one block from -----BEGIN CERTIFICATE----- to -----END "
            "CERTIFICATE-----"
        );
    }
}

void check_redis(Rules& rules)
{
    const auto& redis = rules.config().redis;
    rules.require(
        is_key_namespace(redis.key_namespace),
        "REDIS_KEY_NAMESPACE",
        "REDIS_KEY_NAMESPACE must match ^[a-zA-Z0-9][a-zA-Z0-9_-]*$"
    );
    rules.require(
        !rules.config().wants_redis() || !redis.configured() || !blank(redis.address),
        "REDIS_ADDR",
        "REDIS_ADDR is required when Redis-backed features are enabled",
        "set REDIS_ADDR to host:port, or leave it out to use the embedded stores"
    );
    for (const auto& [variable, used] :
         {std::pair{std::string_view("REDIS_TLS_SERVER_NAME"), !redis.tls_server_name.empty()},
          {"REDIS_TLS_CA_CERT_FILE", !redis.tls_ca_file.empty()},
          {"REDIS_TLS_INSECURE_SKIP_VERIFY", redis.tls_skip_verify}}) {
        rules.require(
            !used || redis.tls_enabled,
            variable,
            fmt::format("{} requires REDIS_TLS_ENABLED=true", variable),
            fmt::format("set REDIS_TLS_ENABLED=true, or leave {} out", variable)
        );
    }
    if (redis.tls_enabled && !redis.tls_ca_file.empty()) {
        check_ca_file(rules);
    }
}

void check_redis_times(Rules& rules)
{
    const auto& redis = rules.config().redis;
    const auto timeout = [&](std::string_view variable, Duration value) {
        rules.require(
            within<Duration>(value, 100ms, 30s),
            variable,
            fmt::format("{} must be between 100ms and 30s", variable)
        );
    };
    timeout("REDIS_DIAL_TIMEOUT", redis.dial_timeout);
    timeout("REDIS_READ_TIMEOUT", redis.read_timeout);
    timeout("REDIS_WRITE_TIMEOUT", redis.write_timeout);
    rules.require(
        within(redis.retries_max, -1, 20), "REDIS_MAX_RETRIES", "REDIS_MAX_RETRIES must be between -1 and 20"
    );
    rules.require(
        within<Duration>(redis.retry_backoff_min, 0s, 5s),
        "REDIS_MIN_RETRY_BACKOFF",
        "REDIS_MIN_RETRY_BACKOFF must be between 0 and 5s"
    );
    rules.require(
        within<Duration>(redis.retry_backoff_max, redis.retry_backoff_min, 30s),
        "REDIS_MAX_RETRY_BACKOFF",
        "REDIS_MAX_RETRY_BACKOFF must be >= REDIS_MIN_RETRY_BACKOFF and <= 30s"
    );
    rules.require(
        within(redis.pool_size, 1, 1000), "REDIS_POOL_SIZE", "REDIS_POOL_SIZE must be between 1 and 1000"
    );
    rules.require(
        within(redis.idle_connections_min, 0, redis.pool_size),
        "REDIS_MIN_IDLE_CONNS",
        "REDIS_MIN_IDLE_CONNS must be between 0 and REDIS_POOL_SIZE"
    );
    timeout("REDIS_POOL_TIMEOUT", redis.pool_timeout);
}

void check_running(Rules& rules)
{
    const auto& [health, shutdown] = std::tie(rules.config().health, rules.config().shutdown);
    for (const auto& [variable, value] :
         {std::pair{std::string_view("READINESS_PROBE_TIMEOUT"), health.probe_timeout},
          {"SHUTDOWN_TIMEOUT", shutdown.total},
          {"SHUTDOWN_HTTP_DRAIN_TIMEOUT", shutdown.http_drain},
          {"SHUTDOWN_OBSERVABILITY_TIMEOUT", shutdown.observability}}) {
        rules.require(value > 0ms, variable, fmt::format("{} must be > 0", variable));
    }
    for (const auto& [variable, value] :
         {std::pair{std::string_view("SHUTDOWN_HTTP_DRAIN_TIMEOUT"), shutdown.http_drain},
          {"SHUTDOWN_OBSERVABILITY_TIMEOUT", shutdown.observability}}) {
        rules.require(
            value <= shutdown.total,
            variable,
            fmt::format("{} must be <= SHUTDOWN_TIMEOUT", variable),
            fmt::format("raise SHUTDOWN_TIMEOUT ({}) or lower {}", format_duration(shutdown.total), variable)
        );
    }
    const auto& telemetry = rules.config().telemetry;
    rules.require(
        !telemetry.enabled() || !rules.config().given("OTEL_EXPORTER_OTLP_ENDPOINT") ||
            !blank(telemetry.endpoint),
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_ENDPOINT is required when OTel is enabled"
    );
    rules.require(
        within(telemetry.sampling_ratio, 0.0, 1.0),
        "OTEL_TRACE_SAMPLING_RATIO",
        "OTEL_TRACE_SAMPLING_RATIO must be between 0 and 1"
    );
    rules.require(
        telemetry.metrics_interval > 0ms,
        "OTEL_METRICS_EXPORT_INTERVAL",
        "OTEL_METRICS_EXPORT_INTERVAL must be > 0"
    );
    rules.require(
        !rules.rejected("OTEL_LOG_LEVEL"),
        "OTEL_LOG_LEVEL",
        "OTEL_LOG_LEVEL must be one of debug, info, warn, error"
    );
}

}  // namespace

void check_fixed(Rules& rules)
{
    check_required(rules);
    check_accounts(rules);
    check_limits(rules);
    check_abuse(rules);
    check_caches(rules);
    check_redis(rules);
    check_redis_times(rules);
    check_running(rules);
    check_profile(rules);
}

}  // namespace kit::config
