// What the client tells the metrics.
#pragma once

#include "platform/redis/redis.hpp"
#include "platform/telemetry/metrics.hpp"

#include <atomic>
#include <deque>

namespace kit::redis {

// One worker's numbers: written by that worker only, read by whoever collects.
struct alignas(64) WorkerNumbers {
    std::atomic<std::int64_t> commands{0};
    std::atomic<std::int64_t> errors{0};
    std::atomic<std::int64_t> hits{0};
    std::atomic<std::int64_t> misses{0};
    std::atomic<std::int64_t> waiting{0};  // commands under way
    std::atomic<std::int64_t> nodes{0};    // servers that have a connection or wait for one
    std::atomic<std::int64_t> open_breakers{0};

    // Cheaper than an addition that other threads could make, too.
    static void add(std::atomic<std::int64_t>& number, std::int64_t amount = 1)
    {
        number.store(number.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
    }
};

class Recorder {
public:
    Recorder(telemetry::Registry& registry, std::size_t workers, std::size_t queue_max);

    WorkerNumbers& numbers(std::size_t worker) { return numbers_[worker]; }

    void replied(WorkerNumbers& numbers, const Command& command, const Reply& reply) const;
    void failed(WorkerNumbers& numbers, const Command& command, Failure failure) const;

    // An error reply after which the command is sent again: counted as an error, not as a command.
    void repeated(WorkerNumbers& numbers, const Command& command, std::string_view error_type) const;

    enum class Status : std::uint8_t { success, miss, error };

    void took(std::string_view name, Status status, double seconds) const;

    static Status status_of(const Reply& reply);

private:
    std::int64_t sum(std::atomic<std::int64_t> WorkerNumbers::* number) const;

    std::deque<WorkerNumbers> numbers_;
    telemetry::Counter total_;
    telemetry::Counter errors_;
    telemetry::Histogram duration_;
    telemetry::Counter hits_;
    telemetry::Counter misses_;
    std::vector<telemetry::Registry::Observation> observations_;
};

}  // namespace kit::redis
