#include "app/protection.hpp"

#include "platform/config/redis_address.hpp"
#include "platform/core/encoding.hpp"

#include <algorithm>

namespace kit::app {

namespace {

// What all keys of one kind begin with; without a prefix of its own, the namespace.
std::string key_prefix(const config::Config& config, std::string_view kind)
{
    const auto prefix = trim(kind);
    return prefix.empty() ? config.redis.key_namespace
                          : config.redis.key_namespace + ":" + std::string(prefix);
}

}  // namespace

std::unique_ptr<redis::Client> open_redis(const config::Config& config, redis::Client::Deps deps)
{
    const auto& settings = config.redis;
    if (!settings.configured() || !config.wants_redis()) {
        return nullptr;
    }
    redis::Options options{
        // Checked when the settings were read.
        .address = config::parse_redis_address(trim(settings.address)).value(),
        .username = settings.username,
        .password = std::string(settings.password.reveal()),
        .sentinel_username = settings.sentinel_username,
        .sentinel_password = std::string(settings.sentinel_password.reveal()),
        .database = settings.database,
        .command_time_max = std::min(settings.command_timeout, settings.read_timeout),
        .connect_time_max = settings.dial_timeout,
        .retries_max = settings.retries_max == 0 ? 3 : std::max(0, settings.retries_max),
        .backoff_min = settings.retry_backoff_min,
        .backoff_max = settings.retry_backoff_max,
    };
    if (settings.tls_enabled) {
        options.tls = TlsSettings{
            .server_name = settings.tls_server_name,
            .ca_file = settings.tls_ca_file,
            .skip_verify = settings.tls_skip_verify,
        };
    }
    return std::make_unique<redis::Client>(std::move(options), deps);
}

limits::Rates limit_rates(const config::RateLimitConfig& config)
{
    return {
        // In the order of http::Policy.
        .per_minute =
            {config.api_per_minute,
             config.auth_per_minute,
             config.forgot_per_minute,
             config.login_per_minute,
             config.refresh_per_minute,
             config.admin_write_per_minute,
             config.admin_sync_per_minute},
        .window = config.sustained_window,
        .burst_multiplier = config.burst_multiplier,
    };
}

limits::Limiter::Options limiter_options(const config::Config& config)
{
    const auto& outage = config.rate_limits.outage;
    const auto open = [](config::OutagePolicy policy) { return policy == config::OutagePolicy::fail_open; };
    return {
        .redis_prefix = key_prefix(config, config.rate_limits.redis_prefix),
        .fail_open =
            {open(outage.api),
             open(outage.auth),
             open(outage.forgot),
             open(outage.route_login),
             open(outage.route_refresh),
             open(outage.route_admin_write),
             open(outage.route_admin_sync)},
    };
}

limits::Bypass::Options bypass_options(const config::BypassConfig& config)
{
    return {
        .internal_probes = config.internal_probes,
        .trusted_actors = config.trusted_actors,
        .cidrs = config.trusted_actor_cidrs,
        .subjects = config.trusted_actor_subjects,
    };
}

std::unique_ptr<limits::Cooldowns> open_cooldowns(const config::Config& config, redis::Client* redis)
{
    const auto& abuse = config.abuse;
    if (!abuse.enabled) {
        return nullptr;
    }
    const limits::CooldownSettings settings{
        .free_attempts = abuse.free_attempts,
        .base = abuse.base_delay,
        .multiplier = abuse.multiplier,
        .max = abuse.max_delay,
        .window = abuse.reset_window,
    };
    if (redis == nullptr) {
        return limits::make_memory_cooldowns(settings);
    }
    return limits::make_redis_cooldowns(settings, *redis, key_prefix(config, abuse.redis_prefix));
}

SharedCopies open_copies(const config::Config& config, redis::Client* redis, Clock& clock)
{
    const auto open = [&](std::string_view prefix) {
        return std::make_unique<cache::Copies>(
            *redis,
            clock,
            cache::Copies::Options{
                .prefix = key_prefix(config, prefix),
                .secret = std::string(config.tokens.refresh_secret.reveal()),
            }
        );
    };
    SharedCopies copies;
    if (redis == nullptr) {
        return copies;
    }
    copies.lists = open(config.caches.admin_list_prefix);
    copies.absences = open(config.caches.negative_lookup_prefix);
    copies.permissions = open(config.caches.permission_prefix);
    if (config.caches.flag_redis_enabled) {
        copies.flags = open("feature_flag_eval_cache");
    }
    return copies;
}

}  // namespace kit::app
