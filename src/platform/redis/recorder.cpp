#include "platform/redis/recorder.hpp"

#include "platform/redis/server_error.hpp"

#include <algorithm>
#include <limits>

namespace kit::redis {

namespace {

using telemetry::InstrumentKind;

constexpr telemetry::Instrument command_total{
    .name = "redis.command.total",
    .description = "Commands, each of a batch for itself.",
    .attributes = {"command", "status"},
};

constexpr telemetry::Instrument command_errors{
    .name = "redis.command.errors",
    .description = "Commands that failed, and error replies after which one was sent again.",
    .attributes = {"command", "error_type"},
};

constexpr telemetry::Instrument command_duration{
    .name = "redis.command.duration",
    .kind = InstrumentKind::histogram,
    .unit = "s",
    .description = "From the call to the answer; a batch is one measurement.",
    .attributes = {"command", "status"},
    .bounds = telemetry::buckets::seconds,
};

constexpr telemetry::Instrument keyspace_hits{
    .name = "redis.keyspace.hits",
    .description = "Look-ups that found something.",
};

constexpr telemetry::Instrument keyspace_misses{
    .name = "redis.keyspace.misses",
    .description = "Look-ups that found nothing.",
};

constexpr telemetry::Instrument pool_saturation{
    .name = "redis.pool.saturation",
    .kind = InstrumentKind::gauge,
    .unit = "1",
    .description = "Commands under way as a part of those that the connections take.",
};

constexpr telemetry::Instrument hit_ratio{
    .name = "redis.keyspace.hit_ratio",
    .kind = InstrumentKind::gauge,
    .unit = "1",
    .description = "Look-ups that found something, since the start.",
};

constexpr telemetry::Instrument error_rate{
    .name = "redis.command.error_rate",
    .kind = InstrumentKind::gauge,
    .unit = "1",
    .description = "Errors for each command, since the start.",
};

constexpr telemetry::Instrument breakers_open{
    .name = "redis.breakers.open",
    .kind = InstrumentKind::gauge,
    .unit = "{server}",
    .description = "Servers, once for each worker, that are not asked because they did not answer.",
};

constexpr std::string_view to_string(Recorder::Status status)
{
    switch (status) {
        case Recorder::Status::success:
            return "success";
        case Recorder::Status::miss:
            return "miss";
        case Recorder::Status::error:
            return "error";
    }
    std::unreachable();
}

bool is_lookup(std::string_view name)
{
    static constexpr std::string_view lookups[] = {
        "get", "hget", "lindex", "zscore", "exists", "mget", "hmget"
    };
    return std::ranges::find(lookups, name) != std::end(lookups);
}

// A ratio that nothing can be said about yet is no number, and not shown.
double ratio(std::int64_t part, std::int64_t whole)
{
    return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole)
                     : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

Recorder::Recorder(telemetry::Registry& registry, std::size_t workers, std::size_t queue_max)
    : numbers_(workers),
      total_(registry, command_total),
      errors_(registry, command_errors),
      duration_(registry, command_duration),
      hits_(registry, keyspace_hits),
      misses_(registry, keyspace_misses)
{
    observations_.push_back(registry.observe(pool_saturation, {}, [this, queue_max] {
        const auto room = sum(&WorkerNumbers::nodes) * static_cast<std::int64_t>(queue_max);
        return ratio(sum(&WorkerNumbers::waiting), room);
    }));
    observations_.push_back(registry.observe(hit_ratio, {}, [this] {
        const auto hits = sum(&WorkerNumbers::hits);
        return ratio(hits, hits + sum(&WorkerNumbers::misses));
    }));
    observations_.push_back(registry.observe(error_rate, {}, [this] {
        return ratio(sum(&WorkerNumbers::errors), sum(&WorkerNumbers::commands));
    }));
    observations_.push_back(registry.observe(breakers_open, {}, [this] {
        return static_cast<double>(sum(&WorkerNumbers::open_breakers));
    }));
}

std::int64_t Recorder::sum(std::atomic<std::int64_t> WorkerNumbers::* number) const
{
    std::int64_t total = 0;
    for (const auto& worker : numbers_) {
        total += (worker.*number).load(std::memory_order_relaxed);
    }
    return total;
}

Recorder::Status Recorder::status_of(const Reply& reply)
{
    switch (reply.kind) {
        case Reply::Kind::nil:
            return Status::miss;
        case Reply::Kind::error:
            return Status::error;
        default:
            return Status::success;
    }
}

void Recorder::replied(WorkerNumbers& numbers, const Command& command, const Reply& reply) const
{
    const auto status = status_of(reply);
    WorkerNumbers::add(numbers.commands);
    total_.add({command.name(), to_string(status)});
    if (status == Status::error) {
        WorkerNumbers::add(numbers.errors);
        errors_.add({command.name(), to_string(classify(reply.text))});
        return;
    }
    if (!is_lookup(command.name())) {
        return;
    }
    std::int64_t hits = 0;
    std::int64_t misses = 0;
    if (reply.kind == Reply::Kind::array) {
        misses = std::ranges::count(reply.items, Reply::Kind::nil, &Reply::kind);
        hits = static_cast<std::int64_t>(reply.items.size()) - misses;
    } else {
        const bool found =
            reply.kind == Reply::Kind::integer ? reply.integer > 0 : reply.kind != Reply::Kind::nil;
        (found ? hits : misses) = 1;
    }
    if (hits > 0) {
        WorkerNumbers::add(numbers.hits, hits);
        hits_.add({}, hits);
    }
    if (misses > 0) {
        WorkerNumbers::add(numbers.misses, misses);
        misses_.add({}, misses);
    }
}

void Recorder::failed(WorkerNumbers& numbers, const Command& command, Failure failure) const
{
    WorkerNumbers::add(numbers.commands);
    total_.add({command.name(), to_string(Status::error)});
    repeated(numbers, command, to_string(failure));
}

void Recorder::repeated(WorkerNumbers& numbers, const Command& command, std::string_view error_type) const
{
    WorkerNumbers::add(numbers.errors);
    errors_.add({command.name(), error_type});
}

void Recorder::took(std::string_view name, Status status, double seconds) const
{
    duration_.record(seconds, {name, to_string(status)});
}

}  // namespace kit::redis
