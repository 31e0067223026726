// Both sides of a port of platform/limits, with one fake clock.
#pragma once

#include "platform/config/redis_address.hpp"
#include "platform/core/block_on.hpp"
#include "platform/core/workers.hpp"
#include "platform/redis/redis.hpp"
#include "platform/telemetry/logger.hpp"
#include "platform/telemetry/metrics.hpp"
#include "support/manual_clock.hpp"
#include "support/redis_server.hpp"

#include <fcntl.h>

namespace kit::test {

enum class Side : std::uint8_t { memory, redis };

inline std::string side_name(const testing::TestParamInfo<Side>& info)
{
    return info.param == Side::memory ? "memory" : "redis";
}

#define KIT_BOTH_SIDES(suite) \
    INSTANTIATE_TEST_SUITE_P(Sides, suite, testing::Values(Side::memory, Side::redis), side_name)

// One Redis for the whole suite, and a client of it.
class RedisSide {
public:
    RedisSide()
    {
        workers.start();
        client = std::make_unique<redis::Client>(
            redis::Options{
                .address = config::parse_redis_address(server().address()).value(),
                .command_time_max = std::chrono::seconds(5)
            },
            redis::Client::Deps{workers, clock, random, logger, metrics}
        );
    }

    RedisSide(const RedisSide&) = delete;
    RedisSide& operator=(const RedisSide&) = delete;

    ~RedisSide()
    {
        client->close();
        workers.stop();
    }

    static RedisServer& server()
    {
        static RedisServer shared;
        return shared;
    }

    // Names that no other test uses.
    static std::string fresh_prefix()
    {
        static int made = 0;
        return "test" + std::to_string(++made);
    }

    template <class T>
    T run(Task<T> task)
    {
        return block_on(workers.executor(0), std::move(task));
    }

    ManualClock clock;
    SeededRandom random;
    telemetry::Logger logger{
        {.level = telemetry::LogLevel::error,
         .descriptor = ::open("/dev/null", O_WRONLY | O_CLOEXEC),
         .readable = false},
        clock
    };
    telemetry::Registry metrics{{.workers = 1}};
    Workers workers{1};
    std::unique_ptr<redis::Client> client;
};

}  // namespace kit::test
