// What REDIS_ADDR may say.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kit::config {

struct Endpoint {
    std::string host;  // an IPv6 address without brackets
    std::uint16_t port = 0;

    friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

struct RedisAddress {
    std::vector<Endpoint> endpoints;  // of the server, of a cluster's nodes, or of the sentinels
    std::string sentinel_master{};    // the name that the sentinels know the server by; empty: no sentinels
};

// "host:port", a comma-separated list of those, or "sentinel://host:port,host:port/master". Nothing where it
// is none of these.
std::optional<RedisAddress> parse_redis_address(std::string_view text);

// "host:port" or "[v6]:port".
std::optional<Endpoint> parse_endpoint(std::string_view text);

std::string to_string(const Endpoint& endpoint);

}  // namespace kit::config
