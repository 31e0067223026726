// The settings, read once at start. Sections are aggregates whose initialisers are the defaults;
// variables.cpp names the environment variable of each. A component receives its own section only.
#pragma once

#include "platform/config/secret.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace kit::config {

using Duration = std::chrono::milliseconds;

enum class Engine : std::uint8_t { sqlite, postgres };
enum class JwtSigning : std::uint8_t { hs256, eddsa, es256 };
enum class LogLevel : std::uint8_t { debug, info, warn, error };
enum class OtlpProtocol : std::uint8_t {
    by_port,
    grpc,
    http_protobuf
};  // by_port: 4317 is gRPC, any other HTTP
enum class OtlpCompression : std::uint8_t { none, gzip };
enum class OutagePolicy : std::uint8_t { fail_open, fail_closed };
enum class SameSite : std::uint8_t { lax, strict, none };
enum class SqliteSynchronous : std::uint8_t { normal, full };

struct ProcessConfig {
    std::string environment = "development";    // as given
    std::filesystem::path data_dir = "./data";  // embedded database, local blobs, generated secrets

    std::filesystem::path blob_dir() const { return data_dir / "blobs"; }
};

struct HttpConfig {
    std::string bind;                              // empty: every interface, IPv6 and IPv4
    std::uint16_t port = 8080;                     // 0: any free one
    int workers = 0;                               // 0: one per core
    std::string admin_address = "127.0.0.1:9090";  // host:port, or "off"
    std::vector<std::string> cors_allowed_origins{"http://localhost:3000"};
    std::vector<std::string> trusted_proxies;  // CIDRs of peers whose forwarding headers count
    std::string public_url;  // by which browsers reach this server; load() fills in the local-like default
};

// The limits of the wire.
struct HttpLimits {
    std::size_t request_line_bytes_max = 8UL * 1024;
    std::size_t header_bytes_max = 16UL * 1024;
    std::size_t header_fields_max = 100;
    std::size_t body_bytes_max = 1024UL * 1024;
    std::size_t chunk_extension_bytes_max = 256;
    Duration header_time_max{5'000};
    std::size_t body_bytes_per_second_min = 1024;
    Duration idle_time_max{60'000};
    Duration write_time_max{10'000};
    Duration request_time_max{10'000};
    Duration linger_time_max{1'000};
    std::size_t connections_max = 20'000;
    std::size_t concurrency_min = 64;     // of a worker: requests at once below which none is shed
    std::size_t concurrency_max = 4'096;  // of a worker: requests at once, whatever their time in queues
};

struct HealthConfig {
    Duration probe_timeout{1'000};  // per readiness check
    Duration start_grace{0};        // not ready until then; 2 s outside the local-like profiles; <= 0: none
};

struct ShutdownConfig {
    Duration total{20'000};
    Duration http_drain{10'000};
    Duration observability{8'000};
    Duration prestop_delay{0};  // serving on while balancers notice; 5 s outside the local-like profiles
};

struct DatabaseConfig {
    Secret url;                         // empty: the embedded database
    Engine engine = Engine::sqlite;     // follows from the address
    std::filesystem::path sqlite_path;  // set by load() where the engine is sqlite
    bool auto_migrate = true;
    Duration query_time_max{2'000};
    std::size_t connections_per_worker_max = 4;
    std::size_t reader_threads_max = 4;
    std::size_t queue_max = 1'024;
    SqliteSynchronous synchronous = SqliteSynchronous::normal;
};

struct TokenConfig {
    std::string issuer = "everything-backend-starter-kit";
    std::string audience = "everything-backend-starter-kit-api";
    JwtSigning signing = JwtSigning::hs256;
    Duration key_rotation{std::chrono::hours(720)};  // from a signing key's first use to the next one's
    Duration jwks_cache{std::chrono::minutes(5)};    // how long others may keep /.well-known/jwks.json
    Secret access_secret;
    Secret refresh_secret;
    Duration access_ttl{std::chrono::minutes(15)};
    Duration refresh_ttl{std::chrono::hours(168)};
    Duration refresh_grace{std::chrono::seconds(10)
    };  // how long the just-replaced refresh token still counts
    Secret refresh_pepper;
    Secret oauth_state_secret;
};

struct SessionConfig {
    Duration absolute_ttl{0};                       // since the sign-in; 0: no end but the refresh token's
    Duration idle_ttl{0};                           // since the last refresh; 0: likewise
    Duration purge_after{std::chrono::hours(168)};  // after expiry
    Duration purge_interval{std::chrono::minutes(10)};
    int purge_batch_size = 500;  // rows deleted at once
};

struct CookieConfig {
    std::string domain;
    bool secure = true;
    SameSite same_site = SameSite::lax;
};

struct GoogleConfig {
    bool enabled = true;
    std::string client_id;
    Secret client_secret;
    std::string redirect_url = "http://localhost:8080/api/v1/auth/google/callback";
    std::string issuer = "https://accounts.google.com";
    std::string auth_url = "https://accounts.google.com/o/oauth2/auth";
    std::string token_url = "https://oauth2.googleapis.com/token";
    std::string userinfo_url = "https://openidconnect.googleapis.com/v1/userinfo";
    std::string jwks_url = "https://www.googleapis.com/oauth2/v3/certs";
    // The built-in provider answers in Google's place; load() decides where nobody has.
    bool development_provider = false;
};

// A provider of OpenID Connect, described by OIDC_<NAME>_… variables.
struct OidcProvider {
    std::string name;
    std::string label;  // what people read; empty: the name
    std::string issuer;
    std::string client_id;
    Secret client_secret;
    std::string
        redirect_url;  // our callback; empty: at the origin that a browser asks, in local-like profiles
};

struct OidcConfig {
    std::vector<std::string> names;
    std::vector<OidcProvider> providers;  // load() reads them
};

struct AuthConfig {
    bool local_enabled = true;
    bool hosted_pages = true;
    bool require_email_verification = false;
    Duration email_verify_ttl{std::chrono::minutes(30)};
    std::string email_verify_base_url;
    Duration password_reset_ttl{std::chrono::minutes(15)};
    std::string password_reset_base_url;
    std::string bootstrap_admin_email;
    int password_hash_workers = 0;  // 0: one per core; each running hash holds 64 MiB
    std::size_t password_hash_queue_max = 64;
};

struct RbacConfig {
    std::vector<std::string> protected_roles{"admin", "user"};
    std::vector<std::string> protected_permissions{
        "users:read", "users:write", "roles:read", "roles:write", "permissions:read", "permissions:write"
    };
};

struct AuditConfig {
    Duration retention{0};  // older rows of the audit trail are removed; 0: none
};

// What a limiter does while Redis cannot be reached.
struct OutagePolicies {
    OutagePolicy api = OutagePolicy::fail_open;
    OutagePolicy auth = OutagePolicy::fail_closed;
    OutagePolicy forgot = OutagePolicy::fail_closed;
    OutagePolicy route_login = OutagePolicy::fail_closed;
    OutagePolicy route_refresh = OutagePolicy::fail_closed;
    OutagePolicy route_admin_write = OutagePolicy::fail_closed;
    OutagePolicy route_admin_sync = OutagePolicy::fail_closed;
};

struct RateLimitConfig {
    int api_per_minute = 120;
    int auth_per_minute = 30;
    int forgot_per_minute = 5;
    int login_per_minute = 20;
    int refresh_per_minute = 30;
    int admin_write_per_minute = 30;
    int admin_sync_per_minute = 10;
    double burst_multiplier = 1.5;
    Duration sustained_window{std::chrono::minutes(1)};
    bool redis_enabled = true;
    std::string redis_prefix = "rl";
    OutagePolicies outage;
};

struct AbuseConfig {
    bool enabled = true;
    int free_attempts = 3;
    Duration base_delay{std::chrono::seconds(2)};
    double multiplier = 2.0;
    Duration max_delay{std::chrono::minutes(5)};
    Duration reset_window{std::chrono::minutes(30)};
    std::string redis_prefix = "auth_abuse";
};

struct BypassConfig {
    bool internal_probes = true;
    bool trusted_actors = false;
    std::vector<std::string> trusted_actor_cidrs;
    std::vector<std::string> trusted_actor_subjects;
};

struct CacheConfig {
    bool admin_list_enabled = true;
    Duration admin_list_ttl{std::chrono::seconds(30)};
    std::string admin_list_prefix = "admin_list_cache";
    bool negative_lookup_enabled = true;
    Duration negative_lookup_ttl{std::chrono::seconds(15)};
    std::string negative_lookup_prefix = "negative_lookup_cache";
    bool permission_enabled = true;
    Duration permission_ttl{std::chrono::minutes(5)};
    std::string permission_prefix = "rbac_perm";
    bool flag_redis_enabled = true;
};

struct IdempotencyConfig {
    bool enabled = true;
    bool redis_enabled = false;  // the database by default: only it commits the key with the effect
    bool strict = false;         // a key used with another body is 422, not 409
    Duration ttl{std::chrono::hours(24)};
    Duration lease{std::chrono::seconds(60)};  // after it a holder that died is replaced
    std::string redis_prefix = "idem";
    bool cleanup_enabled = true;
    Duration cleanup_interval{std::chrono::minutes(5)};
    int cleanup_batch_size = 500;
};

struct RedisConfig {
    std::string key_namespace = "v1";
    std::string address;  // empty: the embedded stores; as redis_address.hpp reads it
    std::string username;
    Secret password;
    std::string sentinel_username;
    Secret sentinel_password;  // of the sentinels themselves; empty: they ask for none
    int database = 0;
    bool tls_enabled = false;
    std::string tls_server_name;
    std::string tls_ca_file;
    bool tls_skip_verify = false;
    Duration command_timeout{100};
    Duration dial_timeout{5'000};
    Duration read_timeout{3'000};
    Duration write_timeout{3'000};
    int retries_max = 3;  // -1: none; 0: the default of 3
    Duration retry_backoff_min{8};
    Duration retry_backoff_max{512};
    int pool_size = 10;
    int idle_connections_min = 2;
    Duration pool_timeout{4'000};

    bool configured() const { return !address.empty(); }
};

struct BlobConfig {
    std::string endpoint;         // empty: a local folder
    std::string public_endpoint;  // what signed URLs name; empty: the endpoint
    std::string access_key;
    Secret secret_key;
    std::string bucket = "avatars";
    std::string region = "us-east-1";
    bool use_tls = false;

    bool configured() const { return !endpoint.empty(); }
};

struct MailConfig {
    Secret smtp_url;  // smtp:// or smtps://, may carry a password; empty: the development mailbox
    bool smtp_require_tls = false;
    std::string smtp_ca_file;
    Duration smtp_connect_timeout{5'000};
    Duration smtp_timeout{30'000};  // for one message
    std::size_t smtp_connections_max = 8;
    std::string from = "no-reply@localhost";
    std::string from_name;  // empty: OTEL_SERVICE_NAME
    std::string reply_to;
    Duration age_max{std::chrono::hours(24)};     // older messages are not sent any more
    int attempts_max = 30;                        // that the server refused
    Duration retention{std::chrono::hours(168)};  // of what was sent or given up

    bool configured() const { return !smtp_url.empty(); }
};

struct TelemetryConfig {
    std::string service_name = "everything-backend-starter-kit";
    std::string environment;  // load() fills in the process's
    std::string endpoint;     // empty: nothing is exported; load() fills in the prod-like default
    OtlpProtocol protocol = OtlpProtocol::by_port;
    bool insecure = true;
    Secret headers;  // k=v,k=v; may carry a key
    OtlpCompression compression = OtlpCompression::none;
    std::string ca_file;                  // PEM, beside the system's roots
    std::string client_certificate_file;  // PEM
    std::string client_key_file;          // PEM
    int export_timeout_ms = 10'000;
    std::string resource_attributes;
    bool metrics_enabled = true;
    bool tracing_enabled = true;
    bool logs_enabled = true;
    LogLevel log_level = LogLevel::info;
    Duration metrics_interval{std::chrono::seconds(10)};
    double sampling_ratio = 1.0;
    int span_delay_ms = 5'000;
    int span_export_timeout_ms = 30'000;
    std::size_t span_queue_max = 2'048;
    std::size_t span_batch_max = 512;

    bool enabled() const { return metrics_enabled || tracing_enabled || logs_enabled; }
};

enum class Source : std::uint8_t { default_value, environment, env_file, generated };

struct Config {
    ProcessConfig process;
    HttpConfig http;
    HttpLimits http_limits;
    HealthConfig health;
    ShutdownConfig shutdown;
    DatabaseConfig database;
    TokenConfig tokens;
    SessionConfig sessions;
    CookieConfig cookies;
    AuthConfig auth;
    GoogleConfig google;
    OidcConfig oidc;
    RbacConfig rbac;
    AuditConfig audit;
    RateLimitConfig rate_limits;
    AbuseConfig abuse;
    BypassConfig bypass;
    CacheConfig caches;
    IdempotencyConfig idempotency;
    RedisConfig redis;
    BlobConfig blob;
    MailConfig mail;
    TelemetryConfig telemetry;

    std::map<std::string, Source, std::less<>> sources;  // of what is not default
    std::vector<std::string> warnings;                   // nothing secret; for the log and for people

    // development, dev, local, test: secrets may be generated, mail goes to the development mailbox.
    bool local_like() const;

    // production, prod, staging, stage, preprod: the strict rules. A profile such as `qa` is neither.
    bool prod_like() const;

    bool given(std::string_view variable) const { return sources.contains(variable); }

    // Any feature that the settings send to Redis, whether or not there is one.
    bool wants_redis() const;
};

}  // namespace kit::config
