#include "modules/auth/auth_flows_routes.hpp"

#include "platform/http/claim.hpp"
#include "platform/http/cookies.hpp"

#include <array>

namespace kit::auth {

BOOST_DESCRIBE_STRUCT(PasswordReset, (), (token, new_password))
BOOST_DESCRIBE_STRUCT(PasswordChange, (), (current_password, new_password))

namespace {

struct EmailBody {
    std::string email;
};
BOOST_DESCRIBE_STRUCT(EmailBody, (), (email))

struct TokenBody {
    std::string token;
};
BOOST_DESCRIBE_STRUCT(TokenBody, (), (token))

Task<http::Reply> request_verification(Routes& handlers, http::RequestContext& ctx)
{
    auto body = TRY(read_body<EmailBody>(handlers, ctx, {.kind = verify_request_event}));
    TRY(co_await handlers.service.request_verification(std::move(body.email), audit::origin_of(ctx)));
    co_return http::answer(202, http::StatusBody{"verification_requested"});
}

Task<http::Reply> confirm_verification(Routes& handlers, http::RequestContext& ctx)
{
    auto body = TRY(read_body<TokenBody>(
        handlers, ctx, {.kind = verify_confirm_event, .target_type = "verification_token"}
    ));
    TRY(co_await handlers.service.confirm_verification(std::move(body.token), audit::origin_of(ctx)));
    co_return http::ok(http::StatusBody{"email_verified"});
}

http::Response reset_requested()
{
    return http::ok(http::StatusBody{"if the account exists, reset instructions were sent"});
}

// Every accepted request counts, whether there is such an account or not.
Task<Result<void>> ask_guarded(
    Routes& handlers, http::RequestContext& ctx, std::string email, const AnswerCommit& commit
)
{
    const auto attempt = attempt_of(ctx, Guarded::forgot, normalise_email(email));
    if (const auto wait = co_await handlers.guard.check(attempt)) {
        co_return failure(refuse_attempt(ctx, *wait));
    }
    TRY(co_await handlers.service.request_reset(std::move(email), audit::origin_of(ctx), commit));
    if (const auto wait = co_await handlers.guard.failed(attempt)) {
        co_return failure(refuse_attempt(ctx, *wait));
    }
    co_return Result<void>();
}

Task<http::Reply> request_reset(Routes& handlers, http::RequestContext& ctx)
{
    auto body = TRY(read_body<EmailBody>(handlers, ctx, {.kind = forgot_event}));
    const AnswerCommit commit = [&ctx](db::Transaction& transaction) {
        return http::commit_answer(ctx, transaction, reset_requested());
    };
    TRY(co_await ask_guarded(handlers, ctx, std::move(body.email), commit));
    co_return reset_requested();
}

Task<Result<void>> commit_nothing(db::Transaction& /*transaction*/)
{
    co_return Result<void>();
}

Task<http::Reply> reset_password(Routes& handlers, http::RequestContext& ctx)
{
    auto body = TRY(
        read_body<PasswordReset>(handlers, ctx, {.kind = reset_event, .target_type = "password_reset_token"})
    );
    TRY(co_await handlers.service.reset_password(std::move(body), audit::origin_of(ctx)));
    co_return http::ok(http::StatusBody{"password_reset"});
}

// The caller's session has ended with the others: his cookies are worth nothing.
Task<http::Reply> change_password(Routes& handlers, http::RequestContext& ctx)
{
    const auto user = ctx.principal.user_id;
    auto body = TRY(read_body<PasswordChange>(handlers, ctx, {.kind = change_event, .user = user}));
    const auto attempt = attempt_of(ctx, Guarded::change_password, std::to_string(user));
    if (const auto wait = co_await handlers.guard.check(attempt)) {
        co_return failure(refuse_attempt(ctx, *wait));
    }
    auto changed = co_await handlers.service.change_password(user, std::move(body), audit::origin_of(ctx));
    if (!changed && changed.error().code() == ErrorCode::unauthenticated) {
        co_await handlers.guard.failed(attempt);
    }
    TRY(std::move(changed));
    co_await handlers.guard.succeeded(attempt);
    auto response = http::ok(http::StatusBody{"password_changed"});
    sessions::clear_session_cookies(response, handlers.cookies);
    co_return response;
}

struct Endpoint {
    std::string_view name;
    std::string_view flow;
    std::string_view success;  // the outcome that is counted
    Task<http::Reply> (*handler)(Routes&, http::RequestContext&);
};

const Endpoint& endpoint_of(Flow flow)
{
    static constexpr Endpoint verify_request{
        "local_verify_request", "verify_request", "accepted", request_verification
    };
    static constexpr Endpoint verify_confirm{
        "local_verify_confirm", "verify_confirm", "success", confirm_verification
    };
    static constexpr Endpoint password_forgot{
        "local_password_forgot", "password_forgot", "accepted", request_reset
    };
    static constexpr Endpoint password_reset{
        "local_password_reset", "password_reset", "success", reset_password
    };
    static constexpr Endpoint password_change{
        "local_change_password", "password_change", "success", change_password
    };
    switch (flow) {
        case Flow::verify_request:
            return verify_request;
        case Flow::verify_confirm:
            return verify_confirm;
        case Flow::password_forgot:
            return password_forgot;
        case Flow::password_reset:
            return password_reset;
        case Flow::password_change:
            return password_change;
    }
    std::unreachable();
}

std::string_view outcome_of(const Error& error)
{
    if (error.message() == weak_password_text) {
        return "weak_password";
    }
    if (error.code() == ErrorCode::not_enabled) {
        return "not_enabled";
    }
    if (error.code() == ErrorCode::invalid_or_expired_token) {
        return "invalid_token";
    }
    if (error.code() == ErrorCode::rate_limited) {
        return "rate_limited";
    }
    return error.code() == ErrorCode::unauthenticated ? "unauthorized" : "failure";
}

// What is counted of one call, when it ends.
struct Measurement {
    const Instruments& instruments;
    const http::RequestContext& ctx;
    const Endpoint& endpoint;
    SteadyTime started = ctx.clock.steady_now();
    std::string_view status = "failure";
    std::string_view outcome = "failure";

    ~Measurement()
    {
        const auto seconds = telemetry::seconds_between(started, ctx.clock.steady_now());
        instruments.duration.record(seconds, {endpoint.name, status}, ctx.span, ctx.clock.now());
        instruments.flows.add({endpoint.flow, outcome});
    }
};

Task<http::Reply> measure(const Endpoint& endpoint, Routes& handlers, http::RequestContext& ctx)
{
    Measurement measurement{.instruments = handlers.instruments, .ctx = ctx, .endpoint = endpoint};
    auto reply = co_await endpoint.handler(handlers, ctx);
    measurement.status = reply ? "success" : "failure";
    measurement.outcome = reply ? endpoint.success : outcome_of(reply.error());
    co_return reply;
}

// A step of another front door, counted as the endpoint's.
Task<Result<void>> measure_step(
    Flow flow, const Routes& handlers, const http::RequestContext& ctx, Task<Result<void>> step
)
{
    const auto& endpoint = endpoint_of(flow);
    Measurement measurement{.instruments = handlers.instruments, .ctx = ctx, .endpoint = endpoint};
    auto result = co_await std::move(step);
    measurement.status = result ? "success" : "failure";
    measurement.outcome = result ? endpoint.success : outcome_of(result.error());
    co_return result;
}

}  // namespace

Task<Result<void>> ask_for_verification(Routes& handlers, http::RequestContext& ctx, std::string email)
{
    co_return co_await measure_step(
        Flow::verify_request,
        handlers,
        ctx,
        handlers.service.request_verification(std::move(email), audit::origin_of(ctx))
    );
}

Task<Result<void>> confirm_address(Routes& handlers, http::RequestContext& ctx, std::string token)
{
    co_return co_await measure_step(
        Flow::verify_confirm,
        handlers,
        ctx,
        handlers.service.confirm_verification(std::move(token), audit::origin_of(ctx))
    );
}

Task<Result<void>> ask_for_reset(Routes& handlers, http::RequestContext& ctx, std::string email)
{
    const AnswerCommit nothing = commit_nothing;
    co_return co_await measure_step(
        Flow::password_forgot, handlers, ctx, ask_guarded(handlers, ctx, std::move(email), nothing)
    );
}

Task<Result<void>> set_password(Routes& handlers, http::RequestContext& ctx, PasswordReset reset)
{
    co_return co_await measure_step(
        Flow::password_reset,
        handlers,
        ctx,
        handlers.service.reset_password(std::move(reset), audit::origin_of(ctx))
    );
}

http::RouteDoc flow_doc(Flow flow)
{
    using namespace http;
    static constexpr std::array email{email_field};
    static constexpr std::array token{Field{.name = "token", .required = true}};
    static constexpr std::array reset{token[0], new_password_field("new_password")};
    static constexpr std::array change{
        Field{.name = "current_password", .required = true, .format = "password"}, reset[1]
    };
    static constexpr http::Refusal bad_link{
        400, "The token is unknown, used or expired (INVALID_OR_EXPIRED_TOKEN)"
    };
    static constexpr http::Refusal not_sent{503, "The mail cannot be taken in now"};
    switch (flow) {
        case Flow::verify_request:
            return {
                .summary = "Ask for a link that verifies an address",
                .success = 202,
                .ok = data<StatusBody>,
                .body = body<EmailBody>(email),
                .refusals = {local_accounts_off, not_sent},
                .note = "The answer does not tell whether there is such an account."
            };
        case Flow::verify_confirm:
            return {
                .summary = "Verify an address by the link's token",
                .ok = data<StatusBody>,
                .body = body<TokenBody>(token),
                .refusals = {bad_link, local_accounts_off}
            };
        case Flow::password_forgot:
            return {
                .summary = "Ask for a link that resets a password",
                .ok = data<StatusBody>,
                .body = body<EmailBody>(email),
                .refusals = {local_accounts_off, not_sent},
                .note = "The answer does not tell whether there is such an account."
            };
        case Flow::password_reset:
            return {
                .summary = "Set a new password by the link's token; ends all sessions",
                .ok = data<StatusBody>,
                .body = body<PasswordReset>(reset),
                .refusals = {bad_link, local_accounts_off}
            };
        case Flow::password_change:
            return {
                .summary = "Change the password; ends all sessions",
                .ok = data<StatusBody>,
                .body = body<PasswordChange>(change),
                .refusals = {{401, "The current password is wrong"}, local_accounts_off}
            };
    }
    std::unreachable();
}

http::Handler flow_handler(Flow flow, Routes& handlers)
{
    return [&endpoint = endpoint_of(flow), &handlers](http::RequestContext& ctx) {
        return measure(endpoint, handlers, ctx);
    };
}

}  // namespace kit::auth
