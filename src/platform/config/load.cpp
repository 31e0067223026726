#include "platform/config/load.hpp"

#include "platform/config/rules.hpp"
#include "platform/config/secrets.hpp"
#include "platform/config/values.hpp"
#include "platform/config/variables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace kit::config {

namespace {

using namespace std::chrono_literals;

constexpr std::string_view embedded_database = "everything-backend.db";

constexpr std::array secrets_made{
    GeneratedSecret{.variable = "JWT_ACCESS_SECRET", .member = &TokenConfig::access_secret, .bytes_min = 32},
    GeneratedSecret{
        .variable = "JWT_REFRESH_SECRET", .member = &TokenConfig::refresh_secret, .bytes_min = 32
    },
    GeneratedSecret{
        .variable = "REFRESH_TOKEN_PEPPER", .member = &TokenConfig::refresh_pepper, .bytes_min = 16
    },
    GeneratedSecret{
        .variable = "OAUTH_STATE_SECRET", .member = &TokenConfig::oauth_state_secret, .bytes_min = 16
    },
};

std::string profile_name(const Config& config)
{
    return to_lower(trim(config.process.environment));
}

// What cannot be read is said as `parse NAME: …`; the form for durations is known to scripts.
Fault parse_fault(const Variable& variable, std::string_view text)
{
    const auto what = [&]() -> std::string_view {
        switch (variable.binding.kind) {
            case Kind::duration:
                return "time: invalid duration";
            case Kind::flag:
                return "invalid switch";
            case Kind::integer:
                return "invalid whole number";
            default:
                return "invalid number";
        }
    }();
    return {
        .stage = Fault::Stage::parse,
        .variable = std::string(variable.name),
        .message = fmt::format("parse {}: {} {}", variable.name, what, quote(text)),
        .mend = usual_mend(variable.name),
    };
}

// Reads one variable. An empty value is none.
void apply(
    Config& config,
    const Variable& variable,
    const Environment& environment,
    std::vector<Fault>& faults,
    std::set<std::string_view>& rejected
)
{
    auto text = std::string(environment.find(variable.name).value_or(""));
    if (variable.traits.trim) {
        text = trim(text);
    }
    if (variable.traits.lower) {
        text = to_lower(text);
    }
    if (text.empty()) {
        return;
    }
    config.sources.emplace(
        variable.name, environment.from_file(variable.name) ? Source::env_file : Source::environment
    );
    if (variable.binding.parse(config, text)) {
        return;
    }
    if (variable.binding.kind == Kind::choice) {
        rejected.insert(variable.name);
    } else {
        faults.push_back(parse_fault(variable, text));
    }
}

// Defaults that follow from other settings.
void derive(Config& config, const Environment& environment)
{
    if (!config.given("SERVER_START_GRACE_PERIOD")) {
        config.health.start_grace = config.local_like() ? 0s : 2s;
    }
    if (!config.given("SHUTDOWN_PRESTOP_DELAY")) {
        config.shutdown.prestop_delay = config.local_like() ? 0s : 5s;
    }
    if (!config.given("OTEL_ENVIRONMENT")) {
        config.telemetry.environment = config.process.environment;
    }
    if (!config.given("OTEL_EXPORTER_OTLP_ENDPOINT") && config.prod_like()) {
        config.telemetry.endpoint = "localhost:4317";
    }
    // A port that is free at the start is not known yet.
    if (!config.given("PUBLIC_URL") && config.local_like() && config.http.port != 0) {
        config.http.public_url = fmt::format("http://localhost:{}", config.http.port);
    }
    // A switch that is set, even to nothing, is a decision; only its absence lets missing credentials turn
    // Google off.
    auto& google = config.google;
    const bool credentials = !google.client_id.empty() && !google.client_secret.empty();
    if (!environment.find("AUTH_GOOGLE_ENABLED") && !credentials && config.local_like()) {
        google.enabled = false;
    }
    if (!config.given("AUTH_DEV_PROVIDER")) {
        google.development_provider = config.local_like() && config.database.url.empty();
    }
    if (environment.find("AUTH_GOOGLE_ENABLED") || !google.client_id.empty()) {
        google.development_provider = false;
    }
    auto& database = config.database;
    const auto url = database.url.reveal();
    if (url.empty()) {
        database.sqlite_path = config.process.data_dir / embedded_database;
    } else if (url.starts_with("sqlite:")) {
        database.sqlite_path = parse_sqlite_url(url).value_or("");
    } else {
        database.engine = Engine::postgres;
    }
}

// The variables of the providers that OIDC_PROVIDERS names: OIDC_MY_LOGIN_ISSUER is my-login's.
void read_providers(Config& config, const Environment& environment)
{
    for (const auto& name : config.oidc.names) {
        const auto prefix = oidc_variable(name, "");
        const auto value = [&](std::string_view member) {
            return std::string(trim(environment.find(prefix + std::string(member)).value_or("")));
        };
        const auto label = value("LABEL");
        config.oidc.providers.push_back({
            .name = name,
            .label = label.empty() ? name : label,
            .issuer = value("ISSUER"),
            .client_id = value("CLIENT_ID"),
            .client_secret = Secret(value("CLIENT_SECRET")),
            .redirect_url = value("REDIRECT_URL"),
        });
    }
}

// Fills the unset secrets of a local-like profile from DATA_DIR, making them where that is asked for.
void fill_secrets(Config& config, const RandomBytes& random, std::vector<Fault>& faults)
{
    const bool missing =
        std::ranges::any_of(secrets_made, [&](const auto& secret) { return !config.given(secret.variable); });
    if (!config.local_like() || !missing) {
        return;
    }
    // Nothing is written on behalf of settings that are refused.
    auto found = load_or_create_secrets(config.process.data_dir, faults.empty() ? random : RandomBytes());
    if (!found) {
        faults.push_back(std::move(found).error());
        return;
    }
    for (const auto& secret : secrets_made) {
        if (const auto value = found->find(secret.variable);
            value != found->end() && !config.given(secret.variable)) {
            config.tokens.*secret.member = value->second;
            config.sources.emplace(secret.variable, Source::generated);
        }
    }
}

// A fault about a variable that is there under a slip of its name says so.
void point_at_misspellings(std::vector<Fault>& faults, const Environment& environment)
{
    const auto misspellings = find_misspellings(environment);
    for (auto& fault : faults) {
        if (const auto found = misspellings.find(fault.variable); found != misspellings.end()) {
            fault.mend += fmt::format(" ({} is set: is it a misspelling?)", found->second);
        }
    }
}

}  // namespace

std::span<const GeneratedSecret> generated_secrets()
{
    return secrets_made;
}

bool Config::local_like() const
{
    constexpr std::array<std::string_view, 4> names{"development", "dev", "local", "test"};
    return std::ranges::find(names, profile_name(*this)) != names.end();
}

bool Config::prod_like() const
{
    constexpr std::array<std::string_view, 5> names{"production", "prod", "staging", "stage", "preprod"};
    return std::ranges::find(names, profile_name(*this)) != names.end();
}

bool Config::wants_redis() const
{
    return rate_limits.redis_enabled || abuse.enabled || (idempotency.enabled && idempotency.redis_enabled) ||
           caches.admin_list_enabled || caches.negative_lookup_enabled || caches.permission_enabled ||
           caches.flag_redis_enabled;
}

void Rules::require(bool kept, std::string_view variable, std::string message, std::string mend)
{
    if (!kept) {
        faults_.push_back({
            .variable = std::string(variable),
            .message = std::move(message),
            .mend = mend.empty() ? usual_mend(variable) : std::move(mend),
        });
    }
}

std::expected<Config, std::vector<Fault>> load(const Environment& environment, const LoadOptions& options)
{
    Config config;
    std::vector<Fault> faults;
    std::set<std::string_view> rejected;
    for (const auto& variable : variables()) {
        apply(config, variable, environment, faults, rejected);
    }
    derive(config, environment);
    read_providers(config, environment);

    Rules rules(config, std::move(rejected));
    check_fixed(rules);
    check_more(rules);
    std::ranges::move(rules.take_faults(), std::back_inserter(faults));
    fill_secrets(config, options.random, faults);
    if (!faults.empty()) {
        point_at_misspellings(faults, environment);
        return std::unexpected(std::move(faults));
    }
    config.warnings = find_warnings(config, environment);
    return config;
}

}  // namespace kit::config
