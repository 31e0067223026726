#include "fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

namespace kit::config {
namespace {

using ::testing::HasSubstr;

struct Case {
    std::string message;
    Values spoilt;
    Values base = development();
};

const Values qa = development() + Values{{"APP_ENV", "qa"}, {"AUTH_GOOGLE_ENABLED", "false"}};

// In the order in which the rules are checked.
std::vector<Case> account_cases()
{
    const std::string long_secret = secret_a + secret_b;
    return {
        {"DATABASE_URL is required", {{"DATABASE_URL", ""}}, production()},
        {"JWT_ACCESS_SECRET must be at least 32 chars", {{"JWT_ACCESS_SECRET", long_secret.substr(0, 31)}}},
        {"JWT_REFRESH_SECRET must be at least 32 chars", {{"JWT_REFRESH_SECRET", "short"}}},
        {"JWT_ACCESS_SECRET and JWT_REFRESH_SECRET must differ", {{"JWT_REFRESH_SECRET", secret_a}}},
        {"REFRESH_TOKEN_PEPPER must be at least 16 chars", {{"REFRESH_TOKEN_PEPPER", "fifteen-letters"}}},
        {"OAUTH_STATE_SECRET must be at least 16 chars", {{"OAUTH_STATE_SECRET", "fifteen-letters"}}},
        {"at least one auth provider must be enabled", {{"AUTH_LOCAL_ENABLED", "false"}}},
        {"GOOGLE_OAUTH_CLIENT_ID is required when AUTH_GOOGLE_ENABLED=true",
         {{"AUTH_GOOGLE_ENABLED", "true"}, {"GOOGLE_OAUTH_CLIENT_SECRET", "x"}}},
        {"GOOGLE_OAUTH_CLIENT_SECRET is required when AUTH_GOOGLE_ENABLED=true",
         {{"AUTH_GOOGLE_ENABLED", "true"}, {"GOOGLE_OAUTH_CLIENT_ID", "x"}}},
        {"AUTH_LOCAL_REQUIRE_EMAIL_VERIFICATION requires AUTH_LOCAL_ENABLED=true",
         {{"AUTH_LOCAL_REQUIRE_EMAIL_VERIFICATION", "true"},
          {"AUTH_LOCAL_ENABLED", "false"},
          {"GOOGLE_OAUTH_CLIENT_ID", "x"},
          {"GOOGLE_OAUTH_CLIENT_SECRET", "x"}}},
        {"AUTH_EMAIL_VERIFY_TOKEN_TTL must be between 1s and 24h", {{"AUTH_EMAIL_VERIFY_TOKEN_TTL", "24h1s"}}
        },
        {"AUTH_PASSWORD_RESET_TOKEN_TTL must be between 1s and 24h", {{"AUTH_PASSWORD_RESET_TOKEN_TTL", "0"}}
        },
        {"AUTH_PASSWORD_FORGOT_RATE_LIMIT_PER_MIN must be > 0",
         {{"AUTH_PASSWORD_FORGOT_RATE_LIMIT_PER_MIN", "0"}}},
        {"RBAC_PROTECTED_PERMISSIONS entries must use resource:action format",
         {{"RBAC_PROTECTED_PERMISSIONS", "users:read,users"}}},
        {"JWT_ACCESS_TTL must be between 1s and 1h", {{"JWT_ACCESS_TTL", "61m"}}},
        {"JWT_REFRESH_TTL must be between 1s and 30d", {{"JWT_REFRESH_TTL", "721h"}}},
    };
}

std::vector<Case> limit_cases()
{
    std::vector<Case> cases;
    for (const std::string name :
         {"AUTH_RATE_LIMIT_PER_MIN",
          "API_RATE_LIMIT_PER_MIN",
          "RATE_LIMIT_LOGIN_PER_MIN",
          "RATE_LIMIT_REFRESH_PER_MIN",
          "RATE_LIMIT_ADMIN_WRITE_PER_MIN",
          "RATE_LIMIT_ADMIN_SYNC_PER_MIN"}) {
        cases.push_back({name + " must be > 0", {{name, "0"}}});
    }
    cases.push_back(
        {"RATE_LIMIT_BURST_MULTIPLIER must be between 1 and 10", {{"RATE_LIMIT_BURST_MULTIPLIER", "10.1"}}}
    );
    cases.push_back(
        {"RATE_LIMIT_SUSTAINED_WINDOW must be between 1s and 15m", {{"RATE_LIMIT_SUSTAINED_WINDOW", "16m"}}}
    );
    for (const std::string scope :
         {"API", "AUTH", "FORGOT", "ROUTE_LOGIN", "ROUTE_REFRESH", "ROUTE_ADMIN_WRITE", "ROUTE_ADMIN_SYNC"}) {
        const auto name = "RATE_LIMIT_REDIS_OUTAGE_POLICY_" + scope;
        cases.push_back({name + " must be fail_open or fail_closed", {{name, "sometimes"}}});
    }
    const std::vector<Case> rest{
        {"AUTH_ABUSE_FREE_ATTEMPTS must be between 0 and 20", {{"AUTH_ABUSE_FREE_ATTEMPTS", "21"}}},
        {"AUTH_ABUSE_BASE_DELAY must be between 1s and 1m", {{"AUTH_ABUSE_BASE_DELAY", "500ms"}}},
        {"AUTH_ABUSE_MULTIPLIER must be between 1 and 10", {{"AUTH_ABUSE_MULTIPLIER", "0.9"}}},
        {"AUTH_ABUSE_MAX_DELAY must be >= AUTH_ABUSE_BASE_DELAY and <= 1h", {{"AUTH_ABUSE_MAX_DELAY", "1s"}}},
        {"AUTH_ABUSE_RESET_WINDOW must be between 1m and 24h", {{"AUTH_ABUSE_RESET_WINDOW", "59s"}}},
        {"AUTH_BYPASS_TRUSTED_ACTOR_CIDRS must contain valid CIDR values",
         {{"AUTH_BYPASS_TRUSTED_ACTOR_CIDRS", "10.0.0.0/8,10.0.0.1"}}},
        {"AUTH_BYPASS_TRUSTED_ACTORS requires AUTH_BYPASS_TRUSTED_ACTOR_CIDRS or "
         "AUTH_BYPASS_TRUSTED_ACTOR_SUBJECTS",
         {{"AUTH_BYPASS_TRUSTED_ACTORS", "true"}}},
        {"ADMIN_LIST_CACHE_TTL must be between 1s and 10m when admin list cache is enabled",
         {{"ADMIN_LIST_CACHE_TTL", "11m"}}},
        {"NEGATIVE_LOOKUP_CACHE_TTL must be between 1s and 1m when negative lookup cache is enabled",
         {{"NEGATIVE_LOOKUP_CACHE_TTL", "-1s"}}},
        {"RBAC_PERMISSION_CACHE_TTL must be between 1s and 30m when rbac permission cache is enabled",
         {{"RBAC_PERMISSION_CACHE_TTL", "31m"}}},
        {"IDEMPOTENCY_TTL must be between 1s and 168h", {{"IDEMPOTENCY_TTL", "169h"}}},
        {"IDEMPOTENCY_DB_CLEANUP_INTERVAL must be between 1s and 1h",
         {{"IDEMPOTENCY_DB_CLEANUP_INTERVAL", "2h"}}},
        {"IDEMPOTENCY_DB_CLEANUP_BATCH_SIZE must be between 1 and 10000",
         {{"IDEMPOTENCY_DB_CLEANUP_BATCH_SIZE", "0"}}},
    };
    std::ranges::copy(rest, std::back_inserter(cases));
    return cases;
}

std::vector<Case> redis_cases()
{
    return {
        {"REDIS_KEY_NAMESPACE must match ^[a-zA-Z0-9][a-zA-Z0-9_-]*$", {{"REDIS_KEY_NAMESPACE", "_v1"}}},
        {"REDIS_ADDR is required when Redis-backed features are enabled", {{"REDIS_ADDR", "  "}}},
        {"REDIS_TLS_SERVER_NAME requires REDIS_TLS_ENABLED=true", {{"REDIS_TLS_SERVER_NAME", "redis"}}},
        {"REDIS_TLS_CA_CERT_FILE requires REDIS_TLS_ENABLED=true", {{"REDIS_TLS_CA_CERT_FILE", "/dev/null"}}},
        {"REDIS_TLS_INSECURE_SKIP_VERIFY requires REDIS_TLS_ENABLED=true",
         {{"REDIS_TLS_INSECURE_SKIP_VERIFY", "true"}}},
        {"REDIS_TLS_CA_CERT_FILE must be readable",
         {{"REDIS_TLS_ENABLED", "true"}, {"REDIS_TLS_CA_CERT_FILE", "/nonexistent/ca.pem"}}},
        {"REDIS_TLS_CA_CERT_FILE must contain valid PEM certificates",
         {{"REDIS_TLS_ENABLED", "true"}, {"REDIS_TLS_CA_CERT_FILE", "/dev/null"}}},
        {"REDIS_DIAL_TIMEOUT must be between 100ms and 30s", {{"REDIS_DIAL_TIMEOUT", "99ms"}}},
        {"REDIS_READ_TIMEOUT must be between 100ms and 30s", {{"REDIS_READ_TIMEOUT", "31s"}}},
        {"REDIS_WRITE_TIMEOUT must be between 100ms and 30s", {{"REDIS_WRITE_TIMEOUT", "0"}}},
        {"REDIS_MAX_RETRIES must be between -1 and 20", {{"REDIS_MAX_RETRIES", "-2"}}},
        {"REDIS_MIN_RETRY_BACKOFF must be between 0 and 5s",
         {{"REDIS_MIN_RETRY_BACKOFF", "6s"}, {"REDIS_MAX_RETRY_BACKOFF", "7s"}}},
        {"REDIS_MAX_RETRY_BACKOFF must be >= REDIS_MIN_RETRY_BACKOFF and <= 30s",
         {{"REDIS_MAX_RETRY_BACKOFF", "1ms"}}},
        {"REDIS_POOL_SIZE must be between 1 and 1000", {{"REDIS_POOL_SIZE", "1001"}}},
        {"REDIS_MIN_IDLE_CONNS must be between 0 and REDIS_POOL_SIZE", {{"REDIS_MIN_IDLE_CONNS", "11"}}},
        {"REDIS_POOL_TIMEOUT must be between 100ms and 30s", {{"REDIS_POOL_TIMEOUT", "31s"}}},
        {"READINESS_PROBE_TIMEOUT must be > 0", {{"READINESS_PROBE_TIMEOUT", "0"}}},
        {"SHUTDOWN_TIMEOUT must be > 0", {{"SHUTDOWN_TIMEOUT", "-1s"}}, development()},
        {"SHUTDOWN_HTTP_DRAIN_TIMEOUT must be > 0", {{"SHUTDOWN_HTTP_DRAIN_TIMEOUT", "0"}}},
        {"SHUTDOWN_OBSERVABILITY_TIMEOUT must be > 0", {{"SHUTDOWN_OBSERVABILITY_TIMEOUT", "-1s"}}},
        {"SHUTDOWN_HTTP_DRAIN_TIMEOUT must be <= SHUTDOWN_TIMEOUT", {{"SHUTDOWN_HTTP_DRAIN_TIMEOUT", "21s"}}},
        {"SHUTDOWN_OBSERVABILITY_TIMEOUT must be <= SHUTDOWN_TIMEOUT",
         {{"SHUTDOWN_OBSERVABILITY_TIMEOUT", "21s"}}},
        {"OTEL_EXPORTER_OTLP_ENDPOINT is required when OTel is enabled",
         {{"OTEL_EXPORTER_OTLP_ENDPOINT", " "}}},
        {"OTEL_TRACE_SAMPLING_RATIO must be between 0 and 1", {{"OTEL_TRACE_SAMPLING_RATIO", "1.1"}}},
        {"OTEL_METRICS_EXPORT_INTERVAL must be > 0", {{"OTEL_METRICS_EXPORT_INTERVAL", "0s"}}},
        {"OTEL_LOG_LEVEL must be one of debug, info, warn, error", {{"OTEL_LOG_LEVEL", "trace"}}},
    };
}

std::vector<Case> profile_cases()
{
    std::vector<Case> cases{
        {"COOKIE_SECURE must be true in production/staging", {{"COOKIE_SECURE", "false"}}},
        {"COOKIE_SAMESITE must be lax or strict in production/staging", {{"COOKIE_SAMESITE", "none"}}},
        {"RATE_LIMIT_REDIS_ENABLED must be true in production/staging",
         {{"RATE_LIMIT_REDIS_ENABLED", "false"}}},
        {"REDIS_ADDR must not be loopback in production/staging", {{"REDIS_ADDR", "localhost:6379"}}},
        {"REDIS_ADDR must not be loopback in production/staging", {{"REDIS_ADDR", "one:6379,127.0.0.1:6379"}}
        },
        {"REDIS_ADDR must not be loopback in production/staging",
         {{"REDIS_ADDR", "sentinel://localhost:26379/main"}}},
        {"OTEL_TRACE_SAMPLING_RATIO must be <= 0.2 in production/staging",
         {{"OTEL_TRACE_SAMPLING_RATIO", "0.21"}}},
        {"secrets must not use placeholder values in production/staging",
         {{"JWT_ACCESS_SECRET", "Replace-With-32-bytes-of-randomness-0123"},
          {"OAUTH_STATE_SECRET", "CHANGEME-changeme"}}},
    };
    for (const std::string scope :
         {"AUTH", "FORGOT", "ROUTE_LOGIN", "ROUTE_ADMIN_WRITE", "ROUTE_ADMIN_SYNC"}) {
        const auto name = "RATE_LIMIT_REDIS_OUTAGE_POLICY_" + scope;
        cases.push_back({name + " must be fail_closed in production/staging", {{name, "fail_open"}}});
    }
    const std::vector<Case> rest{
        {"MINIO_ENDPOINT is required in production/staging", {{"MINIO_ENDPOINT", ""}}},
        {"MINIO_BUCKET_NAME is required in production/staging", {{"MINIO_BUCKET_NAME", " "}}},
        {"MINIO_ACCESS_KEY is required in production/staging", {{"MINIO_ACCESS_KEY", ""}}},
        {"MINIO_SECRET_KEY is required in production/staging", {{"MINIO_SECRET_KEY", ""}}},
        {"MINIO_USE_SSL must be true in production/staging", {{"MINIO_USE_SSL", "false"}}},
        {"REDIS_USERNAME is required in non-local environments when Redis-backed features are enabled",
         {{"REDIS_USERNAME", ""}}},
        {"REDIS_PASSWORD is required in non-local environments when Redis-backed features are enabled",
         {{"REDIS_PASSWORD", ""}}},
        {"REDIS_TLS_ENABLED must be true in non-local environments when Redis-backed features are enabled; "
         "REDIS_TLS_SERVER_NAME is required in non-local environments when REDIS_TLS_ENABLED=true",
         {{"REDIS_TLS_ENABLED", "false"}, {"REDIS_TLS_SERVER_NAME", ""}}},
        {"REDIS_TLS_SERVER_NAME is required in non-local environments when REDIS_TLS_ENABLED=true",
         {{"REDIS_TLS_SERVER_NAME", ""}}},
        {"REDIS_TLS_INSECURE_SKIP_VERIFY must be false in non-local environments",
         {{"REDIS_TLS_INSECURE_SKIP_VERIFY", "true"}}},
    };
    std::ranges::copy(rest, std::back_inserter(cases));
    for (auto& spoilt : cases) {
        spoilt.base = cluster();
    }
    return cases;
}

void expect_each(const std::vector<Case>& cases)
{
    for (const auto& [message, spoilt, base] : cases) {
        ASSERT_EQ(faults_of(base), "");
        EXPECT_EQ(faults_of(base + spoilt), "validate config: " + message);
    }
}

TEST(FixedRules, Accounts)
{
    expect_each(account_cases());
}

TEST(FixedRules, Limits)
{
    expect_each(limit_cases());
}

TEST(FixedRules, RedisAndRunning)
{
    auto cases = redis_cases();
    // A total below zero is below its parts too.
    const auto total = std::ranges::find(cases, "SHUTDOWN_TIMEOUT must be > 0", &Case::message);
    EXPECT_EQ(
        faults_of(total->base + total->spoilt),
        "validate config: SHUTDOWN_TIMEOUT must be > 0; SHUTDOWN_HTTP_DRAIN_TIMEOUT must be <= "
        "SHUTDOWN_TIMEOUT; "
        "SHUTDOWN_OBSERVABILITY_TIMEOUT must be <= SHUTDOWN_TIMEOUT"
    );
    cases.erase(total);
    expect_each(cases);
}

TEST(FixedRules, Profiles)
{
    expect_each(profile_cases());
}

// Everything that can be wrong at once, in the order of the rules.
TEST(FixedRules, AreReportedTogetherAndInOrder)
{
    auto values = cluster();
    std::vector<std::string> expected;
    for (const auto& cases : {account_cases(), limit_cases(), redis_cases(), profile_cases()}) {
        for (const auto& spoilt : cases) {
            values = std::move(values) + spoilt.spoilt;
            expected.push_back(spoilt.message);
        }
    }
    const auto config = load_values(values);
    ASSERT_FALSE(config);
    std::size_t last = 0;
    std::size_t known = 0;
    for (const auto& fault : config.error()) {
        const auto at = std::ranges::find(expected, fault.message);
        if (at != expected.end()) {
            const auto index = static_cast<std::size_t>(at - expected.begin());
            EXPECT_GE(index, last) << fault.message;
            last = index;
            ++known;
        }
        EXPECT_FALSE(fault.mend.empty()) << fault.message;
        EXPECT_FALSE(fault.variable.empty()) << fault.message;
    }
    EXPECT_GE(known, 60U);
}

TEST(FixedRules, BoundsThemselvesAreAccepted)
{
    EXPECT_EQ(
        faults_of(
            development() +
            Values{
                {"JWT_ACCESS_TTL", "1h"},
                {"JWT_REFRESH_TTL", "720h"},
                {"AUTH_EMAIL_VERIFY_TOKEN_TTL", "24h"},
                {"AUTH_PASSWORD_RESET_TOKEN_TTL", "1ms"},
                {"RATE_LIMIT_BURST_MULTIPLIER", "10"},
                {"RATE_LIMIT_SUSTAINED_WINDOW", "15m"},
                {"AUTH_ABUSE_FREE_ATTEMPTS", "0"},
                {"AUTH_ABUSE_BASE_DELAY", "1m"},
                {"AUTH_ABUSE_MAX_DELAY", "1m"},
                {"AUTH_ABUSE_RESET_WINDOW", "24h"},
                {"ADMIN_LIST_CACHE_TTL", "10m"},
                {"IDEMPOTENCY_TTL", "168h"},
                {"IDEMPOTENCY_DB_CLEANUP_BATCH_SIZE", "10000"},
                {"REDIS_DIAL_TIMEOUT", "100ms"},
                {"REDIS_MAX_RETRIES", "-1"},
                {"REDIS_MIN_RETRY_BACKOFF", "0"},
                {"REDIS_MAX_RETRY_BACKOFF", "30s"},
                {"REDIS_POOL_SIZE", "2"},
                {"REDIS_MIN_IDLE_CONNS", "2"},
                {"SHUTDOWN_HTTP_DRAIN_TIMEOUT", "20s"},
                {"OTEL_TRACE_SAMPLING_RATIO", "0"},
            }
        ),
        ""
    );
}

TEST(FixedRules, WhatIsSwitchedOffIsNotChecked)
{
    EXPECT_EQ(
        faults_of(
            development() +
            Values{
                {"ADMIN_LIST_CACHE_ENABLED", "0"},
                {"ADMIN_LIST_CACHE_TTL", "1000h"},
                {"NEGATIVE_LOOKUP_CACHE_ENABLED", "0"},
                {"NEGATIVE_LOOKUP_CACHE_TTL", "0"},
                {"RBAC_PERMISSION_CACHE_ENABLED", "0"},
                {"RBAC_PERMISSION_CACHE_TTL", "0"},
                {"IDEMPOTENCY_DB_CLEANUP_ENABLED", "0"},
                {"IDEMPOTENCY_DB_CLEANUP_INTERVAL", "0"},
                {"OTEL_METRICS_ENABLED", "0"},
                {"OTEL_TRACING_ENABLED", "0"},
                {"OTEL_LOGS_ENABLED", "0"},
                {"OTEL_EXPORTER_OTLP_ENDPOINT", " "},
            }
        ),
        ""
    );
    // Keys in Redis need no clean-up; without Redis they stay in the database whatever the switch says.
    const Values in_redis{{"IDEMPOTENCY_REDIS_ENABLED", "1"}, {"IDEMPOTENCY_DB_CLEANUP_INTERVAL", "0"}};
    EXPECT_EQ(faults_of(cluster() + in_redis), "");
    EXPECT_THAT(faults_of(development() + in_redis), HasSubstr("IDEMPOTENCY_DB_CLEANUP_INTERVAL"));
}

TEST(FixedRules, ACertificateFileIsAccepted)
{
    const TemporaryFolder folder;
    const auto file = folder.path() / "ca.pem";
    std::ofstream(file) << "# ours\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    EXPECT_EQ(faults_of(cluster() + Values{{"REDIS_TLS_CA_CERT_FILE", file.string()}}), "");
}

TEST(Profiles, AreKnownByNameWhateverTheCase)
{
    for (const char* name : {"development", "dev", "LOCAL", " Test "}) {
        EXPECT_EQ(faults_of({{"APP_ENV", name}}), "") << name;
    }
    for (const char* name : {"production", "PROD", "staging", " stage", "preprod"}) {
        EXPECT_THAT(faults_of({{"APP_ENV", name}}), HasSubstr("DATABASE_URL is required")) << name;
    }
}

TEST(Profiles, ANodeAloneNeedsNeitherRedisNorObjectStore)
{
    EXPECT_EQ(faults_of(production()), "");
    EXPECT_EQ(faults_of(production() + Values{{"RATE_LIMIT_REDIS_ENABLED", "false"}}), "");
}

TEST(Profiles, OneVariableOfTheObjectStoreAsksForAll)
{
    EXPECT_EQ(
        faults_of(production() + Values{{"MINIO_ACCESS_KEY", "x"}}),
        "validate config: MINIO_ENDPOINT is required in production/staging; MINIO_SECRET_KEY is required in "
        "production/staging; MINIO_USE_SSL must be true in production/staging"
    );
}

TEST(Profiles, MissingSecretsAreRefusedOutsideTheLocalOnes)
{
    EXPECT_EQ(
        faults_of({{"APP_ENV", "qa"}, {"AUTH_GOOGLE_ENABLED", "false"}}),
        "validate config: JWT_ACCESS_SECRET must be at least 32 chars; JWT_REFRESH_SECRET must be at least "
        "32 chars; "
        "JWT_ACCESS_SECRET and JWT_REFRESH_SECRET must differ; REFRESH_TOKEN_PEPPER must be at least 16 "
        "chars; "
        "OAUTH_STATE_SECRET must be at least 16 chars"
    );
}

TEST(Profiles, OthersKeepTheRedisRulesOnly)
{
    EXPECT_EQ(faults_of(qa + Values{{"COOKIE_SECURE", "0"}, {"REDIS_PASSWORD", "x"}}), "");
    EXPECT_EQ(
        faults_of(
            qa + Values{{"REDIS_ADDR", "localhost:6379"}, {"REDIS_USERNAME", "u"}, {"REDIS_PASSWORD", "p"}}
        ),
        "validate config: REDIS_TLS_ENABLED must be true in non-local environments when Redis-backed "
        "features are "
        "enabled; REDIS_TLS_SERVER_NAME is required in non-local environments when REDIS_TLS_ENABLED=true"
    );
    EXPECT_EQ(
        faults_of(
            qa +
            Values{
                {"REDIS_ADDR", "localhost:6379"},
                {"RATE_LIMIT_REDIS_ENABLED", "0"},
                {"AUTH_ABUSE_PROTECTION_ENABLED", "0"},
                {"ADMIN_LIST_CACHE_ENABLED", "0"},
                {"NEGATIVE_LOOKUP_CACHE_ENABLED", "0"},
                {"RBAC_PERMISSION_CACHE_ENABLED", "0"},
                {"FEATURE_FLAG_EVAL_CACHE_REDIS_ENABLED", "0"},
            }
        ),
        ""
    ) << "no feature uses Redis";
}

TEST(OtherRules, EachHasItsMessage)
{
    expect_each({
        {"DATABASE_URL must name an absolute path", {{"DATABASE_URL", "sqlite://app.db"}}},
        {"DATABASE_URL must be a postgres:// or sqlite:/// address", {{"DATABASE_URL", "mysql://u:p@h/d"}}},
        {"DATABASE_URL must be a postgres:// or sqlite:/// address", {{"DATABASE_URL", "app.db"}}},
        {"DATABASE_URL must be PostgreSQL in production/staging when REDIS_ADDR is set",
         {{"DATABASE_URL", "sqlite:///a.db"}},
         cluster()},
        {"ADMIN_HTTP_ADDR must be host:port or off", {{"ADMIN_HTTP_ADDR", "9090"}}},
        {"TRUSTED_PROXIES must contain valid CIDR values", {{"TRUSTED_PROXIES", "10.0.0.0/8, proxy"}}},
        {"REDIS_ADDR must be host:port", {{"REDIS_ADDR", "redis://redis:6379"}}},
        {"REDIS_ADDR must be host:port", {{"REDIS_ADDR", "one:6379,two"}}},
        {"REDIS_ADDR must be host:port", {{"REDIS_ADDR", "sentinel://one:26379,two:26379"}}},
        {"MINIO_ENDPOINT must be host:port", {{"MINIO_ENDPOINT", "http://minio:9000"}}},
        {"MINIO_PUBLIC_ENDPOINT must be host:port, with or without http:// or https://",
         {{"MINIO_PUBLIC_ENDPOINT", "ftp://minio"}}},
        {"SMTP_URL must begin with smtp:// or smtps://", {{"SMTP_URL", "mail.internal:25"}}},
        {"MAIL_FROM must be an email address", {{"MAIL_FROM", "nobody"}}},
        {"MAIL_FROM must be an email address", {{"MAIL_FROM", "App <app@example.com>"}}},
        {"MAIL_REPLY_TO must be an email address", {{"MAIL_REPLY_TO", "a@b\r\nBcc: c@d"}}},
        {"SQLITE_SYNCHRONOUS must be one of normal, full", {{"SQLITE_SYNCHRONOUS", "off"}}},
        {"PUBLIC_URL must be http:// or https:// and a host", {{"PUBLIC_URL", "https://app.example.com/"}}},
        {"PUBLIC_URL must be http:// or https:// and a host", {{"PUBLIC_URL", "app.example.com"}}},
        {"JWT_KEY_ROTATION must be longer than twice JWT_JWKS_CACHE",
         {{"JWT_KEY_ROTATION", "1h"}, {"JWT_JWKS_CACHE", "30m"}}},
        {"JWT_SIGNING must be one of HS256, EdDSA, ES256", {{"JWT_SIGNING", "none"}}},
        {"OTEL_EXPORTER_OTLP_PROTOCOL must be one of grpc, http/protobuf",
         {{"OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"}}},
        {"OTEL_EXPORTER_OTLP_ENDPOINT must be host:port or a URL of http or https",
         {{"OTEL_EXPORTER_OTLP_ENDPOINT", "https://user:password@collector:4318"}}},
        {"OTEL_EXPORTER_OTLP_ENDPOINT must be host:port or a URL of http or https",
         {{"OTEL_EXPORTER_OTLP_ENDPOINT", "collector"}}},
        {"OTEL_EXPORTER_OTLP_COMPRESSION must be one of none, gzip",
         {{"OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"}}},
        {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY go together",
         {{"OTEL_EXPORTER_OTLP_CLIENT_KEY", "key.pem"}}},
        {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE must be <= OTEL_BSP_MAX_QUEUE_SIZE",
         {{"OTEL_BSP_MAX_QUEUE_SIZE", "10"}}},
    });
}

TEST(OtherRules, FormsOfAddressesAreAccepted)
{
    for (const char* url :
         {"postgres://h/d", "postgresql://h/d", "host=/run/postgresql dbname=app", "sqlite:///a.db"}) {
        EXPECT_EQ(faults_of(development() + Values{{"DATABASE_URL", url}}), "") << url;
    }
    EXPECT_EQ(
        faults_of(
            development() +
            Values{
                {"ADMIN_HTTP_ADDR", "off"},
                {"MINIO_ENDPOINT", "s3.eu.example.com"},
                {"MINIO_PUBLIC_ENDPOINT", "https://cdn:8443"},
                {"SMTP_URL", "smtp://localhost:1025"},
                {"TRUSTED_PROXIES", " , "},
                {"JWT_SIGNING", "eddsa"},
                {"PUBLIC_URL", "http://[::1]:8080"},
                {"REDIS_ADDR", "[::1]:6379, two:6379"},
                {"OTEL_EXPORTER_OTLP_PROTOCOL", " GRPC "},
            }
        ),
        ""
    );
}

}  // namespace
}  // namespace kit::config
