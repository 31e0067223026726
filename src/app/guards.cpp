#include "app/guards.hpp"

#include "app/caller.hpp"
#include "platform/json/json.hpp"

#include <utility>

namespace kit::app {

namespace {

using http::Middleware;
using http::Next;
using http::Reply;
using http::RequestContext;

constexpr telemetry::Instrument access_token_events{
    .name = "auth.access_token.validation.events",
    .description = "Access tokens looked at.",
    .attributes = {"outcome", "source"},
};

constexpr telemetry::Instrument csrf_events{
    .name = "security.csrf.validation.events",
    .description = "CSRF checks of unsafe methods.",
    .attributes = {"outcome", "path_group"},
};

// The cookie first; a bearer token also where the cookie is there but no good. A change that a browser asks
// for with its cookies must not come from a page of another site.
class Authenticate final : public Middleware {
public:
    Authenticate(
        const sessions::Service& sessions, const http::RequestOrigins& origins, telemetry::Registry& metrics
    )
        : sessions_(sessions), origins_(origins), events_(metrics, access_token_events)
    {
    }

    Task<Reply> handle(RequestContext& ctx, Next next) const override
    {
        const auto cookie = ctx.request.cookie("access_token").value_or("");
        if (cookie.empty() && bearer_token(ctx.request).empty()) {
            events_.add({"missing", "none"});
            co_return failure(Error::unauthenticated("missing access token"));
        }
        const auto& caller = caller_of(ctx, sessions_);
        if (!caller) {
            events_.add({"invalid", cookie.empty() ? "bearer" : "cookie"});
            co_return failure(Error::unauthenticated("invalid access token"));
        }
        ctx.principal = *caller;
        events_.add({"valid", ctx.principal.by_cookie ? "cookie" : "bearer"});
        if (ctx.principal.by_cookie && !http::is_safe(ctx.request.method) &&
            !origins_.same_site(ctx.request)) {
            co_return failure(Error::forbidden("cross-site request refused"));
        }
        co_return co_await next(ctx);
    }

private:
    const sessions::Service& sessions_;
    const http::RequestOrigins& origins_;
    telemetry::Counter events_;
};

// A form of another site must not sign its visitors in to an account of that site's choice.
class RefuseOtherSites final : public Middleware {
public:
    explicit RefuseOtherSites(const http::RequestOrigins& origins) : origins_(origins) {}

    Task<Reply> handle(RequestContext& ctx, Next next) const override
    {
        if (!origins_.same_site(ctx.request)) {
            co_return failure(Error::forbidden("cross-site request refused"));
        }
        co_return co_await next(ctx);
    }

private:
    const http::RequestOrigins& origins_;
};

// The metrics' name for a part of the product: "api/auth" of /api/v1/auth/refresh, else the first segment. Of
// a route's pattern, so there are few.
std::string path_group(std::string_view pattern)
{
    std::vector<std::string_view> segments;
    while (segments.size() < 3 && pattern.starts_with('/')) {
        pattern.remove_prefix(1);
        segments.push_back(pattern.substr(0, pattern.find('/')));
        pattern.remove_prefix(segments.back().size());
    }
    if (segments.size() == 3 && segments[0] == "api") {
        return "api/" + std::string(segments[2]);
    }
    return segments.empty() || segments[0].empty() ? "root" : std::string(segments[0]);
}

// Double submit, bound to the session: the pair must be equal, issued by us, and for the session that the
// request's cookies name. Where they name none, any pair of ours passes, so that the route's own 401 is seen.
// A request that carries a bearer token and no cookie of ours is not forgeable by another site and needs no
// pair.
class CheckCsrf final : public Middleware {
public:
    CheckCsrf(const sessions::Service& sessions, telemetry::Registry& metrics)
        : sessions_(sessions), events_(metrics, csrf_events)
    {
    }

    Task<Reply> handle(RequestContext& ctx, Next next) const override
    {
        const auto& request = ctx.request;
        if (http::is_safe(request.method)) {
            co_return co_await next(ctx);
        }
        const auto access = request.cookie("access_token").value_or("");
        const auto refresh = request.cookie("refresh_token").value_or("");
        const auto cookie = request.cookie("csrf_token").value_or("");
        if (access.empty() && refresh.empty() && cookie.empty() && !bearer_token(request).empty()) {
            co_return co_await next(ctx);
        }
        std::vector<std::string> named;
        if (auto session = access.empty() ? std::nullopt : sessions_.session_of_access(access)) {
            named.push_back(std::move(*session));
        }
        if (auto session = refresh.empty() ? std::nullopt : sessions_.session_of_refresh(refresh)) {
            named.push_back(std::move(*session));
        }
        const auto header = request.header("x-csrf-token").value_or("");
        // The pair's equality need not be constant-time: the sender knows both. What is secret is the MAC,
        // checked inside.
        if (cookie.empty() || header != cookie || !sessions_.csrf_token_good(cookie, named)) {
            events_.add({cookie.empty() ? "missing_cookie" : "mismatch", path_group(ctx.route->pattern)});
            co_return failure(Error::forbidden("invalid csrf token"));
        }
        events_.add({"valid", path_group(ctx.route->pattern)});
        co_return co_await next(ctx);
    }

private:
    const sessions::Service& sessions_;
    telemetry::Counter events_;
};

// Not asked of the token: a permission that was taken away counts no more, whatever it says.
class RequirePermission final : public Middleware {
public:
    RequirePermission(std::string_view permission, rbac::Service& rbac, telemetry::Logger& logger)
        : permission_(permission), rbac_(rbac), logger_(logger)
    {
    }

    Task<Reply> handle(RequestContext& ctx, Next next) const override
    {
        std::shared_ptr<const rbac::Authority> authority;
        try {
            authority = co_await rbac_.authority(ctx.principal.user_id);
        } catch (const Unavailable& failed) {
            logger_.warn(
                "permission resolution failed", {{"error", failed.what()}, {"request_id", ctx.request_id}}
            );
        }
        if (!authority) {
            rbac_.count_authorization(permission_, "resolver_error");
            co_return failure(Error(ErrorCode::unavailable, "permission resolution unavailable")
                                  .with_wire_code("RBAC_UNAVAILABLE"));
        }
        if (!authority->allows(permission_)) {
            rbac_.count_authorization(permission_, "denied");
            std::string details;
            json::object(details).field("required", permission_);
            co_return failure(Error::forbidden("insufficient permission").with_details(std::move(details)));
        }
        rbac_.count_authorization(permission_, "allowed");
        co_return co_await next(ctx);
    }

private:
    std::string_view permission_;
    rbac::Service& rbac_;
    telemetry::Logger& logger_;
};

}  // namespace

http::GuardBinder bind_guards(GuardDeps deps)
{
    return [deps](const http::Guard& guard) -> std::unique_ptr<Middleware> {
        switch (guard.kind) {
            case http::Guard::Kind::authenticated:
                return std::make_unique<Authenticate>(deps.sessions, deps.origins, deps.metrics);
            case http::Guard::Kind::csrf:
                return std::make_unique<CheckCsrf>(deps.sessions, deps.metrics);
            case http::Guard::Kind::permission:
                return std::make_unique<RequirePermission>(guard.permission, deps.rbac, deps.logger);
            case http::Guard::Kind::limited:
                return deps.limiter.guard(guard.policy);
            case http::Guard::Kind::idempotent:
                return idempotent_middleware(guard.scope, deps.idempotency);
            case http::Guard::Kind::same_site:
                return std::make_unique<RefuseOtherSites>(deps.origins);
        }
        std::unreachable();
    };
}

}  // namespace kit::app
