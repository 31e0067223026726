// Redis, one multiplexed connection per worker: the commands of all requests of one turn of the loop go out
// in one write.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/core/error.hpp"
#include "platform/core/task.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kit::redis {

// One reply. RESP3's richer types are given as these.
struct Reply {
    enum class Kind : std::uint8_t { nil, integer, text, array, error };

    Kind kind = Kind::nil;
    std::int64_t integer = 0;
    std::string text{};  // also an error's
    std::vector<Reply> items{};
};

// What a request failed of; for metrics and for deciding what to do next.
enum class Failure : std::uint8_t {
    breaker_open,
    timed_out,
    connection_lost,
    read_only,
    loading,
    out_of_memory,
    not_authenticated,
    protocol,
    other
};

// Throws this where Redis did not do what was asked: becomes 503 unless the caller can go on without.
class RedisUnavailable final : public Unavailable {
public:
    RedisUnavailable(Failure failure, const std::string& what) : Unavailable(what), failure_(failure) {}

    Failure failure() const noexcept { return failure_; }

private:
    Failure failure_;
};

// A command's arguments, its name first.
class Command {
public:
    Command(std::initializer_list<std::string_view> arguments);
    Command& operator<<(std::string_view argument);
    Command& operator<<(std::int64_t argument);
    // The key by which Redis Cluster finds the node; by default the argument after the name.
    Command& key(std::size_t index);
};

// A Lua script: constexpr text of static storage. Sent as EVALSHA, and once more as EVAL where the server
// does not know it.
struct Script {
    std::string_view name;  // for metrics
    std::string_view source;
};

class Client {
public:
    // Runs the commands in order, one round trip; an error reply is a value. Throws RedisUnavailable.
    Task<std::vector<Reply>> run(std::vector<Command> commands);
    Task<Reply> run(Command command);
    Task<Reply> eval(const Script& script, std::vector<std::string> keys, std::vector<std::string> arguments);

    // Whether Redis would be asked now: false while the breaker is open.
    bool available() const;

    Task<void> ping();  // for readiness
};

}  // namespace kit::redis
