#include "platform/config/redis_address.hpp"
#include "platform/config/rules.hpp"
#include "platform/config/values.hpp"
#include "platform/config/variables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace kit::config {

namespace {

// Choices whose messages belong to the fixed rules, or which fall back.
constexpr bool has_own_rule(std::string_view variable)
{
    return variable.starts_with("RATE_LIMIT_REDIS_OUTAGE_POLICY_") || variable == "OTEL_LOG_LEVEL" ||
           variable == "COOKIE_SAMESITE";
}

void check_general(Rules& rules)
{
    for (const auto& variable : variables()) {
        if (const auto range = variable.traits.range) {
            const auto value = variable.binding.number(rules.config()).value_or(range->min);
            rules.require(
                value >= range->min && value <= range->max,
                variable.name,
                fmt::format(
                    "{} must be between {} and {}",
                    variable.name,
                    format_bound(variable, range->min),
                    format_bound(variable, range->max)
                )
            );
        }
        rules.require(
            has_own_rule(variable.name) || !rules.rejected(variable.name),
            variable.name,
            fmt::format("{} must be one of {}", variable.name, variable.binding.choices())
        );
    }
}

void check_database(Rules& rules)
{
    const auto& config = rules.config();
    const auto url = config.database.url.reveal();
    const bool sqlite = url.starts_with("sqlite:");
    rules.require(
        !sqlite || parse_sqlite_url(url),
        "DATABASE_URL",
        "DATABASE_URL must name an absolute path",
        "write three slashes and the path: sqlite:///var/lib/app/app.db"
    );
    const bool postgres = url.starts_with("postgres://") || url.starts_with("postgresql://") ||
                          (url.contains('=') && !url.contains("://"));
    rules.require(
        url.empty() || sqlite || postgres,
        "DATABASE_URL",
        "DATABASE_URL must be a postgres:// or sqlite:/// address",
        "use postgres://user:password@host:5432/name, host=… dbname=…, or sqlite:///absolute/path"
    );
    rules.require(
        !(config.prod_like() && sqlite && config.redis.configured()),
        "DATABASE_URL",
        "DATABASE_URL must be PostgreSQL in production/staging when REDIS_ADDR is set",
        "Redis says that there is more than one node, and SQLite serves one: name a PostgreSQL database, or "
        "leave "
        "REDIS_ADDR out"
    );
}

// What an envelope and a header can carry.
bool is_mail_address(std::string_view text)
{
    const auto at = text.rfind('@');
    return at != std::string_view::npos && at > 0 && at + 1 < text.size() &&
           std::ranges::none_of(text, [](char byte) {
               return static_cast<unsigned char>(byte) <= ' ' || byte == '<' || byte == '>' || byte == ',';
           });
}

// What stands before the path of a page's address.
bool is_web_origin(std::string_view text)
{
    return std::ranges::any_of(std::array{"http://", "https://"}, [text](std::string_view scheme) {
        return text.starts_with(scheme) && is_host_port(text.substr(scheme.size()), false);
    });
}

void check_addresses(Rules& rules)
{
    const auto& config = rules.config();
    rules.require(
        config.http.public_url.empty() || is_web_origin(config.http.public_url),
        "PUBLIC_URL",
        "PUBLIC_URL must be http:// or https:// and a host",
        "write it without a path and without a slash at its end, such as https://app.example.com"
    );
    rules.require(
        config.http.admin_address == "off" || is_host_port(config.http.admin_address),
        "ADMIN_HTTP_ADDR",
        "ADMIN_HTTP_ADDR must be host:port or off"
    );
    rules.require(
        std::ranges::all_of(config.http.trusted_proxies, is_cidr),
        "TRUSTED_PROXIES",
        "TRUSTED_PROXIES must contain valid CIDR values",
        "write every entry as address/length, such as 10.0.0.0/8, or 10.0.0.5/32 for one proxy"
    );
    const auto redis = trim(config.redis.address);
    rules.require(
        redis.empty() || parse_redis_address(redis),
        "REDIS_ADDR",
        "REDIS_ADDR must be host:port",
        "leave out the scheme, and name the port: redis.internal:6379; several with commas between them; for "
        "sentinels: sentinel://host:port,host:port/master"
    );
    const auto& blob = config.blob;
    rules.require(
        blob.endpoint.empty() || is_host_port(blob.endpoint, false),
        "MINIO_ENDPOINT",
        "MINIO_ENDPOINT must be host:port",
        "leave out the scheme (MINIO_USE_SSL chooses it): minio.internal:9000"
    );
    auto public_host = std::string_view(blob.public_endpoint);
    for (const std::string_view scheme : {"http://", "https://"}) {
        public_host.remove_prefix(public_host.starts_with(scheme) ? scheme.size() : 0);
    }
    rules.require(
        blob.public_endpoint.empty() || is_host_port(public_host, false),
        "MINIO_PUBLIC_ENDPOINT",
        "MINIO_PUBLIC_ENDPOINT must be host:port, with or without http:// or https://"
    );
    const auto smtp = config.mail.smtp_url.reveal();
    rules.require(
        smtp.empty() || smtp.starts_with("smtp://") || smtp.starts_with("smtps://"),
        "SMTP_URL",
        "SMTP_URL must begin with smtp:// or smtps://"
    );
    for (const auto& [variable, address] :
         {std::pair{std::string_view("MAIL_FROM"), std::string_view(config.mail.from)},
          {"MAIL_REPLY_TO", config.mail.reply_to}}) {
        const bool unset = address.empty() && variable != "MAIL_FROM";
        rules.require(
            unset || is_mail_address(address),
            variable,
            fmt::format("{} must be an email address", variable),
            "write the address alone, such as no-reply@example.com; MAIL_FROM_NAME is for the name"
        );
    }
}

// host:port, or a URL of http or https without user, query or fragment.
bool is_collector(std::string_view text)
{
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (text.starts_with(scheme)) {
            const auto rest = text.substr(scheme.size());
            return rest.find_first_of("?# ") == std::string_view::npos &&
                   is_host_port(rest.substr(0, rest.find('/')), false);
        }
    }
    return is_host_port(text);
}

void check_telemetry(Rules& rules)
{
    const auto& telemetry = rules.config().telemetry;
    rules.require(
        trim(telemetry.endpoint).empty() || is_collector(telemetry.endpoint),
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_ENDPOINT must be host:port or a URL of http or https",
        "name host and port, such as localhost:4317, or a URL, such as https://otel.internal:4318"
    );
    rules.require(
        telemetry.client_certificate_file.empty() == telemetry.client_key_file.empty(),
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY go together"
    );
    rules.require(
        telemetry.span_batch_max <= telemetry.span_queue_max,
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE must be <= OTEL_BSP_MAX_QUEUE_SIZE"
    );
}

}  // namespace

void check_more(Rules& rules)
{
    const auto& tokens = rules.config().tokens;
    rules.require(
        tokens.key_rotation > 2 * tokens.jwks_cache,
        "JWT_KEY_ROTATION",
        "JWT_KEY_ROTATION must be longer than twice JWT_JWKS_CACHE",
        "a new key is published for JWT_JWKS_CACHE before it signs: leave the keys time to"
    );
    check_general(rules);
    check_database(rules);
    check_addresses(rules);
    check_telemetry(rules);
    check_providers(rules);
    const auto& sessions = rules.config().sessions;
    rules.require(
        sessions.idle_ttl.count() == 0 || sessions.idle_ttl > rules.config().tokens.access_ttl,
        "SESSION_IDLE_TTL",
        "SESSION_IDLE_TTL must be longer than JWT_ACCESS_TTL",
        "a client refreshes when its access token expires: leave it time to, or write 0s"
    );
}

}  // namespace kit::config
