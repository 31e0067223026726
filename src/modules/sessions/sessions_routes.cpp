#include "modules/sessions/sessions.hpp"
#include "platform/core/deadline.hpp"
#include "platform/http/body.hpp"
#include "platform/http/cookies.hpp"
#include "platform/http/route.hpp"
#include "platform/http/types.hpp"

#include <charconv>

namespace kit::sessions {

namespace {

constexpr std::string_view auth_path = "/api/v1/auth";
constexpr std::string_view oauth_path = "/api/v1/auth/google";

constexpr telemetry::Instrument management_events{
    .name = "session.management.events",
    .description = "What users do with their sessions.",
    .attributes = {"action", "status"},
};

// In the contract's order, then ours.
struct SessionBody {
    std::int64_t id;
    Timestamp created_at;
    Timestamp expires_at;
    std::string user_agent;
    std::string ip;
    bool is_current;
    Timestamp last_seen_at;
    std::string_view browser;
    std::string_view os;
    std::string_view device;
};

struct EndedBody {
    std::uint64_t session_id;
    std::string_view status;
};

struct OthersBody {
    std::int64_t current_session_id;
    std::int64_t revoked_count;
};

struct EventBody {
    std::string_view reason;
};

BOOST_DESCRIBE_STRUCT(
    SessionBody,
    (),
    (id, created_at, expires_at, user_agent, ip, is_current, last_seen_at, browser, os, device)
)
BOOST_DESCRIBE_STRUCT(EndedBody, (), (session_id, status))
BOOST_DESCRIBE_STRUCT(OthersBody, (), (current_session_id, revoked_count))
BOOST_DESCRIBE_STRUCT(EventBody, (), (reason))

Identity caller_of(const http::RequestContext& ctx)
{
    const auto& principal = ctx.principal;
    return {.user_id = principal.user_id, .session_id = principal.session_id, .token_id = principal.token_id};
}

// One event of an action: an error, unless the handler says how it went.
struct Outcome {
    const telemetry::Counter& events;
    std::string_view action;
    std::string_view status = "error";

    ~Outcome() { events.add({action, status}); }
};

http::Response private_answer(http::Response response)
{
    response.set("Cache-Control", "no-store");
    return response;
}

Task<http::Reply> list(Routes& handlers, http::RequestContext& ctx)
{
    Outcome outcome{handlers.events, "list"};
    const auto devices = co_await handlers.service.list(caller_of(ctx), audit::origin_of(ctx));
    std::vector<SessionBody> sessions;
    sessions.reserve(devices.sessions.size());
    for (const auto& session : devices.sessions) {
        auto user_agent = session.user_agent.value_or("");
        const auto client = describe_user_agent(user_agent);
        sessions.push_back({
            .id = session.id,
            .created_at = session.created_at,
            .expires_at = session.expires_at,
            .user_agent = std::move(user_agent),
            .ip = session.ip.value_or(""),
            .is_current = session.id == devices.current_id,
            .last_seen_at = session.rotated_at,
            .browser = client.browser,
            .os = client.os,
            .device = client.device,
        });
    }
    outcome.status = "success";
    co_return private_answer(http::ok(sessions));
}

// Untrimmed decimal digits, up to 64 bits; no session has an id that no database holds.
std::optional<std::uint64_t> parse_session_id(std::string_view text)
{
    std::uint64_t id = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), id);
    return read.ec == std::errc() && read.ptr == text.data() + text.size() ? std::optional(id) : std::nullopt;
}

Task<http::Reply> end_one(Routes& handlers, http::RequestContext& ctx)
{
    Outcome outcome{handlers.events, "revoke_one"};
    const auto id = parse_session_id(ctx.path_parameter("session_id"));
    if (!id) {
        co_return failure(Error::invalid("invalid session id"));
    }
    outcome.status = "not_found";
    if (!std::in_range<std::int64_t>(*id)) {
        co_return failure(Error::not_found("session not found"));
    }
    outcome.status = "error";
    const auto revoked = co_await handlers.service.end_one(
        caller_of(ctx), static_cast<std::int64_t>(*id), audit::origin_of(ctx)
    );
    if (!revoked) {
        outcome.status = "not_found";
        co_return failure(revoked.error());
    }
    outcome.status = "success";
    co_return private_answer(
        http::ok(EndedBody{.session_id = *id, .status = *revoked ? "revoked" : "already_revoked"})
    );
}

Task<http::Reply> end_others(Routes& handlers, http::RequestContext& ctx)
{
    Outcome outcome{handlers.events, "revoke_others"};
    const auto ended = TRY(co_await handlers.service.end_others(caller_of(ctx), audit::origin_of(ctx)));
    outcome.status = "success";
    co_return private_answer(
        http::ok(OthersBody{.current_session_id = ended.current_id, .revoked_count = ended.count})
    );
}

// Server-sent events, WHATWG HTML section 9.2.
class EventStream final : public http::Stream {
public:
    EventStream(std::unique_ptr<Watchers::Watch> watch, Clock& clock)
        : watch_(std::move(watch)), clock_(clock), ends_at_(clock.steady_now() + event_stream_time_max)
    {
    }

    Task<std::string> next() override
    {
        if (!std::exchange(begun_, true)) {
            co_return "retry: 2000\n: connected\n\n";
        }
        if (told_ || clock_.steady_now() >= ends_at_) {
            co_return std::string();
        }
        bool silent = false;
        try {
            co_await with_deadline(
                clock_, std::min(ends_at_, clock_.steady_now() + event_heartbeat), watch_->wait()
            );
        } catch (const DeadlineExceeded&) {
            silent = true;
        }
        if (silent) {
            co_return ": heartbeat\n\n";
        }
        told_ = true;
        std::string event = "event: session.ended\ndata: ";
        const auto reason = watch_->reason().value_or("");
        json::write(event, EventBody{.reason = reason});
        co_return event + "\n\n";
    }

private:
    std::unique_ptr<Watchers::Watch> watch_;
    Clock& clock_;
    SteadyTime ends_at_;
    bool begun_ = false;
    bool told_ = false;
};

Task<http::Reply> events(Routes& handlers, http::RequestContext& ctx)
{
    auto watch = TRY(handlers.service.watch(caller_of(ctx)));
    http::Response response{.payload = http::Payload::stream};
    response.set("Content-Type", "text/event-stream");
    response.set("Cache-Control", "no-store");
    response.set("X-Accel-Buffering", "no");
    response.stream = std::make_unique<EventStream>(std::move(watch), handlers.clock);
    co_return response;
}

}  // namespace

Routes::Routes(Service& sessions, Clock& system_clock, telemetry::Registry& metrics)
    : service(sessions), clock(system_clock), events(metrics, management_events)
{
}

std::vector<http::Route> routes(Routes& handlers)
{
    using namespace http;
    return {
        {Method::get,
         "/api/v1/me/sessions",
         {authenticated},
         http::bind(list, handlers),
         {.summary = "The user's devices, newest first", .ok = data<std::vector<SessionBody>>}},
        {Method::del,
         "/api/v1/me/sessions/{session_id}",
         {authenticated, csrf_checked},
         http::bind(end_one, handlers),
         {.summary = "Sign one of the user's devices out",
          .ok = data<EndedBody>,
          .refusals = {{404, "No session of the user's has this id"}},
          .note = "A session that has ended already is a success."}},
        {Method::post,
         "/api/v1/me/sessions/revoke-others",
         {authenticated, csrf_checked},
         http::bind(end_others, handlers),
         {.summary = "Sign all devices out but this one", .ok = data<OthersBody>}},
        {Method::get,
         "/api/v1/me/events",
         {authenticated},
         http::bind(events, handlers),
         {.summary = "Server-sent events: tells a browser that its session has ended",
          .ok = media("text/event-stream"),
          .note = "One event `session.ended`, whose data is {\"reason\": …}, then the stream ends; until "
                  "then a comment now and again."}},
    };
}

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
