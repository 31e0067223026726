#include "platform/config/bind.hpp"
#include "platform/config/rules.hpp"
#include "platform/config/values.hpp"
#include "platform/config/variables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace kit::config {

namespace {

// Edits from one text to the other: insert, delete, replace, swap two neighbours (optimal string alignment).
std::size_t edit_distance(std::string_view from, std::string_view to)
{
    std::vector<std::size_t> before_last;
    std::vector<std::size_t> last;
    std::vector<std::size_t> row(to.size() + 1);
    for (std::size_t j = 0; j <= to.size(); ++j) {
        row[j] = j;
    }
    for (std::size_t i = 1; i <= from.size(); ++i) {
        before_last = std::exchange(last, row);
        row[0] = i;
        for (std::size_t j = 1; j <= to.size(); ++j) {
            const bool same = from[i - 1] == to[j - 1];
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
            if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1]) {
                row[j] = std::min(row[j], before_last[j - 2] + 1);
            }
        }
    }
    return row.back();
}

std::string_view prefix(std::string_view name)
{
    return name.substr(0, std::min(name.find('_'), name.size()) + 1);
}

// One slip in a short name, two in a long one: HTTP_HOST is not HTTP_PORT.
bool looks_like(std::string_view unknown, std::string_view known)
{
    constexpr std::size_t long_name = 12;
    const std::size_t slips_max = known.size() < long_name ? 1 : 2;
    return prefix(unknown) == prefix(known) && unknown.size() <= known.size() + slips_max &&
           known.size() <= unknown.size() + slips_max && edit_distance(unknown, known) <= slips_max;
}

bool is_origin(std::string_view text)
{
    const auto scheme = text.find("://");
    return scheme != std::string_view::npos && scheme > 0 && is_host_port(text.substr(scheme + 3), false);
}

void warn_about_http(const Config& config, const Environment& environment, std::vector<std::string>& warnings)
{
    const auto same_site = environment.find("COOKIE_SAMESITE").value_or("");
    if (!same_site.empty() && !detail::parse_choice<SameSite>(same_site)) {
        warnings.push_back(fmt::format("COOKIE_SAMESITE: {} is unknown: lax is used", quote(same_site)));
    }
    for (const auto& origin : config.http.cors_allowed_origins) {
        if (!is_origin(origin)) {
            warnings.push_back(fmt::format(
                "CORS_ALLOWED_ORIGINS: {} is no origin (scheme://host[:port]) and matches nothing",
                quote(origin)
            ));
        }
    }
    if (config.cookies.same_site == SameSite::none && !config.cookies.secure) {
        warnings.emplace_back("COOKIE_SAMESITE=none without COOKIE_SECURE=true: browsers drop such cookies");
    }
}

void warn_about_backends(const Config& config, std::vector<std::string>& warnings)
{
    if (!config.redis.configured()) {
        for (const std::string_view variable : {"REDIS_USERNAME", "REDIS_PASSWORD", "REDIS_TLS_ENABLED"}) {
            if (config.given(variable)) {
                warnings.push_back(fmt::format("{} is set but REDIS_ADDR is not: Redis is not used", variable)
                );
            }
        }
        if (config.idempotency.redis_enabled) {
            warnings.emplace_back(
                "IDEMPOTENCY_REDIS_ENABLED=true but REDIS_ADDR is not set: the database is used"
            );
        }
    }
    if (!config.blob.configured()) {
        for (const std::string_view variable :
             {"MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "MINIO_PUBLIC_ENDPOINT"}) {
            if (config.given(variable)) {
                warnings.push_back(
                    fmt::format("{} is set but MINIO_ENDPOINT is not: blobs are kept in DATA_DIR", variable)
                );
            }
        }
    }
}

void warn_about_mail(const Config& config, std::vector<std::string>& warnings)
{
    if (config.local_like()) {
        return;
    }
    if (!config.mail.configured()) {
        warnings.emplace_back(
            config.auth.require_email_verification
                ? "SMTP_URL is not set but AUTH_LOCAL_REQUIRE_EMAIL_VERIFICATION is: nobody can sign in "
                  "whose "
                  "address was not verified by `seed verify-local-email`"
                : "SMTP_URL is not set: verification and reset mails cannot be sent"
        );
    } else if (config.mail.smtp_url.reveal().starts_with("smtp:") && !config.mail.smtp_require_tls) {
        warnings.emplace_back("SMTP_REQUIRE_TLS is not set: one-time links may travel in the clear");
    }
    const auto& auth = config.auth;
    const bool leads_nowhere = auth.email_verify_base_url.empty() || auth.password_reset_base_url.empty();
    if (config.mail.configured() && auth.local_enabled && leads_nowhere &&
        (!auth.hosted_pages || config.http.public_url.empty())) {
        warnings.emplace_back(
            auth.hosted_pages ? "PUBLIC_URL is not set: mails say a one-time token, but not where to use it"
                              : "AUTH_EMAIL_VERIFY_BASE_URL and AUTH_PASSWORD_RESET_BASE_URL are not both "
                                "set: mails say a one-time token, but not where to use it"
        );
    }
}

void warn_about_secrets(const Config& config, std::vector<std::string>& warnings)
{
    constexpr std::ptrdiff_t distinct_bytes_min = 8;
    if (config.local_like()) {
        return;
    }
    for (const auto& secret : generated_secrets()) {
        std::string bytes((config.tokens.*secret.member).reveal());
        std::ranges::sort(bytes);
        const auto repeated = std::ranges::unique(bytes);
        if (repeated.begin() - bytes.begin() < distinct_bytes_min) {
            warnings.push_back(
                fmt::format("{} looks easy to guess: {}", secret.variable, secret_mend(secret.variable))
            );
        }
    }
}

}  // namespace

std::map<std::string_view, std::string_view> find_misspellings(const Environment& environment)
{
    std::map<std::string_view, std::string_view> found;
    for (const auto& [name, value] : environment.values()) {
        if (find_variable(name) != nullptr) {
            continue;
        }
        const auto meant = std::ranges::find_if(variables(), [&](const Variable& variable) {
            return looks_like(name, variable.name);
        });
        if (meant != variables().end()) {
            found.emplace(meant->name, name);
        }
    }
    return found;
}

std::vector<std::string> find_warnings(const Config& config, const Environment& environment)
{
    std::vector<std::string> warnings;
    for (const auto& [known, name] : find_misspellings(environment)) {
        warnings.push_back(fmt::format("{} is not a setting: is {} meant?", name, known));
    }
    warn_about_http(config, environment, warnings);
    warn_about_backends(config, warnings);
    warn_about_mail(config, warnings);
    warn_about_secrets(config, warnings);
    return warnings;
}

}  // namespace kit::config
