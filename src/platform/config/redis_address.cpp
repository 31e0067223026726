#include "platform/config/redis_address.hpp"

#include "platform/config/values.hpp"
#include "platform/core/encoding.hpp"

#include <charconv>

namespace kit::config {

std::optional<Endpoint> parse_endpoint(std::string_view text)
{
    if (!is_host_port(text)) {
        return std::nullopt;
    }
    const auto colon = text.rfind(':');
    auto host = text.substr(0, colon);
    if (host.starts_with('[')) {
        host = host.substr(1, host.size() - 2);
    }
    Endpoint endpoint{.host = std::string(host)};
    std::from_chars(text.data() + colon + 1, text.data() + text.size(), endpoint.port);
    return endpoint.port == 0 ? std::nullopt
                              : std::optional(endpoint);  // 0 is a port to listen on, not to ask
}

std::optional<RedisAddress> parse_redis_address(std::string_view text)
{
    constexpr std::string_view sentinel_scheme = "sentinel://";
    text = trim(text);
    RedisAddress address;
    if (text.starts_with(sentinel_scheme)) {
        text.remove_prefix(sentinel_scheme.size());
        const auto slash = text.find('/');
        if (slash == std::string_view::npos || slash + 1 == text.size()) {
            return std::nullopt;
        }
        address.sentinel_master = text.substr(slash + 1);
        text = text.substr(0, slash);
    }
    while (true) {
        const auto comma = text.find(',');
        auto endpoint = parse_endpoint(trim(text.substr(0, comma)));
        if (!endpoint) {
            return std::nullopt;
        }
        address.endpoints.push_back(*std::move(endpoint));
        if (comma == std::string_view::npos) {
            return address;
        }
        text.remove_prefix(comma + 1);
    }
}

std::string to_string(const Endpoint& endpoint)
{
    const bool v6 = endpoint.host.find(':') != std::string::npos;
    return (v6 ? "[" + endpoint.host + "]" : endpoint.host) + ":" + std::to_string(endpoint.port);
}

}  // namespace kit::config
