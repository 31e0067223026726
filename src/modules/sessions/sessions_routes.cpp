#include "modules/sessions/sessions.hpp"
#include "platform/http/cookies.hpp"
#include "platform/http/types.hpp"

namespace kit::sessions {

namespace {

constexpr std::string_view auth_path = "/api/v1/auth";
constexpr std::string_view oauth_path = "/api/v1/auth/google";

}  // namespace

Device device_of(const http::RequestContext& ctx)
{
    return {
        .user_agent = std::string(ctx.request.header("user-agent").value_or("")), .ip = ctx.client_address
    };
}

void set_session_cookies(
    http::Response& response, const Issued& issued, const Service& service, const http::CookiePolicy& policy
)
{
    using http::Cookie;
    const Cookie access{
        .name = "access_token",
        .value = issued.access_token,
        .path = "/",
        .max_age = service.access_ttl(),
        .http_only = true
    };
    const Cookie refresh{
        .name = "refresh_token",
        .value = issued.refresh_token,
        .path = auth_path,
        .max_age = service.refresh_ttl(),
        .http_only = true
    };
    const Cookie csrf{
        .name = "csrf_token",
        .value = issued.csrf_token,
        .path = "/",
        .max_age = service.refresh_ttl(),
        .http_only = false
    };
    for (const auto& cookie : {access, refresh, csrf}) {
        response.set("Set-Cookie", http::set_cookie(cookie, policy));
    }
    response.set("Cache-Control", "no-store");
}

void clear_session_cookies(http::Response& response, const http::CookiePolicy& policy)
{
    using http::Cookie;
    const std::array<Cookie, 4> cookies{{
        {.name = "access_token", .value = "", .path = "/", .http_only = true},
        {.name = "refresh_token", .value = "", .path = auth_path, .http_only = true},
        {.name = "csrf_token", .value = "", .path = "/", .http_only = false},
        {.name = "oauth_state", .value = "", .path = oauth_path, .http_only = true},
    }};
    for (const auto& cookie : cookies) {
        response.set("Set-Cookie", http::set_cookie(cookie, policy));
    }
    response.set("Cache-Control", "no-store");
}

}  // namespace kit::sessions
