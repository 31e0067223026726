// Redis, one multiplexed connection per worker and server: the commands of all requests of one turn of the
// loop go out in one write.
#pragma once

#include "platform/config/redis_address.hpp"
#include "platform/core/clock.hpp"
#include "platform/core/error.hpp"
#include "platform/core/task.hpp"
#include "platform/core/workers.hpp"
#include "platform/crypto/tls.hpp"

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kit::telemetry {
class Logger;
class Registry;
}  // namespace kit::telemetry

namespace kit::redis {

// One reply. RESP3's richer types are given as these: a map is an array of its keys and values in turn, a set
// an array, a boolean an integer, a double or a big number text.
struct Reply {
    enum class Kind : std::uint8_t { nil, integer, text, array, error };

    Kind kind = Kind::nil;
    std::int64_t integer = 0;
    std::string text{};  // also an error's
    std::vector<Reply> items{};

    bool is_error() const { return kind == Kind::error; }
};

// Why Redis did not do what was asked.
enum class Failure : std::uint8_t {
    breaker_open,  // nothing was sent: it did not answer before
    timed_out,
    connection_lost,
    overloaded,  // too many commands wait
    read_only,
    loading,
    out_of_memory,
    not_authenticated,  // NOAUTH, WRONGPASS, NOPERM
    cluster,            // no server for the key
    protocol,           // what came is no reply
    other
};

std::string_view to_string(Failure failure);

// Redis did not do what was asked, through no fault of the command: becomes 503 unless the caller can go on
// without.
class RedisUnavailable final : public Unavailable {
public:
    RedisUnavailable(Failure failure, const std::string& what) : Unavailable(what), failure_(failure) {}

    Failure failure() const noexcept { return failure_; }

private:
    Failure failure_;
};

// A Lua script: constexpr, of static storage. Sent as EVALSHA, and once more as EVAL where the server does
// not know it. All its keys share a hash tag, so that it runs on Redis Cluster.
struct Script {
    std::string_view name;  // for errors
    std::string_view source;
    // To run it twice is as good as once, or at least harmless: it is sent again where the connection was
    // lost before the answer came.
    bool repeatable = false;
};

// A command with its arguments, the name first; already in the form in which it is sent.
class Command {
public:
    Command(std::initializer_list<std::string_view> arguments);
    Command(const Script& script, std::span<const std::string> keys, std::span<const std::string> arguments);

    Command& operator<<(std::string_view argument);
    Command& operator<<(std::int64_t argument);

    // Which argument is the key by which Redis Cluster finds the server: by default the one after the name, a
    // script's first key.
    Command& key(std::size_t index);

    // As Script::repeatable.
    Command& repeatable();

    // In lower case; a script's is "evalsha".
    std::string_view name() const { return name_; }

    // Nothing where any server will do.
    std::optional<std::string_view> key() const;

    bool is_repeatable() const { return repeatable_; }

    const Script* script() const { return script_; }

    // As it is sent. A script's command as EVALSHA with `sha`, or as EVAL where that is empty.
    void append_to(std::string& out, std::string_view sha = {}) const;

private:
    std::string name_{};
    std::string encoded_{};  // the arguments; of a script's, those after the hash
    std::size_t count_ = 0;  // of those
    std::size_t key_index_ = 1;
    const Script* script_ = nullptr;
    bool repeatable_ = false;
};

struct Options {
    config::RedisAddress address;
    std::string username{};
    std::string password{};
    std::string sentinel_username{};
    std::string sentinel_password{};
    int database = 0;
    std::string client_name = "everything-backend";
    std::optional<TlsSettings> tls{};
    std::chrono::milliseconds command_time_max{100};
    std::chrono::milliseconds connect_time_max{5'000};
    int retries_max = 3;  // of a repeatable command
    std::chrono::milliseconds backoff_min{8};
    std::chrono::milliseconds backoff_max{512};
    std::size_t queue_max = 4'096;  // commands under way of one worker and server
};

// Thread-safe. Connects with the first command.
class Client {
public:
    struct Deps {
        Workers& workers;
        Clock& clock;
        Random& random;
        telemetry::Logger& logger;
        telemetry::Registry& metrics;
    };

    // Throws TlsError where the CA file cannot be used.
    Client(Options options, Deps deps);
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client();  // after the workers' loops have ended

    // The reply, which may be an error that the command itself brought about (WRONGTYPE, a script's own).
    // Throws RedisUnavailable.
    Task<Reply> run(Command command);

    // The replies of several commands, sent together and run in order, but not as a transaction.
    Task<std::vector<Reply>> run_all(std::vector<Command> commands);

    Task<Reply> eval(const Script& script, std::vector<std::string> keys, std::vector<std::string> arguments);

    // Whether this worker would ask Redis now: false while the breaker is open.
    bool available() const;

    // For readiness. Throws RedisUnavailable.
    Task<void> ping();

    // While the workers' loops run: ends what waits, and the connections.
    void close();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace kit::redis
