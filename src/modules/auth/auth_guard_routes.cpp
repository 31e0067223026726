#include "modules/auth/auth_guard.hpp"
#include "platform/http/client_address.hpp"
#include "platform/http/cookies.hpp"
#include "platform/http/types.hpp"

#include <algorithm>

namespace kit::auth {

AbuseGuard::Attempt attempt_of(const http::RequestContext& ctx, Guarded scope, std::string account)
{
    const auto address = http::IpAddress::parse(ctx.client_address);
    AbuseGuard::Attempt attempt{
        .scope = scope,
        .account = std::move(account),
        .network = address ? address->limiter_key() : "unknown",
        .device_cookie = std::string(ctx.request.cookie(DeviceCookies::name).value_or("")),
        .origin = audit::origin_of(ctx),
        .path = ctx.path,
    };
    if (ctx.principal.authenticated) {
        attempt.user_id = ctx.principal.user_id;
    }
    if (ctx.caller) {
        attempt.caller = ctx.caller->user_id;
    }
    return attempt;
}

// These three are of the guard, not of a limit that was counted before it.
Error refuse_attempt(http::RequestContext& ctx, std::chrono::milliseconds wait)
{
    const auto seconds = std::max(std::chrono::seconds(1), std::chrono::ceil<std::chrono::seconds>(wait));
    const auto reset = std::chrono::floor<std::chrono::seconds>(ctx.clock.now()) + seconds;
    auto& headers = ctx.response_headers;
    std::erase_if(headers, [](const auto& header) { return header.first.starts_with("X-RateLimit-"); });
    headers.emplace_back("X-RateLimit-Limit", "0");
    headers.emplace_back("X-RateLimit-Remaining", "0");
    headers.emplace_back("X-RateLimit-Reset", std::to_string(reset.time_since_epoch().count()));
    return Error(ErrorCode::rate_limited, "too many requests").with_retry_after(seconds);
}

void remember_device(
    http::Response& response,
    const AbuseGuard& guard,
    const AbuseGuard::Attempt& attempt,
    const http::CookiePolicy& policy,
    std::string_view path
)
{
    const auto value = guard.device_cookie(attempt);
    if (!value) {
        return;
    }
    const http::Cookie cookie{
        .name = DeviceCookies::name,
        .value = *value,
        .path = path,
        .max_age = DeviceCookies::lifetime,
        .http_only = true
    };
    response.set("Set-Cookie", http::set_cookie(cookie, policy));
}

}  // namespace kit::auth
