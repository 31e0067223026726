// Opening connections: names, sockets, the greeting, and who is the master.
#pragma once

#include "platform/core/blocking_pool.hpp"
#include "platform/redis/slots.hpp"
#include "platform/redis/stream.hpp"

namespace kit::redis {

struct Connected {
    std::shared_ptr<Stream> stream;
    config::Endpoint endpoint;
    std::optional<SlotMap> slots{};  // of a server in cluster mode
};

// What is wanted of the server at the other end.
enum class Role : std::uint8_t {
    master,       // or any server of a cluster
    cluster_node  // tells the slots, whatever its role
};

class Connector {
public:
    // An attempt to reach one server takes no longer, even where REDIS_DIAL_TIMEOUT would allow it: it might
    // be lost to an outage that is over.
    static constexpr std::chrono::milliseconds attempt_time_max{1'000};

    Connector(const Options& options, Clock& clock);

    // The master: of the addresses given, or the one that the sentinels name. Throws RedisUnavailable.
    Task<Connected> connect_master();

    // The first of them that answers. Throws RedisUnavailable.
    Task<Connected> connect_any(std::vector<config::Endpoint> endpoints, Role role);

    void stop() { resolver_.stop(); }

private:
    Task<Connected> connect(config::Endpoint endpoint, Role role);
    Task<Connected> open(config::Endpoint endpoint, Role role);
    Task<std::shared_ptr<Stream>> open_stream(config::Endpoint endpoint);
    Task<std::vector<std::string>> resolve(std::string host);
    Task<void> greet(Connected& connected, Role role);
    Task<std::string> greet_in_old_words(Stream& stream);
    Task<config::Endpoint> ask_sentinels();
    Task<std::optional<config::Endpoint>> ask_sentinel(config::Endpoint sentinel);

    const Options& options_;
    Clock& clock_;
    std::optional<TlsContext> tls_;
    BlockingPool resolver_{{.name = "redis-resolver", .threads_max = 1, .queue_max = 64}};
};

}  // namespace kit::redis
