#include "platform/config/redis_address.hpp"

#include "platform/core/encoding.hpp"

#include <charconv>

namespace kit::config {

std::optional<Endpoint> parse_endpoint(std::string_view text)
{
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    auto host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    } else if (host.find_first_of(":[]") != std::string_view::npos) {
        return std::nullopt;
    }
    const auto port = text.substr(colon + 1);
    std::uint16_t number = 0;
    const auto parsed = std::from_chars(port.data(), port.data() + port.size(), number);
    if (host.empty() || host.find_first_of("/@ \t") != std::string_view::npos || parsed.ec != std::errc() ||
        parsed.ptr != port.data() + port.size() || number == 0) {
        return std::nullopt;
    }
    return Endpoint{.host = std::string(host), .port = number};
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
