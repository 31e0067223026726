// The settings of limits, abuse guard, shared caches and Redis as their parts take them.
#pragma once

#include "platform/cache/copies.hpp"
#include "platform/config/config.hpp"
#include "platform/limits/bypass.hpp"
#include "platform/limits/cooldown.hpp"
#include "platform/limits/limiter.hpp"
#include "platform/redis/redis.hpp"

#include <memory>

namespace kit::app {

// The client that the settings ask for; null where nothing uses Redis.
std::unique_ptr<redis::Client> open_redis(const config::Config& config, redis::Client::Deps deps);

limits::Rates limit_rates(const config::RateLimitConfig& config);
limits::Limiter::Options limiter_options(const config::Config& config);
limits::Bypass::Options bypass_options(const config::BypassConfig& config);

// Null where the guard is switched off.
std::unique_ptr<limits::Cooldowns> open_cooldowns(const config::Config& config, redis::Client* redis);

// Where nodes share what they keep; null: nowhere.
struct SharedCopies {
    std::unique_ptr<cache::Copies> lists;
    std::unique_ptr<cache::Copies> absences;
    std::unique_ptr<cache::Copies> permissions;
    std::unique_ptr<cache::Copies> flags;
};

SharedCopies open_copies(const config::Config& config, redis::Client* redis, Clock& clock);

}  // namespace kit::app
