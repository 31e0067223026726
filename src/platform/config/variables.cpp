#include "platform/config/variables.hpp"

#include "platform/config/bind.hpp"

#include <algorithm>
#include <array>

namespace kit::config {

namespace {

using namespace std::chrono_literals;

constexpr Range between(Duration min, Duration max)
{
    return {.min = min.count(), .max = max.count()};
}

constexpr Range between(std::int64_t min, std::int64_t max)
{
    return {.min = min, .max = max};
}

constexpr std::int64_t kib = 1024;
constexpr std::int64_t mib = 1024 * kib;
constexpr Traits plain{};
constexpr Traits positive{.valid = "above 0"};
constexpr Traits trimmed{.trim = true};
constexpr Traits policy{.trim = true, .lower = true};
constexpr Traits web_address{
    .valid = "https://…; http://… of this machine in local-like profiles", .trim = true
};
constexpr Traits secret_32{
    .valid = "at least 32 bytes", .default_note = "made once in local-like profiles, else none"
};
constexpr Traits secret_16{
    .valid = "at least 16 bytes", .default_note = "made once in local-like profiles, else none"
};

// The tables read in columns: name, section, member, what it does, what is special.
// clang-format off

constexpr auto process_variables = std::to_array<Variable>({
    {"APP_ENV", "process", at<&Config::process, &ProcessConfig::environment>(), "profile: development, dev, local, test are local-like; production, prod, staging, stage, preprod are prod-like", plain},
    {"DATA_DIR", "process", at<&Config::process, &ProcessConfig::data_dir>(), "folder of the embedded database, local blobs and generated secrets", plain},
    {"HTTP_BIND", "http", at<&Config::http, &HttpConfig::bind>(), "address to listen on; empty: every interface, IPv6 and IPv4", trimmed},
    {"HTTP_PORT", "http", at<&Config::http, &HttpConfig::port>(), "port of the API; 0 picks a free one", {.valid = "0 to 65535"}},
    {"HTTP_WORKERS", "http", at<&Config::http, &HttpConfig::workers>(), "threads that serve; 0: one per core", {.range = between(0, 256)}},
    {"ADMIN_HTTP_ADDR", "http", at<&Config::http, &HttpConfig::admin_address>(), "address of the metrics listener", {.valid = "host:port, or off", .trim = true}},
    {"CORS_ALLOWED_ORIGINS", "http", at<&Config::http, &HttpConfig::cors_allowed_origins>(), "exact origins that browsers may call from; * is not special", plain},
    {"TRUSTED_PROXIES", "http", at<&Config::http, &HttpConfig::trusted_proxies>(), "peers whose forwarding headers count", {.valid = "CIDRs"}},
    {"PUBLIC_URL", "http", at<&Config::http, &HttpConfig::public_url>(), "by which browsers reach this server: links in mails lead to its pages, and links to avatars begin so", {.valid = "http(s)://host or http(s)://host:port", .default_note = "http://localhost:HTTP_PORT in local-like profiles, else none", .trim = true}},

    {"HTTP_REQUEST_LINE_BYTES_MAX", "http", at<&Config::http_limits, &HttpLimits::request_line_bytes_max>(), "request line; beyond: 414", {.range = between(256, 64 * kib)}},
    {"HTTP_HEADER_BYTES_MAX", "http", at<&Config::http_limits, &HttpLimits::header_bytes_max>(), "whole header section; beyond: 431", {.range = between(1 * kib, 256 * kib)}},
    {"HTTP_HEADER_FIELDS_MAX", "http", at<&Config::http_limits, &HttpLimits::header_fields_max>(), "header fields; beyond: 431", {.range = between(8, 1000)}},
    {"HTTP_BODY_BYTES_MAX", "http", at<&Config::http_limits, &HttpLimits::body_bytes_max>(), "body, where the route sets no limit of its own; beyond: 413", {.range = between(1 * kib, 64 * mib)}},
    {"HTTP_CHUNK_EXTENSION_BYTES_MAX", "http", at<&Config::http_limits, &HttpLimits::chunk_extension_bytes_max>(), "chunk extensions of one body together; beyond: 400", {.range = between(0, 16 * kib)}},
    {"HTTP_HEADER_TIMEOUT", "http", at<&Config::http_limits, &HttpLimits::header_time_max>(), "from the first byte to the end of the header section; beyond: 408", {.range = between(100ms, 5min)}},
    {"HTTP_BODY_BYTES_PER_SECOND_MIN", "http", at<&Config::http_limits, &HttpLimits::body_bytes_per_second_min>(), "slowest accepted upload; below: 408; 0: any", {.range = between(0, 16 * mib)}},
    {"HTTP_IDLE_TIMEOUT", "http", at<&Config::http_limits, &HttpLimits::idle_time_max>(), "between requests; beyond: closed", {.range = between(100ms, 1h)}},
    {"HTTP_WRITE_TIMEOUT", "http", at<&Config::http_limits, &HttpLimits::write_time_max>(), "for a client to take one response; beyond: closed", {.range = between(100ms, 10min)}},
    {"HTTP_REQUEST_TIMEOUT", "http", at<&Config::http_limits, &HttpLimits::request_time_max>(), "for the handler; beyond: 503", {.range = between(100ms, 10min)}},
    {"HTTP_LINGER_TIMEOUT", "http", at<&Config::http_limits, &HttpLimits::linger_time_max>(), "discarding what a refused client still sends", {.range = between(0ms, 1min)}},
    {"HTTP_CONNECTIONS_MAX", "http", at<&Config::http_limits, &HttpLimits::connections_max>(), "connections of the process; beyond: closed at once", {.range = between(16, 1'000'000)}},
    {"HTTP_CONCURRENCY_MIN", "http", at<&Config::http_limits, &HttpLimits::concurrency_min>(), "requests at once on a worker below which none is shed, however long they queue", {.range = between(1, 1'000'000)}},
    {"HTTP_CONCURRENCY_MAX", "http", at<&Config::http_limits, &HttpLimits::concurrency_max>(), "requests at once on a worker; beyond: 503; fewer while most requests queue", {.range = between(1, 1'000'000)}},

    {"READINESS_PROBE_TIMEOUT", "health", at<&Config::health, &HealthConfig::probe_timeout>(), "per readiness check", positive},
    {"SERVER_START_GRACE_PERIOD", "health", at<&Config::health, &HealthConfig::start_grace>(), "not ready for this long after the start; 0 or less: none", {.default_note = "0s in local-like profiles, else 2s"}},
    {"SHUTDOWN_TIMEOUT", "shutdown", at<&Config::shutdown, &ShutdownConfig::total>(), "the whole shutdown", positive},
    {"SHUTDOWN_HTTP_DRAIN_TIMEOUT", "shutdown", at<&Config::shutdown, &ShutdownConfig::http_drain>(), "finishing running requests", {.valid = "above 0, at most SHUTDOWN_TIMEOUT"}},
    {"SHUTDOWN_OBSERVABILITY_TIMEOUT", "shutdown", at<&Config::shutdown, &ShutdownConfig::observability>(), "flushing telemetry", {.valid = "above 0, at most SHUTDOWN_TIMEOUT"}},
    {"SHUTDOWN_PRESTOP_DELAY", "shutdown", at<&Config::shutdown, &ShutdownConfig::prestop_delay>(), "serving on, but not ready, after SIGTERM", {.range = between(0ms, 5min), .default_note = "0s in local-like profiles, else 5s"}},

    {"DATABASE_URL", "database", at<&Config::database, &DatabaseConfig::url>(), "PostgreSQL, or SQLite by an absolute path; unset: SQLite in DATA_DIR, not in prod-like profiles", {.valid = "postgres://…, host=… dbname=…, or sqlite:///path"}},
    {"DB_AUTO_MIGRATE", "database", at<&Config::database, &DatabaseConfig::auto_migrate>(), "migrate and seed at the start of the API", plain},
    {"DB_QUERY_TIMEOUT", "database", at<&Config::database, &DatabaseConfig::query_time_max>(), "for a statement, from call to answer, waiting included", {.range = between(10ms, 5min)}},
    {"DB_CONNECTIONS_PER_WORKER", "database", at<&Config::database, &DatabaseConfig::connections_per_worker_max>(), "PostgreSQL connections of a worker", {.range = between(1, 64)}},
    {"SQLITE_SYNCHRONOUS", "database", at<&Config::database, &DatabaseConfig::synchronous>(), "full: sync at every commit; normal: at checkpoints", policy},
    {"SQLITE_READERS", "database", at<&Config::database, &DatabaseConfig::reader_threads_max>(), "threads for longer reads", {.range = between(1, 64)}},
    {"SQLITE_QUEUE", "database", at<&Config::database, &DatabaseConfig::queue_max>(), "jobs waiting for the writer or the readers; beyond: 503", {.range = between(16, 65'536)}},
});

constexpr auto account_variables = std::to_array<Variable>({
    {"JWT_ISSUER", "tokens", at<&Config::tokens, &TokenConfig::issuer>(), "iss of the tokens", plain},
    {"JWT_AUDIENCE", "tokens", at<&Config::tokens, &TokenConfig::audience>(), "aud of the tokens", plain},
    {"JWT_SIGNING", "tokens", at<&Config::tokens, &TokenConfig::signing>(), "algorithm of access tokens; EdDSA and ES256 take keys from the database and publish them at /.well-known/jwks.json", trimmed},
    {"JWT_KEY_ROTATION", "tokens", at<&Config::tokens, &TokenConfig::key_rotation>(), "from a signing key's first use to the next one's, with EdDSA or ES256", {.range = between(1h, std::chrono::hours(24 * 365))}},
    {"JWT_JWKS_CACHE", "tokens", at<&Config::tokens, &TokenConfig::jwks_cache>(), "how long others may keep the published keys; a new key waits as long before it signs", {.range = between(1s, std::chrono::hours(24))}},
    {"JWT_ACCESS_SECRET", "tokens", at<&Config::tokens, &TokenConfig::access_secret>(), "signs access tokens, or encrypts the keys that do; differs from JWT_REFRESH_SECRET", secret_32},
    {"JWT_REFRESH_SECRET", "tokens", at<&Config::tokens, &TokenConfig::refresh_secret>(), "signs refresh tokens", secret_32},
    {"JWT_ACCESS_TTL", "tokens", at<&Config::tokens, &TokenConfig::access_ttl>(), "life of an access token", {.valid = "above 0, at most 1h"}},
    {"JWT_REFRESH_TTL", "tokens", at<&Config::tokens, &TokenConfig::refresh_ttl>(), "life of a session without refresh", {.valid = "above 0, at most 720h"}},
    {"AUTH_REFRESH_GRACE", "tokens", at<&Config::tokens, &TokenConfig::refresh_grace>(), "how long the just-replaced refresh token still counts; 0s: strict rotation", {.range = between(0ms, 5min)}},
    {"SESSION_ABSOLUTE_TTL", "sessions", at<&Config::sessions, &SessionConfig::absolute_ttl>(), "a session ends this long after its sign-in; 0s: never for that reason", {.range = between(0ms, std::chrono::hours(24 * 365))}},
    {"SESSION_IDLE_TTL", "sessions", at<&Config::sessions, &SessionConfig::idle_ttl>(), "a session ends this long after its last refresh; 0s: never for that reason, else longer than JWT_ACCESS_TTL", {.range = between(0ms, std::chrono::hours(24 * 365))}},
    {"SESSION_PURGE_AFTER", "sessions", at<&Config::sessions, &SessionConfig::purge_after>(), "age at which expired sessions are deleted", {.range = between(1h, std::chrono::hours(24 * 365))}},
    {"SESSION_PURGE_INTERVAL", "sessions", at<&Config::sessions, &SessionConfig::purge_interval>(), "between two such clean-ups", {.range = between(1s, 24h)}},
    {"SESSION_PURGE_BATCH_SIZE", "sessions", at<&Config::sessions, &SessionConfig::purge_batch_size>(), "rows deleted at once", {.range = between(1, 10'000)}},
    {"REFRESH_TOKEN_PEPPER", "tokens", at<&Config::tokens, &TokenConfig::refresh_pepper>(), "keys the stored hashes of refresh and one-time tokens", secret_16},
    {"OAUTH_STATE_SECRET", "tokens", at<&Config::tokens, &TokenConfig::oauth_state_secret>(), "signs the state of a login with Google or another provider", secret_16},
    {"COOKIE_DOMAIN", "cookies", at<&Config::cookies, &CookieConfig::domain>(), "Domain attribute; empty: the host only", plain},
    {"COOKIE_SECURE", "cookies", at<&Config::cookies, &CookieConfig::secure>(), "Secure attribute; true in prod-like profiles", plain},
    {"COOKIE_SAMESITE", "cookies", at<&Config::cookies, &CookieConfig::same_site>(), "SameSite attribute; lax or strict in prod-like profiles", {.lower = true}},

    {"AUTH_LOCAL_ENABLED", "auth", at<&Config::auth, &AuthConfig::local_enabled>(), "accounts with a password; at least one provider is on", plain},
    {"AUTH_HOSTED_PAGES", "auth", at<&Config::auth, &AuthConfig::hosted_pages>(), "our own pages for sign-in, registration, passwords and devices, under /account", plain},
    {"AUTH_GOOGLE_ENABLED", "auth", at<&Config::google, &GoogleConfig::enabled>(), "login with Google", {.default_note = "false in local-like profiles without credentials, else true"}},
    {"GOOGLE_OAUTH_CLIENT_ID", "auth", at<&Config::google, &GoogleConfig::client_id>(), "needed when Google is on", plain},
    {"GOOGLE_OAUTH_CLIENT_SECRET", "auth", at<&Config::google, &GoogleConfig::client_secret>(), "needed when Google is on", plain},
    {"GOOGLE_OAUTH_REDIRECT_URL", "auth", at<&Config::google, &GoogleConfig::redirect_url>(), "our callback, as registered with Google", plain},
    {"GOOGLE_OAUTH_ISSUER", "auth", at<&Config::google, &GoogleConfig::issuer>(), "who signs Google's ID tokens", web_address},
    {"GOOGLE_OAUTH_AUTH_URL", "auth", at<&Config::google, &GoogleConfig::auth_url>(), "where browsers sign in with Google", web_address},
    {"GOOGLE_OAUTH_TOKEN_URL", "auth", at<&Config::google, &GoogleConfig::token_url>(), "where a code is exchanged", web_address},
    {"GOOGLE_OAUTH_USERINFO_URL", "auth", at<&Config::google, &GoogleConfig::userinfo_url>(), "asked where the ID token lacks something", web_address},
    {"GOOGLE_OAUTH_JWKS_URL", "auth", at<&Config::google, &GoogleConfig::jwks_url>(), "the keys of Google's ID tokens", web_address},
    {"AUTH_DEV_PROVIDER", "auth", at<&Config::google, &GoogleConfig::development_provider>(), "the built-in provider at /_dev/idp answers in Google's place, while neither AUTH_GOOGLE_ENABLED nor GOOGLE_OAUTH_CLIENT_ID is set; never outside local-like profiles", {.default_note = "true in local-like profiles without DATABASE_URL, else false"}},
    {"OIDC_PROVIDERS", "auth", at<&Config::oidc, &OidcConfig::names>(), "further providers of OpenID Connect, by names of ours: each needs OIDC_<NAME>_ISSUER, _CLIENT_ID and _CLIENT_SECRET, outside local-like profiles _REDIRECT_URL; _LABEL is what people read", {.valid = "a to z, digits and -, at most 16 names of at most 32 characters"}},
    {"AUTH_LOCAL_REQUIRE_EMAIL_VERIFICATION", "auth", at<&Config::auth, &AuthConfig::require_email_verification>(), "no login before the address is verified; needs AUTH_LOCAL_ENABLED", plain},
    {"AUTH_EMAIL_VERIFY_TOKEN_TTL", "auth", at<&Config::auth, &AuthConfig::email_verify_ttl>(), "life of a verification link", {.valid = "above 0, at most 24h"}},
    {"AUTH_EMAIL_VERIFY_BASE_URL", "auth", at<&Config::auth, &AuthConfig::email_verify_base_url>(), "page that verification links lead to", {.default_note = "PUBLIC_URL/account/verify while AUTH_HOSTED_PAGES", .trim = true}},
    {"AUTH_PASSWORD_RESET_TOKEN_TTL", "auth", at<&Config::auth, &AuthConfig::password_reset_ttl>(), "life of a reset link", {.valid = "above 0, at most 24h"}},
    {"AUTH_PASSWORD_RESET_BASE_URL", "auth", at<&Config::auth, &AuthConfig::password_reset_base_url>(), "page that reset links lead to", {.default_note = "PUBLIC_URL/account/reset while AUTH_HOSTED_PAGES", .trim = true}},
    {"PASSWORD_HASH_WORKERS", "auth", at<&Config::auth, &AuthConfig::password_hash_workers>(), "password hashes at once, 64 MiB each; 0: one per core", {.range = between(0, 256)}},
    {"PASSWORD_HASH_QUEUE", "auth", at<&Config::auth, &AuthConfig::password_hash_queue_max>(), "logins waiting for a hash; beyond: 503", {.range = between(1, 65'536)}},
    {"BOOTSTRAP_ADMIN_EMAIL", "auth", at<&Config::auth, &AuthConfig::bootstrap_admin_email>(), "the account that becomes admin", policy},
    {"RBAC_PROTECTED_ROLES", "rbac", at<&Config::rbac, &RbacConfig::protected_roles>(), "roles that nobody may change or delete", plain},
    {"RBAC_PROTECTED_PERMISSIONS", "rbac", at<&Config::rbac, &RbacConfig::protected_permissions>(), "permissions that nobody may change or delete", {.valid = "resource:action each"}},
    {"AUDIT_RETENTION", "audit", at<&Config::audit, &AuditConfig::retention>(), "age at which rows of the audit trail are removed; 0s keeps all", {.range = between(0ms, std::chrono::hours(24 * 365 * 20))}},
});

constexpr auto protection_variables = std::to_array<Variable>({
    {"API_RATE_LIMIT_PER_MIN", "rate limits", at<&Config::rate_limits, &RateLimitConfig::api_per_minute>(), "all requests of a client", positive},
    {"AUTH_RATE_LIMIT_PER_MIN", "rate limits", at<&Config::rate_limits, &RateLimitConfig::auth_per_minute>(), "authentication routes", positive},
    {"AUTH_PASSWORD_FORGOT_RATE_LIMIT_PER_MIN", "rate limits", at<&Config::rate_limits, &RateLimitConfig::forgot_per_minute>(), "forgotten passwords", positive},
    {"RATE_LIMIT_LOGIN_PER_MIN", "rate limits", at<&Config::rate_limits, &RateLimitConfig::login_per_minute>(), "logins", positive},
    {"RATE_LIMIT_REFRESH_PER_MIN", "rate limits", at<&Config::rate_limits, &RateLimitConfig::refresh_per_minute>(), "refreshes", positive},
    {"RATE_LIMIT_ADMIN_WRITE_PER_MIN", "rate limits", at<&Config::rate_limits, &RateLimitConfig::admin_write_per_minute>(), "changes by administrators", positive},
    {"RATE_LIMIT_ADMIN_SYNC_PER_MIN", "rate limits", at<&Config::rate_limits, &RateLimitConfig::admin_sync_per_minute>(), "permission syncs", positive},
    {"RATE_LIMIT_BURST_MULTIPLIER", "rate limits", at<&Config::rate_limits, &RateLimitConfig::burst_multiplier>(), "bucket size relative to the limit", {.valid = "1 to 10"}},
    {"RATE_LIMIT_SUSTAINED_WINDOW", "rate limits", at<&Config::rate_limits, &RateLimitConfig::sustained_window>(), "the sliding window", {.valid = "1s to 15m"}},
    {"RATE_LIMIT_REDIS_ENABLED", "rate limits", at<&Config::rate_limits, &RateLimitConfig::redis_enabled>(), "limits shared through Redis, where there is one; true in prod-like profiles", plain},
    {"RATE_LIMIT_REDIS_PREFIX", "rate limits", at<&Config::rate_limits, &RateLimitConfig::redis_prefix>(), "key prefix", plain},
    {"RATE_LIMIT_REDIS_OUTAGE_POLICY_API", "rate limits", at<&Config::rate_limits, &RateLimitConfig::outage, &OutagePolicies::api>(), "while Redis cannot be reached", policy},
    {"RATE_LIMIT_REDIS_OUTAGE_POLICY_AUTH", "rate limits", at<&Config::rate_limits, &RateLimitConfig::outage, &OutagePolicies::auth>(), "fail_closed in prod-like profiles", policy},
    {"RATE_LIMIT_REDIS_OUTAGE_POLICY_FORGOT", "rate limits", at<&Config::rate_limits, &RateLimitConfig::outage, &OutagePolicies::forgot>(), "fail_closed in prod-like profiles", policy},
    {"RATE_LIMIT_REDIS_OUTAGE_POLICY_ROUTE_LOGIN", "rate limits", at<&Config::rate_limits, &RateLimitConfig::outage, &OutagePolicies::route_login>(), "fail_closed in prod-like profiles", policy},
    {"RATE_LIMIT_REDIS_OUTAGE_POLICY_ROUTE_REFRESH", "rate limits", at<&Config::rate_limits, &RateLimitConfig::outage, &OutagePolicies::route_refresh>(), "while Redis cannot be reached", policy},
    {"RATE_LIMIT_REDIS_OUTAGE_POLICY_ROUTE_ADMIN_WRITE", "rate limits", at<&Config::rate_limits, &RateLimitConfig::outage, &OutagePolicies::route_admin_write>(), "fail_closed in prod-like profiles", policy},
    {"RATE_LIMIT_REDIS_OUTAGE_POLICY_ROUTE_ADMIN_SYNC", "rate limits", at<&Config::rate_limits, &RateLimitConfig::outage, &OutagePolicies::route_admin_sync>(), "fail_closed in prod-like profiles", policy},

    {"AUTH_ABUSE_PROTECTION_ENABLED", "abuse", at<&Config::abuse, &AbuseConfig::enabled>(), "growing delays after failed logins", plain},
    {"AUTH_ABUSE_FREE_ATTEMPTS", "abuse", at<&Config::abuse, &AbuseConfig::free_attempts>(), "failures before the first delay", {.valid = "0 to 20"}},
    {"AUTH_ABUSE_BASE_DELAY", "abuse", at<&Config::abuse, &AbuseConfig::base_delay>(), "the first delay", {.valid = "1s to 1m"}},
    {"AUTH_ABUSE_MULTIPLIER", "abuse", at<&Config::abuse, &AbuseConfig::multiplier>(), "growth of the delay", {.valid = "1 to 10"}},
    {"AUTH_ABUSE_MAX_DELAY", "abuse", at<&Config::abuse, &AbuseConfig::max_delay>(), "the longest delay", {.valid = "AUTH_ABUSE_BASE_DELAY to 1h"}},
    {"AUTH_ABUSE_RESET_WINDOW", "abuse", at<&Config::abuse, &AbuseConfig::reset_window>(), "after which failures are forgotten", {.valid = "1m to 24h"}},
    {"AUTH_ABUSE_REDIS_PREFIX", "abuse", at<&Config::abuse, &AbuseConfig::redis_prefix>(), "key prefix", plain},
    {"AUTH_BYPASS_INTERNAL_PROBES", "bypass", at<&Config::bypass, &BypassConfig::internal_probes>(), "health probes pass the limiter", plain},
    {"AUTH_BYPASS_TRUSTED_ACTORS", "bypass", at<&Config::bypass, &BypassConfig::trusted_actors>(), "the two lists below pass the limiter; needs one of them", plain},
    {"AUTH_BYPASS_TRUSTED_ACTOR_CIDRS", "bypass", at<&Config::bypass, &BypassConfig::trusted_actor_cidrs>(), "client addresses", {.valid = "CIDRs"}},
    {"AUTH_BYPASS_TRUSTED_ACTOR_SUBJECTS", "bypass", at<&Config::bypass, &BypassConfig::trusted_actor_subjects>(), "token subjects", plain},

    {"IDEMPOTENCY_ENABLED", "idempotency", at<&Config::idempotency, &IdempotencyConfig::enabled>(), "honour Idempotency-Key", plain},
    {"IDEMPOTENCY_REDIS_ENABLED", "idempotency", at<&Config::idempotency, &IdempotencyConfig::redis_enabled>(), "keep the keys in Redis; false: in the database, which commits them with the effect", plain},
    {"IDEMPOTENCY_STRICT", "idempotency", at<&Config::idempotency, &IdempotencyConfig::strict>(), "a key used with another body is 422, not 409", plain},
    {"IDEMPOTENCY_TTL", "idempotency", at<&Config::idempotency, &IdempotencyConfig::ttl>(), "how long an answer can be replayed", {.valid = "above 0, at most 168h"}},
    {"IDEMPOTENCY_LEASE", "idempotency", at<&Config::idempotency, &IdempotencyConfig::lease>(), "after it a request that died with the key is replaced", {.range = between(1s, 1h)}},
    {"IDEMPOTENCY_REDIS_PREFIX", "idempotency", at<&Config::idempotency, &IdempotencyConfig::redis_prefix>(), "key prefix", plain},
    {"IDEMPOTENCY_DB_CLEANUP_ENABLED", "idempotency", at<&Config::idempotency, &IdempotencyConfig::cleanup_enabled>(), "delete expired keys from the database", plain},
    {"IDEMPOTENCY_DB_CLEANUP_INTERVAL", "idempotency", at<&Config::idempotency, &IdempotencyConfig::cleanup_interval>(), "between two clean-ups", {.valid = "1s to 1h"}},
    {"IDEMPOTENCY_DB_CLEANUP_BATCH_SIZE", "idempotency", at<&Config::idempotency, &IdempotencyConfig::cleanup_batch_size>(), "rows deleted at once", {.valid = "1 to 10000"}},
});

constexpr auto backend_variables = std::to_array<Variable>({
    {"ADMIN_LIST_CACHE_ENABLED", "caches", at<&Config::caches, &CacheConfig::admin_list_enabled>(), "cache of the admin lists", plain},
    {"ADMIN_LIST_CACHE_TTL", "caches", at<&Config::caches, &CacheConfig::admin_list_ttl>(), "life of an entry", {.valid = "above 0, at most 10m"}},
    {"ADMIN_LIST_CACHE_REDIS_PREFIX", "caches", at<&Config::caches, &CacheConfig::admin_list_prefix>(), "key prefix", plain},
    {"NEGATIVE_LOOKUP_CACHE_ENABLED", "caches", at<&Config::caches, &CacheConfig::negative_lookup_enabled>(), "cache of what was not found", plain},
    {"NEGATIVE_LOOKUP_CACHE_TTL", "caches", at<&Config::caches, &CacheConfig::negative_lookup_ttl>(), "life of an entry", {.valid = "above 0, at most 1m"}},
    {"NEGATIVE_LOOKUP_CACHE_REDIS_PREFIX", "caches", at<&Config::caches, &CacheConfig::negative_lookup_prefix>(), "key prefix", plain},
    {"RBAC_PERMISSION_CACHE_ENABLED", "caches", at<&Config::caches, &CacheConfig::permission_enabled>(), "cache of a user's permissions", plain},
    {"RBAC_PERMISSION_CACHE_TTL", "caches", at<&Config::caches, &CacheConfig::permission_ttl>(), "life of an entry", {.valid = "above 0, at most 30m"}},
    {"RBAC_PERMISSION_CACHE_REDIS_PREFIX", "caches", at<&Config::caches, &CacheConfig::permission_prefix>(), "key prefix", plain},
    {"FEATURE_FLAG_EVAL_CACHE_REDIS_ENABLED", "caches", at<&Config::caches, &CacheConfig::flag_redis_enabled>(), "flag evaluations shared through Redis, where there is one", plain},

    {"REDIS_KEY_NAMESPACE", "redis", at<&Config::redis, &RedisConfig::key_namespace>(), "first part of every key", {.valid = "letters, digits, _ and -", .trim = true}},
    {"REDIS_ADDR", "redis", at<&Config::redis, &RedisConfig::address>(), "unset: the embedded stores; not loopback in prod-like profiles", {.valid = "host:port, several with commas, or sentinel://host:port,host:port/master"}},
    {"REDIS_USERNAME", "redis", at<&Config::redis, &RedisConfig::username>(), "needed outside local-like profiles", trimmed},
    {"REDIS_PASSWORD", "redis", at<&Config::redis, &RedisConfig::password>(), "needed outside local-like profiles", plain},
    {"REDIS_SENTINEL_USERNAME", "redis", at<&Config::redis, &RedisConfig::sentinel_username>(), "of the sentinels; unset: their default user", trimmed},
    {"REDIS_SENTINEL_PASSWORD", "redis", at<&Config::redis, &RedisConfig::sentinel_password>(), "of the sentinels; unset: they ask for none", plain},
    {"REDIS_DB", "redis", at<&Config::redis, &RedisConfig::database>(), "database number", plain},
    {"REDIS_TLS_ENABLED", "redis", at<&Config::redis, &RedisConfig::tls_enabled>(), "TLS 1.2 or newer; true outside local-like profiles", plain},
    {"REDIS_TLS_SERVER_NAME", "redis", at<&Config::redis, &RedisConfig::tls_server_name>(), "name that the certificate must carry; needed outside local-like profiles", trimmed},
    {"REDIS_TLS_CA_CERT_FILE", "redis", at<&Config::redis, &RedisConfig::tls_ca_file>(), "PEM file added to the system's roots", trimmed},
    {"REDIS_TLS_INSECURE_SKIP_VERIFY", "redis", at<&Config::redis, &RedisConfig::tls_skip_verify>(), "accept any certificate; false outside local-like profiles", plain},
    {"REDIS_COMMAND_TIMEOUT", "redis", at<&Config::redis, &RedisConfig::command_timeout>(), "for an answer before the request goes on without Redis", {.range = between(10ms, 3s)}},
    {"REDIS_DIAL_TIMEOUT", "redis", at<&Config::redis, &RedisConfig::dial_timeout>(), "to connect; at most 1s of it for one attempt", {.valid = "100ms to 30s"}},
    {"REDIS_READ_TIMEOUT", "redis", at<&Config::redis, &RedisConfig::read_timeout>(), "for an answer, where shorter than REDIS_COMMAND_TIMEOUT", {.valid = "100ms to 30s"}},
    {"REDIS_WRITE_TIMEOUT", "redis", at<&Config::redis, &RedisConfig::write_timeout>(), "read; REDIS_COMMAND_TIMEOUT covers it", {.valid = "100ms to 30s"}},
    {"REDIS_MAX_RETRIES", "redis", at<&Config::redis, &RedisConfig::retries_max>(), "-1: none; 0: the usual 3", {.valid = "-1 to 20"}},
    {"REDIS_MIN_RETRY_BACKOFF", "redis", at<&Config::redis, &RedisConfig::retry_backoff_min>(), "the first wait", {.valid = "0 to 5s"}},
    {"REDIS_MAX_RETRY_BACKOFF", "redis", at<&Config::redis, &RedisConfig::retry_backoff_max>(), "the longest wait", {.valid = "REDIS_MIN_RETRY_BACKOFF to 30s"}},
    {"REDIS_POOL_SIZE", "redis", at<&Config::redis, &RedisConfig::pool_size>(), "read; each worker has one connection to each server", {.valid = "1 to 1000"}},
    {"REDIS_MIN_IDLE_CONNS", "redis", at<&Config::redis, &RedisConfig::idle_connections_min>(), "read; a connection stays open once made", {.valid = "0 to REDIS_POOL_SIZE"}},
    {"REDIS_POOL_TIMEOUT", "redis", at<&Config::redis, &RedisConfig::pool_timeout>(), "read; no command waits for a free connection", {.valid = "100ms to 30s"}},

    {"MINIO_ENDPOINT", "blobs", at<&Config::blob, &BlobConfig::endpoint>(), "S3-compatible store, without a scheme; unset: a folder in DATA_DIR", {.valid = "host:port"}},
    {"MINIO_PUBLIC_ENDPOINT", "blobs", at<&Config::blob, &BlobConfig::public_endpoint>(), "what signed URLs name; unset: MINIO_ENDPOINT", {.valid = "host:port, or with http:// or https://"}},
    {"MINIO_ACCESS_KEY", "blobs", at<&Config::blob, &BlobConfig::access_key>(), "needed in prod-like profiles", plain},
    {"MINIO_SECRET_KEY", "blobs", at<&Config::blob, &BlobConfig::secret_key>(), "needed in prod-like profiles", plain},
    {"MINIO_BUCKET_NAME", "blobs", at<&Config::blob, &BlobConfig::bucket>(), "bucket of the avatars", plain},
    {"MINIO_REGION", "blobs", at<&Config::blob, &BlobConfig::region>(), "region that requests are signed for", trimmed},
    {"MINIO_USE_SSL", "blobs", at<&Config::blob, &BlobConfig::use_tls>(), "HTTPS; true in prod-like profiles", plain},

    {"SMTP_URL", "mail", at<&Config::mail, &MailConfig::smtp_url>(), "mail server; unset: the development mailbox", {.valid = "smtp://user:password@host:port or smtps://…", .trim = true}},
    {"SMTP_REQUIRE_TLS", "mail", at<&Config::mail, &MailConfig::smtp_require_tls>(), "send nothing over smtp:// unless the server offers STARTTLS", plain},
    {"SMTP_CA_FILE", "mail", at<&Config::mail, &MailConfig::smtp_ca_file>(), "PEM of a certificate authority beside the system's", trimmed},
    {"SMTP_CONNECT_TIMEOUT", "mail", at<&Config::mail, &MailConfig::smtp_connect_timeout>(), "for a connection", {.range = between(100ms, 5min)}},
    {"SMTP_TIMEOUT", "mail", at<&Config::mail, &MailConfig::smtp_timeout>(), "for one message, from connecting to its acceptance", {.range = between(1s, 10min)}},
    {"SMTP_CONNECTIONS_MAX", "mail", at<&Config::mail, &MailConfig::smtp_connections_max>(), "messages that a node sends at once; those tried before take half of them", {.range = between(1, 64)}},
    {"MAIL_FROM", "mail", at<&Config::mail, &MailConfig::from>(), "sender of our mail", {.valid = "an address", .trim = true}},
    {"MAIL_FROM_NAME", "mail", at<&Config::mail, &MailConfig::from_name>(), "name beside MAIL_FROM and in the texts", {.default_note = "OTEL_SERVICE_NAME", .trim = true}},
    {"MAIL_REPLY_TO", "mail", at<&Config::mail, &MailConfig::reply_to>(), "where answers go; empty: MAIL_FROM", {.valid = "an address", .trim = true}},
    {"MAIL_AGE_MAX", "mail", at<&Config::mail, &MailConfig::age_max>(), "after it a message that could not be sent is given up; one-time links expire before", {.range = between(1min, std::chrono::hours(24 * 30))}},
    {"MAIL_ATTEMPTS_MAX", "mail", at<&Config::mail, &MailConfig::attempts_max>(), "temporary refusals of the server after which a message is given up", {.range = between(1, 1'000)}},
    {"MAIL_RETENTION", "mail", at<&Config::mail, &MailConfig::retention>(), "age at which messages that were sent or given up are deleted", {.range = between(1min, std::chrono::hours(24 * 365))}},

    {"OTEL_SERVICE_NAME", "telemetry", at<&Config::telemetry, &TelemetryConfig::service_name>(), "service.name", plain},
    {"OTEL_ENVIRONMENT", "telemetry", at<&Config::telemetry, &TelemetryConfig::environment>(), "deployment environment", {.default_note = "APP_ENV"}},
    {"OTEL_EXPORTER_OTLP_ENDPOINT", "telemetry", at<&Config::telemetry, &TelemetryConfig::endpoint>(), "the collector; unset: nothing is exported", {.valid = "host:port, or http(s)://host:port/path", .default_note = "none; localhost:4317 in prod-like profiles"}},
    {"OTEL_EXPORTER_OTLP_PROTOCOL", "telemetry", at<&Config::telemetry, &TelemetryConfig::protocol>(), "wire protocol", {.default_note = "by port: 4317 is grpc, any other http/protobuf", .trim = true, .lower = true}},
    {"OTEL_EXPORTER_OTLP_INSECURE", "telemetry", at<&Config::telemetry, &TelemetryConfig::insecure>(), "true: no TLS; a scheme in the endpoint decides by itself", plain},
    {"OTEL_EXPORTER_OTLP_COMPRESSION", "telemetry", at<&Config::telemetry, &TelemetryConfig::compression>(), "of export requests", {.trim = true, .lower = true}},
    {"OTEL_EXPORTER_OTLP_CERTIFICATE", "telemetry", at<&Config::telemetry, &TelemetryConfig::ca_file>(), "PEM file added to the system's roots", trimmed},
    {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "telemetry", at<&Config::telemetry, &TelemetryConfig::client_certificate_file>(), "PEM file of our certificate, where the collector wants one", trimmed},
    {"OTEL_EXPORTER_OTLP_CLIENT_KEY", "telemetry", at<&Config::telemetry, &TelemetryConfig::client_key_file>(), "PEM file of its key", trimmed},
    {"OTEL_EXPORTER_OTLP_HEADERS", "telemetry", at<&Config::telemetry, &TelemetryConfig::headers>(), "headers of every export", {.valid = "key=value,key=value"}},
    {"OTEL_EXPORTER_OTLP_TIMEOUT", "telemetry", at<&Config::telemetry, &TelemetryConfig::export_timeout_ms>(), "milliseconds for one export", {.range = between(1, 600'000)}},
    {"OTEL_RESOURCE_ATTRIBUTES", "telemetry", at<&Config::telemetry, &TelemetryConfig::resource_attributes>(), "further resource attributes", {.valid = "key=value,key=value"}},
    {"OTEL_METRICS_ENABLED", "telemetry", at<&Config::telemetry, &TelemetryConfig::metrics_enabled>(), "export metrics", plain},
    {"OTEL_TRACING_ENABLED", "telemetry", at<&Config::telemetry, &TelemetryConfig::tracing_enabled>(), "export traces", plain},
    {"OTEL_LOGS_ENABLED", "telemetry", at<&Config::telemetry, &TelemetryConfig::logs_enabled>(), "export logs", plain},
    {"OTEL_LOG_LEVEL", "telemetry", at<&Config::telemetry, &TelemetryConfig::log_level>(), "lowest level that is logged", {.lower = true}},
    {"OTEL_METRICS_EXPORT_INTERVAL", "telemetry", at<&Config::telemetry, &TelemetryConfig::metrics_interval>(), "between two exports", positive},
    {"OTEL_TRACE_SAMPLING_RATIO", "telemetry", at<&Config::telemetry, &TelemetryConfig::sampling_ratio>(), "share of traces that are kept", {.valid = "0 to 1, at most 0.2 in prod-like profiles"}},
    {"OTEL_BSP_SCHEDULE_DELAY", "telemetry", at<&Config::telemetry, &TelemetryConfig::span_delay_ms>(), "milliseconds between two exports of spans, and of log lines", {.range = between(1, 600'000)}},
    {"OTEL_BSP_EXPORT_TIMEOUT", "telemetry", at<&Config::telemetry, &TelemetryConfig::span_export_timeout_ms>(), "milliseconds for one export of spans; the smaller of this and OTEL_EXPORTER_OTLP_TIMEOUT counts", {.range = between(1, 600'000)}},
    {"OTEL_BSP_MAX_QUEUE_SIZE", "telemetry", at<&Config::telemetry, &TelemetryConfig::span_queue_max>(), "spans waiting, and log lines; beyond: the oldest are dropped and counted", {.range = between(1, 1'000'000)}},
    {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "telemetry", at<&Config::telemetry, &TelemetryConfig::span_batch_max>(), "spans, or log lines, of one export; at most OTEL_BSP_MAX_QUEUE_SIZE", {.range = between(1, 100'000)}},
});

// clang-format on

constexpr auto all_variables = [] {
    std::array<
        Variable,
        process_variables.size() + account_variables.size() + protection_variables.size() +
            backend_variables.size()>
        all{};
    auto* end = std::ranges::copy(process_variables, all.begin()).out;
    end = std::ranges::copy(account_variables, end).out;
    end = std::ranges::copy(protection_variables, end).out;
    std::ranges::copy(backend_variables, end);
    return all;
}();

std::string_view kind_name(Kind kind)
{
    switch (kind) {
        case Kind::text:
            return "text";
        case Kind::secret:
            return "secret text";
        case Kind::flag:
            return "true or false";
        case Kind::integer:
            return "whole number";
        case Kind::number:
            return "number";
        case Kind::duration:
            return "duration such as 500ms or 1h30m";
        case Kind::list:
            return "list with commas";
        case Kind::path:
            return "path";
        case Kind::choice:
            return "one of";
    }
    return "";
}

}  // namespace

std::span<const Variable> variables()
{
    return all_variables;
}

const Variable* find_variable(std::string_view name)
{
    const auto* found = std::ranges::find(all_variables, name, &Variable::name);
    return found == all_variables.end() ? nullptr : found;
}

std::string format_bound(const Variable& variable, std::int64_t bound)
{
    return variable.binding.kind == Kind::duration ? format_duration(Duration(bound))
                                                   : fmt::format("{}", bound);
}

std::string shape(const Variable& variable)
{
    const auto& [name, section, binding, help, traits] = variable;
    std::string text(kind_name(binding.kind));
    if (binding.kind == Kind::choice) {
        text += " " + binding.choices();
    }
    if (traits.range) {
        text += fmt::format(
            ", {} to {}", format_bound(variable, traits.range->min), format_bound(variable, traits.range->max)
        );
    } else if (!traits.valid.empty()) {
        text += fmt::format(", {}", traits.valid);
    }
    return text;
}

std::string default_text(const Variable& variable)
{
    if (!variable.traits.default_note.empty()) {
        return std::string(variable.traits.default_note);
    }
    return variable.binding.print(Config{});
}

}  // namespace kit::config
