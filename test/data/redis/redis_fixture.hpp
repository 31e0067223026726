// A client on workers of its own, as the server has one.
#pragma once

#include "platform/core/block_on.hpp"
#include "platform/redis/redis.hpp"
#include "platform/telemetry/logger.hpp"
#include "platform/telemetry/metrics.hpp"
#include "support/redis_server.hpp"

#include <gtest/gtest.h>

#include <atomic>

namespace kit::test {

// A sanitized binary on a busy machine is given room, in the client's limit and in what is expected of it.
#ifdef KIT_SANITIZED
inline constexpr std::chrono::milliseconds slack{150};
#else
inline constexpr std::chrono::milliseconds slack{0};
#endif

class RedisClient {
public:
    explicit RedisClient(redis::Options options, std::size_t workers = 1)
        : metrics({.workers = workers}),
          loops(workers),
          client(
              std::move(options),
              {.workers = loops, .clock = clock, .random = random, .logger = logger, .metrics = metrics}
          )
    {
        loops.start();
    }

    ~RedisClient()
    {
        client.close();
        loops.stop();
    }

    redis::Reply run(redis::Command command)
    {
        return block_on(loops.executor(0), client.run(std::move(command)));
    }

    std::string text(redis::Command command) { return run(std::move(command)).text; }

    redis::Reply eval(
        const redis::Script& script, std::vector<std::string> keys, std::vector<std::string> arguments
    )
    {
        return block_on(loops.executor(0), client.eval(script, std::move(keys), std::move(arguments)));
    }

    // What the command fails of; nothing where it succeeds.
    std::optional<redis::Failure> failure(redis::Command command)
    {
        try {
            run(std::move(command));
        } catch (const redis::RedisUnavailable& failed) {
            return failed.failure();
        }
        return std::nullopt;
    }

    // Asks until the command succeeds, as requests that come in would.
    bool recovers(std::chrono::milliseconds limit = generous)
    {
        const auto deadline = std::chrono::steady_clock::now() + limit;
        while (std::chrono::steady_clock::now() < deadline) {
            if (!failure({"PING"})) {
                return true;
            }
            block_on(loops.executor(0), clock.sleep_for(std::chrono::milliseconds(5)));
        }
        return false;
    }

    SystemClock clock;
    SystemRandom random;
    telemetry::Logger logger{{.level = telemetry::LogLevel::error, .readable = false}, clock};
    telemetry::Registry metrics;
    Workers loops;
    redis::Client client;
};

inline redis::Options options_for(const std::string& address)
{
    redis::Options options{.address = config::parse_redis_address(address).value()};
    options.command_time_max += slack;
    return options;
}

}  // namespace kit::test
