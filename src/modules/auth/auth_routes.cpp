#include "modules/auth/auth.hpp"
#include "modules/users/users_metadata.hpp"
#include "platform/http/body.hpp"
#include "platform/http/cookies.hpp"
#include "platform/http/route.hpp"

namespace kit::auth {

BOOST_DESCRIBE_STRUCT(Registration, (), (email, name, password))
BOOST_DESCRIBE_STRUCT(Credentials, (), (email, password))

namespace {

struct AuthResult {
    std::string csrf_token;
    Timestamp expires_at;
    users::User user;
};
BOOST_DESCRIBE_STRUCT(AuthResult, (), (csrf_token, expires_at, user))

struct PendingVerification {
    bool requires_verification = true;
    users::User user;
};
BOOST_DESCRIBE_STRUCT(PendingVerification, (), (requires_verification, user))

struct LogoutRequest {
    std::optional<std::string> scope;
};
BOOST_DESCRIBE_STRUCT(LogoutRequest, (), (scope))

http::Response signed_in(const Routes& handlers, int status, sessions::Issued issued)
{
    const AuthResult result{
        .csrf_token = issued.csrf_token,
        .expires_at = issued.access_expires_at,
        .user = std::move(issued.user)
    };
    auto response = http::answer(status, result);
    sessions::set_session_cookies(response, issued, handlers.service.sessions(), handlers.cookies);
    return response;
}

// The body; one that cannot be read is on record.
template <class T>
Result<T> read_body(const Routes& handlers, const http::RequestContext& ctx, const audit::Kind& kind)
{
    auto body = ctx.json<T>();
    if (!body) {
        handlers.audit.record(refused({kind, "invalid_payload"}, ""), audit::origin_of(ctx));
    }
    return body;
}

Task<http::Reply> register_account(Routes& handlers, http::RequestContext& ctx)
{
    auto registration = TRY(read_body<Registration>(handlers, ctx, registration_event));
    auto registered = TRY(co_await handlers.service.register_account(
        std::move(registration), sessions::device_of(ctx), audit::origin_of(ctx)
    ));
    if (!registered.issued) {
        auto response = http::created(PendingVerification{.user = std::move(registered.user)});
        response.set("Cache-Control", "no-store");
        co_return response;
    }
    co_return signed_in(handlers, 201, std::move(*registered.issued));
}

Task<http::Reply> login(Routes& handlers, http::RequestContext& ctx)
{
    auto credentials = TRY(read_body<Credentials>(handlers, ctx, login_event));
    auto issued = TRY(co_await handlers.service.login(
        std::move(credentials), sessions::device_of(ctx), audit::origin_of(ctx)
    ));
    co_return signed_in(handlers, 200, std::move(issued));
}

Task<http::Reply> refresh(Routes& handlers, http::RequestContext& ctx)
{
    const auto token = ctx.request.cookie("refresh_token").value_or("");
    auto issued = TRY(co_await handlers.service.sessions().refresh(
        std::string(token), sessions::device_of(ctx), audit::origin_of(ctx)
    ));
    co_return signed_in(handlers, 200, std::move(issued));
}

Result<std::string> read_scope(const http::RequestContext& ctx)
{
    if (ctx.request.body.empty()) {
        return "all";
    }
    auto body = ctx.json<LogoutRequest>();
    if (!body) {
        return failure(std::move(body.error()));
    }
    auto scope = std::move(body->scope).value_or("all");
    if (scope != "all" && scope != "current") {
        return failure(Error::invalid("scope must be current or all"));
    }
    return scope;
}

// All sessions by default, as clients of the contract expect; {"scope":"current"} ends the caller's own.
Task<http::Reply> logout(Routes& handlers, http::RequestContext& ctx)
{
    auto& sessions = handlers.service.sessions();
    const auto& caller = ctx.principal;
    const auto scope = read_scope(ctx);
    if (!scope) {
        handlers.audit.record(
            audit::by_user(
                sessions::logout_event, caller.user_id, audit::outcome::failure, "invalid_payload"
            ),
            audit::origin_of(ctx)
        );
        co_return failure(scope.error());
    }
    if (*scope == "all") {
        co_await sessions.sign_out_everywhere(caller.user_id, audit::origin_of(ctx));
    } else {
        co_await sessions.sign_out(
            {.user_id = caller.user_id, .session_id = caller.session_id, .token_id = caller.token_id},
            audit::origin_of(ctx)
        );
    }
    auto response = http::ok(http::StatusBody{"logged_out"});
    sessions::clear_session_cookies(response, handlers.cookies);
    co_return response;
}

}  // namespace

std::vector<http::Route> routes(Routes& handlers)
{
    using namespace http;
    return {
        {Method::post,
         "/api/v1/auth/local/register",
         {},
         http::bind(register_account, handlers),
         {.summary = "Make a local account and sign in", .success = 201}},
        {Method::post,
         "/api/v1/auth/local/login",
         {},
         http::bind(login, handlers),
         {.summary = "Sign in with a password"}},
        {Method::post,
         "/api/v1/auth/refresh",
         {csrf_checked},
         http::bind(refresh, handlers),
         {.summary = "Replace the session's tokens by the next generation"}},
        {Method::post,
         "/api/v1/auth/logout",
         {csrf_checked, authenticated},
         http::bind(logout, handlers),
         {.summary = "End all sessions of the user, or the current one"}},
    };
}

}  // namespace kit::auth
