#include "modules/auth/auth_flows_routes.hpp"
#include "modules/users/users_metadata.hpp"
#include "platform/http/claim.hpp"
#include "platform/http/cookies.hpp"

#include <array>

namespace kit::auth {

BOOST_DESCRIBE_STRUCT(Registration, (), (email, name, password))
BOOST_DESCRIBE_STRUCT(Credentials, (), (email, password))

namespace {

struct PendingVerification {
    bool requires_verification = true;
    users::User user;
};
BOOST_DESCRIBE_STRUCT(PendingVerification, (), (requires_verification, user))

struct LogoutRequest {
    std::optional<std::string> scope;
};
BOOST_DESCRIBE_STRUCT(LogoutRequest, (), (scope))

constexpr std::array duration_bounds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0};

constexpr telemetry::Instrument request_duration{
    .name = "auth.request.duration",
    .kind = telemetry::InstrumentKind::histogram,
    .unit = "s",
    .description = "Handlers of authentication, refusals by earlier guards excepted.",
    .attributes = {"endpoint", "status"},
    .bounds = duration_bounds,
};

constexpr telemetry::Instrument login_attempts{
    .name = "auth.login.attempts",
    .description = "Sign-ins and registrations that sign in.",
    .attributes = {"provider", "status"},
};

constexpr telemetry::Instrument refresh_attempts{
    .name = "auth.refresh.attempts",
    .description = "Refreshes handled.",
    .attributes = {"status"},
};

constexpr telemetry::Instrument refresh_security_events{
    .name = "auth.refresh.security.events",
    .description = "What became of the refresh tokens presented.",
    .attributes = {"outcome"},
};

constexpr telemetry::Instrument logout_attempts{
    .name = "auth.logout.attempts",
    .description = "Logouts handled.",
    .attributes = {"status"},
};

constexpr telemetry::Instrument flow_events{
    .name = "auth.local.flow.events",
    .description = "Steps of verification, forgotten and changed passwords.",
    .attributes = {"flow", "outcome"},
};

enum class Attempt : std::uint8_t { login, refresh, logout };

// What is counted of one call, when it ends: as a failure unless it got as far as to say otherwise.
struct Measurement {
    const Instruments& instruments;
    const http::RequestContext& ctx;
    std::string_view endpoint;
    Attempt attempt;
    SteadyTime started = ctx.clock.steady_now();
    bool succeeded = false;
    bool no_sign_in = false;  // a registration to be verified first, or a try that the guard refused
    sessions::RefreshOutcome refresh = sessions::RefreshOutcome::invalid;

    ~Measurement()
    {
        const std::string_view status = succeeded ? "success" : "failure";
        const auto seconds = telemetry::seconds_between(started, ctx.clock.steady_now());
        instruments.duration.record(seconds, {endpoint, status}, ctx.span, ctx.clock.now());
        switch (attempt) {
            case Attempt::login:
                if (!no_sign_in) {
                    instruments.logins.add({"local", status});
                }
                break;
            case Attempt::refresh: {
                const bool reused = refresh == sessions::RefreshOutcome::reuse_detected;
                instruments.refreshes.add({reused ? "reuse_detected" : status});
                break;
            }
            case Attempt::logout:
                instruments.logouts.add({status});
                break;
        }
    }
};

std::string_view to_string(sessions::RefreshOutcome outcome)
{
    switch (outcome) {
        case sessions::RefreshOutcome::invalid:
            return "invalid";
        case sessions::RefreshOutcome::reuse_detected:
            return "reuse_detected";
        case sessions::RefreshOutcome::rotated:
            return "rotated";
        case sessions::RefreshOutcome::replayed:
            return "replayed";
    }
    std::unreachable();
}

http::Response to_be_verified(users::User user)
{
    auto response = http::created(PendingVerification{.user = std::move(user)});
    response.set("Cache-Control", "no-store");
    return response;
}

// The answer is made inside the transaction and committed with the account: a repetition gets the same one.
Task<http::Reply> register_account(Routes& handlers, http::RequestContext& ctx, Measurement& measurement)
{
    auto registration = TRY(read_body<Registration>(handlers, ctx, {.kind = registration_event}));
    http::Response response;
    const Companion answer = [&](db::Transaction& transaction, const Registered& registered) {
        response = registered.issued ? signed_in(handlers, 201, *registered.issued)
                                     : to_be_verified(registered.user);
        return http::commit_answer(ctx, transaction, response);
    };
    const auto registered = TRY(co_await handlers.service.register_account(
        std::move(registration), sessions::device_of(ctx), audit::origin_of(ctx), answer
    ));
    measurement.no_sign_in = !registered.issued;
    if (registered.issued) {
        const auto attempt = attempt_of(ctx, Guarded::login, registered.user.email);
        remember_device(response, handlers.guard, attempt, handlers.cookies);
    }
    co_return response;
}

// A repeated registration signs in once more, with the password in its body, as far as that is still right:
// the stored answer has no cookies.
Task<void> sign_in_again(Routes& handlers, http::RequestContext& ctx, http::Response& stored)
{
    auto registration = ctx.json<Registration>();
    if (!registration) {
        co_return;
    }
    const auto attempt = attempt_of(ctx, Guarded::login, normalise_email(registration->email));
    const auto issued = co_await handlers.service.login(
        {.email = std::move(registration->email), .password = std::move(registration->password)},
        {.device = sessions::device_of(ctx), .on_new_device = handlers.guard.is_new_device(attempt)},
        audit::origin_of(ctx)
    );
    if (issued) {
        sessions::set_session_cookies(stored, *issued, handlers.service.sessions(), handlers.cookies);
        remember_device(stored, handlers.guard, attempt, handlers.cookies);
    } else {
        stored.set("Cache-Control", "no-store");
    }
}

// Of failures only wrong credentials count against the caller: neither an outage nor a right password.
Task<Result<sessions::Issued>> check_in(
    Routes& handlers,
    http::RequestContext& ctx,
    Credentials credentials,
    const AbuseGuard::Attempt& attempt,
    Measurement& measurement
)
{
    if (const auto wait = co_await handlers.guard.check(attempt)) {
        measurement.no_sign_in = true;
        co_return failure(refuse_attempt(ctx, *wait));
    }
    auto issued = co_await handlers.service.login(
        std::move(credentials),
        {.device = sessions::device_of(ctx), .on_new_device = handlers.guard.is_new_device(attempt)},
        audit::origin_of(ctx)
    );
    if (!issued && issued.error().code() == ErrorCode::unauthenticated) {
        co_await handlers.guard.failed(attempt);
    }
    if (issued) {
        co_await handlers.guard.succeeded(attempt);
    }
    co_return issued;
}

Task<http::Reply> login(Routes& handlers, http::RequestContext& ctx, Measurement& measurement)
{
    auto credentials = TRY(read_body<Credentials>(handlers, ctx, {.kind = login_event}));
    const auto attempt = attempt_of(ctx, Guarded::login, normalise_email(credentials.email));
    auto session = TRY(co_await check_in(handlers, ctx, std::move(credentials), attempt, measurement));
    auto response = signed_in(handlers, 200, std::move(session));
    remember_device(response, handlers.guard, attempt, handlers.cookies);
    co_return response;
}

Task<Result<sessions::Issued>> next_tokens(
    Routes& handlers, http::RequestContext& ctx, Measurement& measurement
)
{
    const auto token = ctx.request.cookie("refresh_token").value_or("");
    auto refreshed = co_await handlers.service.sessions().refresh(
        std::string(token), sessions::device_of(ctx), audit::origin_of(ctx), measurement.refresh
    );
    if (!token.empty()) {
        handlers.instruments.refresh_events.add({to_string(measurement.refresh)});
    }
    co_return refreshed;
}

Task<http::Reply> refresh(Routes& handlers, http::RequestContext& ctx, Measurement& measurement)
{
    auto issued = TRY(co_await next_tokens(handlers, ctx, measurement));
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
Task<http::Reply> logout(Routes& handlers, http::RequestContext& ctx, Measurement& /*measurement*/)
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

struct Endpoint {
    std::string_view name;
    Attempt attempt;
    Task<http::Reply> (*handler)(Routes&, http::RequestContext&, Measurement&);
};

constexpr Endpoint register_endpoint{"local_register", Attempt::login, register_account};
constexpr Endpoint login_endpoint{"local_login", Attempt::login, login};
constexpr Endpoint refresh_endpoint{"refresh", Attempt::refresh, refresh};
constexpr Endpoint logout_endpoint{"logout", Attempt::logout, logout};

Measurement start_measuring(const Endpoint& endpoint, const Routes& handlers, const http::RequestContext& ctx)
{
    return {
        .instruments = handlers.instruments,
        .ctx = ctx,
        .endpoint = endpoint.name,
        .attempt = endpoint.attempt
    };
}

Task<http::Reply> measure(Endpoint endpoint, Routes& handlers, http::RequestContext& ctx)
{
    auto measurement = start_measuring(endpoint, handlers, ctx);
    auto reply = co_await endpoint.handler(handlers, ctx, measurement);
    measurement.succeeded = reply.has_value();
    co_return reply;
}

Task<Result<void>> add_nothing(db::Transaction& /*transaction*/, const Registered& /*registered*/)
{
    co_return Result<void>();
}

// The endpoint is one of those above: it outlives the handler.
http::Handler measured(const Endpoint& endpoint, Routes& handlers)
{
    return [&endpoint, &handlers](http::RequestContext& ctx) { return measure(endpoint, handlers, ctx); };
}

http::RouteDoc register_doc()
{
    using namespace http;
    static constexpr std::array fields{
        email_field,
        Field{
            .name = "name",
            .required = true,
            .trimmed = true,
            .characters_min = 1,
            .characters_max = name_characters_max
        },
        new_password_field("password"),
    };
    return {
        .summary = "Make a local account and sign in",
        .success = 201,
        .ok = data<AuthResult>,
        .body = body<Registration>(fields),
        .also = {{201, "Where the address is to be verified first: no session", data<PendingVerification>}},
        .refusals = {{400, "Also: the address has an account, the password is weak"}, local_accounts_off},
        .note = "The tokens are in cookies, never in the body."
    };
}

http::RouteDoc login_doc()
{
    using namespace http;
    static constexpr std::array fields{
        Field{.name = "email", .required = true, .format = "email"},
        Field{.name = "password", .required = true, .format = "password"},
    };
    return {
        .summary = "Sign in with a password",
        .ok = data<AuthResult>,
        .body = body<Credentials>(fields),
        .refusals =
            {{401, "invalid credentials"},
             {403, "The address must be verified first (EMAIL_UNVERIFIED)"},
             local_accounts_off,
             {429, "Too many wrong passwords, or the limit of the route"}},
        .note = "The tokens are in cookies, never in the body."
    };
}

http::RouteDoc refresh_doc()
{
    using namespace http;
    return {
        .summary = "Replace the session's tokens by the next generation",
        .ok = data<AuthResult>,
        .refusals = {{401, "The refresh token is missing or no longer good"}},
        .cookie = "refresh_token"
    };
}

http::RouteDoc logout_doc()
{
    using namespace http;
    static constexpr std::array<std::string_view, 2> scopes{"all", "current"};
    static constexpr std::array fields{Field{.name = "scope", .note = "all by default", .one_of = scopes}};
    return {
        .summary = "End all sessions of the user, or the current one",
        .ok = data<StatusBody>,
        .body = {.content = bare<LogoutRequest>, .fields = fields, .optional = true}
    };
}

}  // namespace

Task<Result<sessions::Issued>> log_in(
    Routes& handlers, http::RequestContext& ctx, Credentials credentials, AbuseGuard::Attempt attempt
)
{
    auto measurement = start_measuring(login_endpoint, handlers, ctx);
    auto issued = co_await check_in(handlers, ctx, std::move(credentials), attempt, measurement);
    measurement.succeeded = issued.has_value();
    co_return issued;
}

Task<Result<Registered>> sign_up(Routes& handlers, http::RequestContext& ctx, Registration registration)
{
    auto measurement = start_measuring(register_endpoint, handlers, ctx);
    const Companion nothing = add_nothing;
    auto registered = co_await handlers.service.register_account(
        std::move(registration), sessions::device_of(ctx), audit::origin_of(ctx), nothing
    );
    measurement.succeeded = registered.has_value();
    measurement.no_sign_in = registered && !registered->issued;
    co_return registered;
}

Task<Result<sessions::Issued>> renew(Routes& handlers, http::RequestContext& ctx)
{
    auto measurement = start_measuring(refresh_endpoint, handlers, ctx);
    auto issued = co_await next_tokens(handlers, ctx, measurement);
    measurement.succeeded = issued.has_value();
    co_return issued;
}

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

Instruments::Instruments(telemetry::Registry& metrics)
    : duration(metrics, request_duration),
      logins(metrics, login_attempts),
      refreshes(metrics, refresh_attempts),
      refresh_events(metrics, refresh_security_events),
      logouts(metrics, logout_attempts),
      flows(metrics, flow_events)
{
}

std::vector<http::Route> routes(Routes& handlers)
{
    using namespace http;
    return {
        {Method::post,
         "/api/v1/auth/local/register",
         {limited(Policy::auth), idempotent("auth.local.register")},
         measured(register_endpoint, handlers),
         register_doc(),
         {.on_replay = [&handlers](
                           RequestContext& ctx, Response& stored
                       ) { return sign_in_again(handlers, ctx, stored); }}},
        {Method::post,
         "/api/v1/auth/local/login",
         {limited(Policy::login)},
         measured(login_endpoint, handlers),
         login_doc()},
        {Method::post,
         "/api/v1/auth/local/verify/request",
         {limited(Policy::auth)},
         flow_handler(Flow::verify_request, handlers),
         flow_doc(Flow::verify_request)},
        {Method::post,
         "/api/v1/auth/local/verify/confirm",
         {limited(Policy::auth)},
         flow_handler(Flow::verify_confirm, handlers),
         flow_doc(Flow::verify_confirm)},
        {Method::post,
         "/api/v1/auth/local/password/forgot",
         {limited(Policy::forgot), idempotent("auth.local.password.forgot")},
         flow_handler(Flow::password_forgot, handlers),
         flow_doc(Flow::password_forgot)},
        {Method::post,
         "/api/v1/auth/local/password/reset",
         {limited(Policy::auth)},
         flow_handler(Flow::password_reset, handlers),
         flow_doc(Flow::password_reset)},
        {Method::post,
         "/api/v1/auth/refresh",
         {csrf_checked, limited(Policy::refresh)},
         measured(refresh_endpoint, handlers),
         refresh_doc()},
        {Method::post,
         "/api/v1/auth/logout",
         {csrf_checked, authenticated},
         measured(logout_endpoint, handlers),
         logout_doc()},
        {Method::post,
         "/api/v1/auth/local/change-password",
         {csrf_checked, authenticated, limited(Policy::auth)},
         flow_handler(Flow::password_change, handlers),
         flow_doc(Flow::password_change)},
    };
}

}  // namespace kit::auth
