#include "modules/auth/auth_flows_routes.hpp"
#include "modules/users/users_metadata.hpp"
#include "platform/core/encoding.hpp"
#include "platform/http/cookies.hpp"

#include <algorithm>

namespace kit::auth {

namespace {

constexpr std::string_view state_cookie = "oauth_state";
constexpr std::string_view return_cookie = "oauth_return";
constexpr std::size_t return_path_bytes_max = 512;

// A path of ours and nothing that a browser could take for another host's.
bool is_own_path(std::string_view path)
{
    return path.starts_with('/') && !path.starts_with("//") && path.size() <= return_path_bytes_max &&
           std::ranges::all_of(path, [](char byte) { return byte > ' ' && byte < '\x7f' && byte != '\\'; });
}

std::string escaped(std::string_view text)
{
    std::string out;
    for (const char byte : text) {
        switch (byte) {
            case '&':
                out += "&amp;";
                break;
            case '"':
                out += "&#34;";
                break;
            case '<':
                out += "&lt;";
                break;
            default:
                out += byte;
        }
    }
    return out;
}

http::Response redirect(int status, std::string location)
{
    http::Response response{.status = status, .payload = http::Payload::complete, .body = {}, .headers = {}};
    response.body = "<a href=\"" + escaped(location) + "\">Continue</a>.\n";
    response.set("Content-Type", "text/html; charset=utf-8");
    response.set("Cache-Control", "no-store");
    response.set("Location", std::move(location));
    return response;
}

// Leads on from a page of ours: what follows from another site's page, redirects too, comes without the
// cookies that are SameSite=Strict.
http::Response onward_page(const std::string& path)
{
    http::Response response{.status = 200, .payload = http::Payload::complete, .body = {}, .headers = {}};
    response.body =
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Signed in</title>"
        "<meta http-equiv=\"refresh\" content=\"0;url=" +
        escaped(path) + "\"></head><body><a href=\"" + escaped(path) + "\">Continue</a></body></html>\n";
    response.set("Content-Type", "text/html; charset=utf-8");
    response.set("Cache-Control", "no-store");
    return response;
}

std::string origin_of_request(const http::RequestContext& ctx)
{
    return "http://" + std::string(ctx.request.header("Host").value_or("localhost"));
}

// The cookies of a sign-in on its way. The provider sends the browser back from another site: a stricter
// SameSite than Lax would keep them away from us.
class TravelCookies {
public:
    TravelCookies(http::CookiePolicy policy, const ProviderSettings& provider)
        : policy_(std::move(policy)), path_(provider.path(""))
    {
        path_.pop_back();
        if (policy_.same_site == http::SameSite::strict) {
            policy_.same_site = http::SameSite::lax;
        }
    }

    std::string set(std::string_view name, std::string_view value) const
    {
        return cookie(name, value, Oidc::state_life);
    }

    std::string clear(std::string_view name) const { return cookie(name, "", std::chrono::seconds(0)); }

private:
    std::string cookie(std::string_view name, std::string_view value, std::chrono::seconds max_age) const
    {
        return http::set_cookie(
            {.name = name, .value = value, .path = path_, .max_age = max_age, .http_only = true}, policy_
        );
    }

    http::CookiePolicy policy_;
    std::string path_;
};

enum class Step : std::uint8_t { login, callback };

// What is counted of one call, when it ends: as a failure unless it got as far as to say otherwise.
struct Measurement {
    const Instruments& instruments;
    const http::RequestContext& ctx;
    const ProviderSettings& provider;
    Step step;
    SteadyTime started = ctx.clock.steady_now();
    bool succeeded = false;
    bool not_counted = false;  // as a try to sign in

    ~Measurement()
    {
        const std::string_view status = succeeded ? "success" : "failure";
        const auto seconds = telemetry::seconds_between(started, ctx.clock.steady_now());
        instruments.duration.record(seconds, {endpoint(), status}, ctx.span, ctx.clock.now());
        // A login that succeeds has only begun.
        if (!not_counted && (step == Step::callback || !succeeded)) {
            instruments.logins.add({provider.name, status});
        }
    }

    std::string_view endpoint() const
    {
        if (step == Step::login) {
            return provider.is_google() ? "google_login" : "oidc_login";
        }
        return provider.is_google() ? "google_callback" : "oidc_callback";
    }
};

Task<http::Reply> begin(Routes& handlers, http::RequestContext& ctx, const ProviderSettings& provider)
{
    Measurement measurement{handlers.instruments, ctx, provider, Step::login};
    const auto return_to = ctx.query_parameter("return_to").value_or("");
    if (!return_to.empty() && !is_own_path(return_to)) {
        co_return failure(Error::invalid("return_to must be a path of this server"));
    }
    auto departure =
        TRY(co_await handlers.oidc.begin(provider.name, origin_of_request(ctx), audit::origin_of(ctx)));
    auto response = redirect(302, std::move(departure.location));
    const TravelCookies cookies(handlers.cookies, provider);
    response.set("Set-Cookie", cookies.set(state_cookie, departure.state_cookie));
    if (!return_to.empty()) {
        response.set("Set-Cookie", cookies.set(return_cookie, base64url_encode(return_to)));
    } else if (ctx.request.cookie(return_cookie)) {
        response.set("Set-Cookie", cookies.clear(return_cookie));
    }
    measurement.succeeded = true;
    co_return response;
}

// Where the browser wanted to land; blank: the answer is the contract's.
std::string return_path(const http::RequestContext& ctx)
{
    const auto path = base64url_decode(ctx.request.cookie(return_cookie).value_or(""));
    return path && is_own_path(*path) ? *path : std::string();
}

std::string with_error(const std::string& path, std::string_view error)
{
    const auto fragment_at = std::min(path.find('#'), path.size());
    const auto base = path.substr(0, fragment_at);
    return base + (base.contains('?') ? '&' : '?') + "error=" + std::string(error) + path.substr(fragment_at);
}

http::Response arrived(const Routes& handlers, sessions::Issued issued, const std::string& path)
{
    if (path.empty()) {
        return signed_in(handlers, 200, std::move(issued));
    }
    const bool strict = handlers.cookies.same_site == http::SameSite::strict;
    auto response = strict ? onward_page(path) : redirect(303, path);
    sessions::set_session_cookies(response, issued, handlers.service.sessions(), handlers.cookies);
    return response;
}

Task<http::Reply> finish(Routes& handlers, http::RequestContext& ctx, const ProviderSettings& provider)
{
    Measurement measurement{handlers.instruments, ctx, provider, Step::callback};
    const TravelCookies cookies(handlers.cookies, provider);
    const auto path = return_path(ctx);
    const auto parameter = [&](std::string_view name) { return ctx.query_parameter(name).value_or(""); };
    Landing landing;
    auto issued = co_await handlers.oidc.finish(
        provider.name,
        {.state = parameter("state"),
         .code = parameter("code"),
         .issuer = parameter("iss"),
         .error = parameter("error"),
         .state_cookie = std::string(ctx.request.cookie(state_cookie).value_or("")),
         .origin = origin_of_request(ctx)},
        {.device = sessions::device_of(ctx),
         .on_new_device = [&](const std::string& email
                          ) { return handlers.guard.is_new_device(attempt_of(ctx, Guarded::login, email)); }},
        audit::origin_of(ctx),
        landing
    );
    measurement.succeeded = issued.has_value();
    measurement.not_counted = landing.not_counted;
    // Whatever comes of it: the cookies have served.
    if (landing.state_known) {
        ctx.response_headers.emplace_back("Set-Cookie", cookies.clear(state_cookie));
    }
    if (!path.empty()) {
        ctx.response_headers.emplace_back("Set-Cookie", cookies.clear(return_cookie));
    }
    if (!issued) {
        if (path.empty()) {
            co_return failure(std::move(issued.error()));
        }
        co_return redirect(303, with_error(path, landing.error));
    }
    const auto attempt = attempt_of(ctx, Guarded::login, issued->user.email);
    auto response = arrived(handlers, std::move(*issued), path);
    remember_device(response, handlers.guard, attempt, handlers.cookies);
    co_return response;
}

using Handling = Task<http::Reply> (*)(Routes&, http::RequestContext&, const ProviderSettings&);

Task<http::Reply> unknown_provider()
{
    co_return failure(Error::not_found("sign-in provider not found"));
}

// Of the provider that the path names; Google's paths name it by themselves.
http::Handler handled_by(Handling handling, Routes& handlers, bool google)
{
    return [handling, &handlers, google](http::RequestContext& ctx) {
        const auto name = google ? std::string_view("google") : ctx.path_parameter("name");
        const auto* const provider = handlers.oidc.find(name);
        if (provider == nullptr || provider->is_google() != google) {
            return unknown_provider();
        }
        return handling(handlers, ctx, *provider);
    };
}

constexpr http::Field provider_name{.name = "name", .note = "the provider's among OIDC_PROVIDERS"};
constexpr http::Refusal no_provider{404, "There is no such provider, or it is switched off"};
constexpr http::Refusal provider_away{503, "The provider does not answer"};

http::RouteDoc login_doc(std::string_view summary, std::vector<http::Field> path)
{
    return {
        .summary = summary,
        .success = 302,
        .ok = http::no_body,
        .query =
            {{.name = "return_to",
              .note = "a path of this server to land on, instead of the callback's answer",
              .characters_max = return_path_bytes_max}},
        .path = std::move(path),
        .refusals = {no_provider, provider_away},
        .note = "For browsers: leads to the provider, and leaves cookies that the callback asks for."
    };
}

http::RouteDoc callback_doc(std::string_view summary, std::vector<http::Field> path)
{
    return {
        .summary = summary,
        .ok = http::data<AuthResult>,
        .query =
            {{.name = "state", .note = "as the login gave it to the provider", .required = true},
             {.name = "code", .note = "of the provider; absent beside `error`"},
             {.name = "iss", .note = "who the provider says it is (RFC 9207)"},
             {.name = "error", .note = "why the provider signs nobody in"}},
        .path = std::move(path),
        .also =
            {{200, "With SameSite=Strict and a `return_to`: a page that leads there", http::media("text/html")
             },
             {303, "To the `return_to` of the login, with `error` where nobody is signed in", http::no_body}},
        .refusals =
            {{401, "The state is not this browser's, or no verified user comes of the provider (OAUTH_FAILED)"
             },
             no_provider,
             {409, "The same user signed in elsewhere at the same time"}},
        .note = "The tokens are in cookies, never in the body."
    };
}

}  // namespace

std::vector<http::Route> oidc_routes(Routes& handlers)
{
    using namespace http;
    return {
        {Method::get,
         "/api/v1/auth/google/login",
         {limited(Policy::auth)},
         handled_by(begin, handlers, true),
         login_doc("Begin to sign in with Google", {})},
        {Method::get,
         "/api/v1/auth/google/callback",
         {limited(Policy::auth)},
         handled_by(finish, handlers, true),
         callback_doc("Sign in with what Google sent the browser back with", {})},
        {Method::get,
         "/api/v1/auth/oidc/{name}/login",
         {limited(Policy::auth)},
         handled_by(begin, handlers, false),
         login_doc("Begin to sign in with a provider of OIDC_PROVIDERS", {provider_name})},
        {Method::get,
         "/api/v1/auth/oidc/{name}/callback",
         {limited(Policy::auth)},
         handled_by(finish, handlers, false),
         callback_doc("Sign in with what the provider sent the browser back with", {provider_name})},
    };
    // The analyzer loses sight of the function that a row of the list owns.
}  // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks)

}  // namespace kit::auth
