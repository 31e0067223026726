#include "app/caller.hpp"

#include "platform/core/encoding.hpp"

namespace kit::app {

namespace {

std::optional<http::Principal> holder_of(
    std::string_view token, bool by_cookie, const sessions::Service& sessions
)
{
    if (token.empty()) {
        return std::nullopt;
    }
    auto identity = sessions.authenticate(token);
    if (!identity) {
        return std::nullopt;
    }
    return http::Principal{
        .user_id = identity->user_id,
        .authenticated = true,
        .by_cookie = by_cookie,
        .session_id = std::move(identity->session_id),
        .token_id = std::move(identity->token_id),
    };
}

}  // namespace

std::string_view bearer_token(const http::Request& request)
{
    static constexpr std::string_view scheme = "bearer ";
    const auto header = request.header("authorization").value_or("");
    if (header.size() <= scheme.size() || !equal_ignoring_case(header.substr(0, scheme.size()), scheme)) {
        return {};
    }
    return trim(header.substr(scheme.size()));
}

const std::optional<http::Principal>& caller_of(http::RequestContext& ctx, const sessions::Service& sessions)
{
    if (!ctx.caller_known) {
        ctx.caller_known = true;
        ctx.caller = holder_of(ctx.request.cookie("access_token").value_or(""), true, sessions);
        if (!ctx.caller) {
            ctx.caller = holder_of(bearer_token(ctx.request), false, sessions);
        }
    }
    return ctx.caller;
}

}  // namespace kit::app
