#include "platform/redis/server_error.hpp"

#include "platform/redis/slots.hpp"

#include <charconv>
#include <utility>

namespace kit::redis {

ServerError classify(std::string_view error)
{
    using enum ServerError;
    static constexpr std::pair<std::string_view, ServerError> codes[] = {
        {"MOVED", moved},
        {"ASK", ask},
        {"NOSCRIPT", no_script},
        {"TRYAGAIN", try_again},
        {"CLUSTERDOWN", cluster_down},
        {"MASTERDOWN", cluster_down},
        {"READONLY", read_only},
        {"LOADING", loading},
        {"OOM", out_of_memory},
        {"NOAUTH", not_authenticated},
        {"WRONGPASS", not_authenticated},
        {"NOPERM", no_permission},
        {"MISCONF", refused},
        {"NOREPLICAS", refused},
        {"BUSY", refused},
    };
    const auto code = error.substr(0, error.find(' '));
    for (const auto& [known, meaning] : codes) {
        if (code == known) {
            return meaning;
        }
    }
    return command;
}

std::string_view to_string(ServerError error)
{
    switch (error) {
        case ServerError::command:
        case ServerError::refused:
            return "other";
        case ServerError::moved:
            return "moved";
        case ServerError::ask:
            return "ask";
        case ServerError::no_script:
            return "no_script";
        case ServerError::try_again:
            return "try_again";
        case ServerError::cluster_down:
            return "cluster";
        case ServerError::read_only:
            return "read_only";
        case ServerError::loading:
            return "loading";
        case ServerError::out_of_memory:
            return "out_of_memory";
        case ServerError::not_authenticated:
            return "not_authenticated";
        case ServerError::no_permission:
            return "no_permission";
    }
    std::unreachable();
}

Failure failure_of(ServerError error)
{
    switch (error) {
        case ServerError::moved:
        case ServerError::ask:
        case ServerError::try_again:
        case ServerError::cluster_down:
            return Failure::cluster;
        case ServerError::read_only:
            return Failure::read_only;
        case ServerError::loading:
            return Failure::loading;
        case ServerError::out_of_memory:
            return Failure::out_of_memory;
        case ServerError::not_authenticated:
        case ServerError::no_permission:
            return Failure::not_authenticated;
        case ServerError::command:
        case ServerError::no_script:
        case ServerError::refused:
            return Failure::other;
    }
    std::unreachable();
}

std::optional<Redirect> parse_redirect(std::string_view error, const std::string& asked_host)
{
    const auto first = error.find(' ');
    const auto second = error.find(' ', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) {
        return std::nullopt;
    }
    Redirect redirect;
    const auto* const begin = error.data() + first + 1;
    const auto* const end = error.data() + second;
    const auto parsed = std::from_chars(begin, end, redirect.slot);
    if (parsed.ec != std::errc() || parsed.ptr != end || redirect.slot >= slot_count) {
        return std::nullopt;
    }
    // An IPv6 address stands there without brackets: the port is what follows the last colon.
    const auto where = error.substr(second + 1);
    const auto colon = where.rfind(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    const auto host = where.substr(0, colon);
    const auto port = where.substr(colon + 1);
    const auto number = std::from_chars(port.data(), port.data() + port.size(), redirect.endpoint.port);
    if (number.ec != std::errc() || number.ptr != port.data() + port.size() || redirect.endpoint.port == 0) {
        return std::nullopt;
    }
    redirect.endpoint.host = host.empty() ? asked_host : std::string(host);
    return redirect;
}

}  // namespace kit::redis
