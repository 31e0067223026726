#include "platform/http/request_origin.hpp"

#include "platform/core/encoding.hpp"

#include <algorithm>

namespace kit::http {

namespace {

// Without the port; an IPv6 address keeps its brackets.
std::string_view host_of(std::string_view authority)
{
    const auto bracket = authority.rfind(']');
    const auto colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
    return authority.substr(0, colon);
}

// Whether `host` is the domain or lies under it; a leading dot in the domain means nothing, RFC 6265 5.2.3.
bool within_domain(std::string_view host, std::string_view domain)
{
    if (domain.starts_with('.')) {
        domain.remove_prefix(1);
    }
    if (domain.empty() || host.size() < domain.size()) {
        return false;
    }
    const auto rest = host.size() - domain.size();
    return equal_ignoring_case(host.substr(rest), domain) && (rest == 0 || host[rest - 1] == '.');
}

}  // namespace

bool RequestOrigins::same_site(const Request& request) const
{
    const auto origin = request.header("origin");
    if (origin && std::ranges::find(options_.allowed, *origin) != options_.allowed.end()) {
        return true;
    }
    if (const auto site = request.header("sec-fetch-site")) {
        return *site == "same-origin" || *site == "same-site" || *site == "none";
    }
    return !origin || own_host(*origin, request);
}

bool RequestOrigins::own_host(std::string_view origin, const Request& request) const
{
    const auto scheme = origin.find("://");
    if (scheme == std::string_view::npos) {
        return false;  // "null": a page that has none
    }
    const auto host = host_of(origin.substr(scheme + 3));
    return within_domain(host, options_.cookie_domain) ||
           (!host.empty() && equal_ignoring_case(host, host_of(request.header("host").value_or(""))));
}

}  // namespace kit::http
