#include "platform/config/redis_address.hpp"
#include "platform/config/rules.hpp"
#include "platform/config/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace kit::config {

namespace {

bool blank(std::string_view text)
{
    return trim(text).empty();
}

bool is_placeholder(const Secret& secret)
{
    const auto lower = to_lower(secret.reveal());
    return std::ranges::any_of(std::array{"replace-with", "changeme", "example"}, [&](const char* word) {
        return lower.contains(word);
    });
}

// Any of several is enough: it is meant for another machine.
bool is_loopback(std::string_view address)
{
    const auto parsed = parse_redis_address(address);
    return parsed && std::ranges::any_of(parsed->endpoints, [](const Endpoint& endpoint) {
               return endpoint.host == "localhost" || endpoint.host == "127.0.0.1" ||
                      endpoint.host == "0.0.0.0" || endpoint.host == "::1";
           });
}

// Object storage is checked once any of its variables says that it is meant.
void check_production_blobs(Rules& rules)
{
    const auto& config = rules.config();
    const auto& blob = config.blob;
    const bool meant = std::ranges::any_of(config.sources, [](const auto& source) {
        return source.first.starts_with("MINIO_");
    });
    if (!meant) {
        return;
    }
    for (const auto& [variable, value] :
         {std::pair{std::string_view("MINIO_ENDPOINT"), std::string_view(blob.endpoint)},
          {"MINIO_BUCKET_NAME", blob.bucket},
          {"MINIO_ACCESS_KEY", blob.access_key},
          {"MINIO_SECRET_KEY", blob.secret_key.reveal()}}) {
        rules.require(
            !blank(value),
            variable,
            fmt::format("{} is required in production/staging", variable),
            fmt::format("set {}, or leave every MINIO_ variable out to keep blobs in DATA_DIR", variable)
        );
    }
    rules.require(blob.use_tls, "MINIO_USE_SSL", "MINIO_USE_SSL must be true in production/staging");
}

void check_production_policies(Rules& rules)
{
    const auto& outage = rules.config().rate_limits.outage;
    for (const auto& [scope, policy] :
         {std::pair{"AUTH", outage.auth},
          {"FORGOT", outage.forgot},
          {"ROUTE_LOGIN", outage.route_login},
          {"ROUTE_ADMIN_WRITE", outage.route_admin_write},
          {"ROUTE_ADMIN_SYNC", outage.route_admin_sync}}) {
        const auto variable = fmt::format("RATE_LIMIT_REDIS_OUTAGE_POLICY_{}", scope);
        rules.require(
            policy == OutagePolicy::fail_closed,
            variable,
            fmt::format("{} must be fail_closed in production/staging", variable)
        );
    }
}

void check_production(Rules& rules)
{
    const auto& config = rules.config();
    rules.require(config.cookies.secure, "COOKIE_SECURE", "COOKIE_SECURE must be true in production/staging");
    rules.require(
        !rules.rejected("COOKIE_SAMESITE") && config.cookies.same_site != SameSite::none,
        "COOKIE_SAMESITE",
        "COOKIE_SAMESITE must be lax or strict in production/staging"
    );
    const bool redis = config.redis.configured();
    rules.require(
        !redis || config.rate_limits.redis_enabled,
        "RATE_LIMIT_REDIS_ENABLED",
        "RATE_LIMIT_REDIS_ENABLED must be true in production/staging"
    );
    rules.require(
        !is_loopback(config.redis.address),
        "REDIS_ADDR",
        "REDIS_ADDR must not be loopback in production/staging"
    );
    rules.require(
        config.telemetry.sampling_ratio <= 0.2,
        "OTEL_TRACE_SAMPLING_RATIO",
        "OTEL_TRACE_SAMPLING_RATIO must be <= 0.2 in production/staging",
        "set OTEL_TRACE_SAMPLING_RATIO to 0.2 or less, such as 0.1"
    );
    std::string placeholders;
    for (const auto& secret : generated_secrets()) {
        if (is_placeholder(config.tokens.*secret.member)) {
            placeholders += placeholders.empty() ? "" : ", ";
            placeholders += secret.variable;
        }
    }
    rules.require(
        placeholders.empty(),
        placeholders.substr(0, placeholders.find(',')),
        "secrets must not use placeholder values in production/staging",
        secret_mend(placeholders)
    );
    if (redis) {
        check_production_policies(rules);
    }
    check_production_blobs(rules);
}

void check_remote_redis(Rules& rules)
{
    const auto& redis = rules.config().redis;
    const std::string_view suffix = "in non-local environments when Redis-backed features are enabled";
    rules.require(
        !redis.username.empty(), "REDIS_USERNAME", fmt::format("REDIS_USERNAME is required {}", suffix)
    );
    rules.require(
        !redis.password.empty(), "REDIS_PASSWORD", fmt::format("REDIS_PASSWORD is required {}", suffix)
    );
    rules.require(
        redis.tls_enabled, "REDIS_TLS_ENABLED", fmt::format("REDIS_TLS_ENABLED must be true {}", suffix)
    );
    rules.require(
        !redis.tls_server_name.empty(),
        "REDIS_TLS_SERVER_NAME",
        "REDIS_TLS_SERVER_NAME is required in non-local environments when REDIS_TLS_ENABLED=true"
    );
    rules.require(
        !redis.tls_skip_verify,
        "REDIS_TLS_INSECURE_SKIP_VERIFY",
        "REDIS_TLS_INSECURE_SKIP_VERIFY must be false in non-local environments"
    );
}

}  // namespace

void check_profile(Rules& rules)
{
    const auto& config = rules.config();
    if (config.prod_like()) {
        check_production(rules);
    }
    if (!config.local_like() && config.redis.configured() && config.wants_redis()) {
        check_remote_redis(rules);
    }
}

}  // namespace kit::config
