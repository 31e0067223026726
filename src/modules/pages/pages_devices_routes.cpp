#include "modules/pages/pages_devices_routes.hpp"

#include "modules/pages/pages_view_routes.hpp"

#include <array>
#include <charconv>

namespace kit::pages {

namespace {

constexpr std::string_view sign_out_path = "/account/sign-out";
constexpr std::string_view others_path = "/account/devices/sign-out-others";
constexpr std::string_view all_path = "/account/devices/sign-out-all";

sessions::Identity caller_of(const http::RequestContext& ctx)
{
    const auto& principal = ctx.principal;
    return {.user_id = principal.user_id, .session_id = principal.session_id, .token_id = principal.token_id};
}

// "2026-03-01 14:05 UTC"
std::string minute_text(Timestamp time)
{
    const auto text = to_fixed_iso8601(time);
    return text.substr(0, 10) + " " + text.substr(11, 5) + " UTC";
}

std::string device_text(const sessions::Listed& session)
{
    const auto client = sessions::describe_user_agent(session.user_agent.value_or(""));
    const auto known = [](std::string_view text) { return text != "unknown"; };
    if (!known(client.browser) && !known(client.os)) {
        return "Unknown device";
    }
    if (!known(client.browser) || !known(client.os)) {
        return std::string(known(client.browser) ? client.browser : client.os);
    }
    return std::string(client.browser).append(" on ").append(client.os);
}

// Every button is a form of its own, which the session's token proves ours.
struct Buttons {
    Page& page;
    std::string csrf_token;

    void add(std::string_view action, std::string_view text, std::string_view whose) const
    {
        page.open_form(action);
        page.hidden("csrf_token", csrf_token);
        auto& html = page.html();
        html.open("button", {{"type", "submit"}, {"class", "quiet"}}).text(text);
        if (!whose.empty()) {
            html.open("span", {{"class", "unseen"}}).text(" ").text(whose).close();
        }
        html.close().close();
    }
};

void add_time(http::Html& html, std::string_view label, Timestamp time)
{
    html.text(label).element("time", {{"datetime", to_rfc3339(time)}}, minute_text(time));
}

void add_device(const Buttons& buttons, const sessions::Listed& session, bool current)
{
    const auto name = device_text(session);
    const auto address = session.ip.value_or("an unknown address");
    auto& html = buttons.page.html();
    html.open("li").open("div").open("h2").text(name);
    if (current) {
        html.element("span", {{"class", "badge"}}, "This device");
    }
    html.close().open("p");
    add_time(html, "Last used ", session.rotated_at);
    html.text(" from ").text(address);
    html.close().open("p");
    add_time(html, "Signed in ", session.created_at);
    html.close().close();
    if (current) {
        buttons.add(sign_out_path, "Sign out", "this device");
    } else {
        const auto action = std::string(devices_path) + "/" + std::to_string(session.id) + "/sign-out";
        buttons.add(
            action, "Sign out", name + ", " + address + ", signed in " + minute_text(session.created_at)
        );
    }
    html.close();
}

Task<http::Reply> show_devices(Routes& handlers, http::RequestContext& ctx)
{
    auto& service = handlers.sessions.service;
    const auto user = TRY(co_await handlers.users.find(ctx.principal.user_id));
    const auto devices = co_await service.list(caller_of(ctx), audit::origin_of(ctx));
    handlers.sessions.events.add({"list", "success"});
    const Complaint none;
    Page page(handlers.settings, "My devices", none, Page::Kind::devices);
    page.note(ctx);
    auto& html = page.html();
    html.element(
        "p", {{"class", "lead"}}, "Signed in as " + user.email + ". These devices can use your account."
    );
    const Buttons buttons{.page = page, .csrf_token = service.csrf_token(ctx.principal.session_id)};
    html.open("ul", {{"class", "devices"}});
    for (const auto& session : devices.sessions) {
        add_device(buttons, session, session.id == devices.current_id);
    }
    html.close().open("div", {{"class", "stack"}});
    if (devices.sessions.size() > 1) {
        buttons.add(others_path, "Sign out all other devices", "");
    }
    buttons.add(all_path, "Sign out everywhere", "");
    html.close();
    co_return std::move(page).finish();
}

// The principal's session, unless the form is not of its page.
Result<sessions::Identity> confirmed(const Routes& handlers, const http::RequestContext& ctx)
{
    auto form = Form::read(ctx);
    if (!form) {
        return failure(form.error());
    }
    const std::array named{ctx.principal.session_id};
    if (!handlers.sessions.service.csrf_token_good(form->take("csrf_token"), named)) {
        return failure(Error::forbidden("invalid csrf token"));
    }
    return caller_of(ctx);
}

http::Response signed_out(const Routes& handlers, std::string_view note)
{
    auto response = see_other(with_note(sign_in_path, note));
    sessions::clear_session_cookies(response, handlers.auth.cookies);
    return response;
}

Task<http::Reply> end_one(Routes& handlers, http::RequestContext& ctx)
{
    const auto caller = TRY(confirmed(handlers, ctx));
    const auto text = ctx.path_parameter("session_id");
    std::int64_t id = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), id);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size()) {
        co_return failure(Error::not_found("session not found"));
    }
    auto& service = handlers.sessions.service;
    const auto ended = co_await service.end_one(caller, id, audit::origin_of(ctx));
    handlers.sessions.events.add({"revoke_one", ended ? "success" : "not_found"});
    if (!ended) {
        co_return failure(ended.error());
    }
    if (!service.authenticate(ctx.request.cookie("access_token").value_or(""))) {
        co_return signed_out(handlers, "signed-out");  // it was this one
    }
    co_return see_other(with_note(devices_path, *ended ? "revoked" : "revoked-before"));
}

Task<http::Reply> end_others(Routes& handlers, http::RequestContext& ctx)
{
    const auto caller = TRY(confirmed(handlers, ctx));
    const auto ended = co_await handlers.sessions.service.end_others(caller, audit::origin_of(ctx));
    handlers.sessions.events.add({"revoke_others", ended ? "success" : "error"});
    if (!ended) {
        co_return failure(ended.error());
    }
    co_return see_other(with_note(devices_path, "revoked-others"));
}

Task<http::Reply> end_all(Routes& handlers, http::RequestContext& ctx)
{
    const auto caller = TRY(confirmed(handlers, ctx));
    co_await handlers.sessions.service.sign_out_everywhere(caller.user_id, audit::origin_of(ctx));
    handlers.auth.instruments.logouts.add({"success"});
    co_return signed_out(handlers, "signed-out-all");
}

Task<http::Reply> sign_out(Routes& handlers, http::RequestContext& ctx)
{
    auto caller = TRY(confirmed(handlers, ctx));
    co_await handlers.sessions.service.sign_out(std::move(caller), audit::origin_of(ctx));
    handlers.auth.instruments.logouts.add({"success"});
    co_return signed_out(handlers, "signed-out");
}

}  // namespace

std::vector<http::Route> device_routes(Routes& handlers)
{
    using namespace http;
    return {
        {Method::get,
         devices_path,
         {authenticated},
         http::bind(show_devices, handlers),
         {.summary = "Page: the user's devices", .ok = media("text/html")}},
        {Method::post,
         "/account/devices/{session_id}/sign-out",
         {authenticated},
         http::bind(end_one, handlers),
         {.summary = "Form: sign one device out", .success = 303, .ok = no_body}},
        {Method::post,
         others_path,
         {authenticated},
         http::bind(end_others, handlers),
         {.summary = "Form: sign all other devices out", .success = 303, .ok = no_body}},
        {Method::post,
         all_path,
         {authenticated},
         http::bind(end_all, handlers),
         {.summary = "Form: sign out everywhere", .success = 303, .ok = no_body}},
        {Method::post,
         sign_out_path,
         {authenticated},
         http::bind(sign_out, handlers),
         {.summary = "Form: sign out", .success = 303, .ok = no_body}},
    };
}

}  // namespace kit::pages
