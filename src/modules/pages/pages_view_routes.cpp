#include "modules/pages/pages_view_routes.hpp"

#include "modules/pages/pages_assets_routes.hpp"
#include "platform/http/problem.hpp"

#include <algorithm>
#include <array>

namespace kit::pages {

namespace {

// Beside the policy of every answer: nothing from elsewhere, nothing inline, no frame, and forms to us alone.
constexpr std::string_view content_policy =
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

struct Note {
    std::string_view name;
    std::string_view text;
};

constexpr std::array notes{
    Note{"ended", "This device was signed out."},
    Note{"signed-out", "You are signed out."},
    Note{"signed-out-all", "You are signed out on all your devices."},
    Note{"password-set", "Your new password is set. Sign in with it."},
    Note{"verified", "Your email address is verified."},
    Note{
        "verify-sent",
        "If an account waits for it, a mail with a link is on its way. Open it to verify your address."
    },
    Note{"reset-sent", "If there is an account with this address, a mail with a link is on its way."},
    Note{"welcome", "Your account is ready."},
    Note{"revoked", "The device is signed out."},
    Note{"revoked-before", "That device had been signed out before."},
    Note{"revoked-others", "All your other devices are signed out."},
    Note{"again", "Your sign-in had to be renewed. Please try again."},
};

struct Refusal {
    std::string_view title;
    std::string_view text;
};

Refusal refusal_of(ErrorCode code)
{
    switch (code) {
        case ErrorCode::forbidden:
            return {
                "That was refused", "The form is too old, or was sent from another site. Open the page again."
            };
        case ErrorCode::not_found:
            return {"Not found", "There is no such thing, or no more."};
        case ErrorCode::rate_limited:
            return {"Too many requests", "Wait a minute, then try again."};
        case ErrorCode::unavailable:
            return {
                "Not available just now", "Something that we need does not answer. Try again in a moment."
            };
        case ErrorCode::internal:
            return {"Something went wrong", "That is our fault. Try again in a moment."};
        default:
            return {"That did not work", "The request could not be understood. Open the page again."};
    }
}

}  // namespace

std::string with_note(std::string_view path, std::string_view note)
{
    return std::string(path).append("?note=").append(note);
}

http::Response see_other(std::string location)
{
    http::Response response{.status = 303};
    response.set("Location", std::move(location));
    return response;
}

Page::Page(const Settings& settings, std::string_view title, const Complaint& complaint, Kind kind)
    : complaint_(complaint)
{
    const auto full_title =
        (complaint.text.empty() ? "" : "Error: ") + std::string(title) + " – " + settings.product;
    html_.open("html", {{"lang", "en"}}).open("head");
    html_.single("meta", {{"charset", "utf-8"}});
    html_.single("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}});
    html_.element("title", full_title);
    html_.single("link", {{"rel", "icon"}, {"type", "image/svg+xml"}, {"href", icon_address()}});
    html_.single("link", {{"rel", "stylesheet"}, {"href", style_address()}});
    if (kind == Kind::devices) {
        html_.element("script", {{"src", script_address()}, {"defer"}}, "");
    }
    html_.close();
    html_.open("body", {{"class", "wide", kind == Kind::devices}});
    html_.open("header").single(
        "img", {{"src", icon_address()}, {"alt", ""}, {"width", "28"}, {"height", "28"}}
    );
    html_.element("span", settings.product).close();
    html_.open("main").element("h1", title);
    if (const auto text = complaint.of(""); !text.empty()) {
        html_.element("p", {{"class", "notice bad"}, {"role", "alert"}}, text);
    }
}

void Page::note(const http::RequestContext& ctx)
{
    const auto name = ctx.query_parameter("note").value_or("");
    const auto found = std::ranges::find(notes, name, &Note::name);
    if (found != notes.end()) {
        html_.element("p", {{"class", "notice good"}, {"role", "status"}}, found->text);
    }
}

void Page::open_form(std::string_view action)
{
    html_.open("form", {{"method", "post"}, {"action", action}});
}

void Page::hidden(std::string_view name, std::string_view value)
{
    html_.single("input", {{"type", "hidden"}, {"name", name}, {"value", value}});
}

// The first field that is wrong has the focus, else the first that is empty.
void Page::field(const Field& field)
{
    const auto error = complaint_.of(field.name);
    const auto hint_id = std::string(field.name) + "-hint";
    const auto error_id = std::string(field.name) + "-error";
    const auto described = (field.hint.empty() ? "" : hint_id) +
                           (field.hint.empty() || error.empty() ? "" : " ") + (error.empty() ? "" : error_id);
    const bool wanted = complaint_.field.empty() ? field.value.empty() : !error.empty();
    const bool focus = wanted && !std::exchange(focused_, focused_ || wanted);
    html_.open("div", {{"class", "field"}}).element("label", {{"for", field.name}}, field.label);
    if (!field.hint.empty()) {
        html_.element("p", {{"class", "hint"}, {"id", hint_id}}, field.hint);
    }
    html_.single(
        "input",
        {{"id", field.name},
         {"name", field.name},
         {"type", field.type},
         {"value", field.value, !field.value.empty()},
         {"autocomplete", field.autocomplete},
         {"required"},
         {"aria-describedby", described, !described.empty()},
         {"aria-invalid", "true", !error.empty()},
         {"autofocus", "", focus}}
    );
    if (!error.empty()) {
        html_.element("p", {{"class", "error"}, {"id", error_id}}, error);
    }
    html_.close();
}

void Page::close_form(std::string_view button)
{
    html_.element("button", {{"type", "submit"}}, button).close();
}

void Page::links(std::initializer_list<Link> links)
{
    html_.open("ul", {{"class", "links"}});
    for (const auto& [address, text] : links) {
        html_.open("li").element("a", {{"href", address}}, text).close();
    }
    html_.close();
}

// Addresses may hold a one-time token: other sites must not learn it, while the forms' Origin must stay.
http::Response Page::finish() &&
{
    http::Response response{
        .status = complaint_.status, .payload = http::Payload::complete, .body = std::move(html_).finish()
    };
    response.set("Content-Type", "text/html; charset=utf-8");
    response.set("Content-Security-Policy", std::string(content_policy));
    response.set("Referrer-Policy", "same-origin");
    response.set("Cache-Control", "no-store");
    return response;
}

http::Response with_wait(http::Response response, const Error& error)
{
    if (error.retry_after().count() > 0) {
        const auto seconds = std::chrono::ceil<std::chrono::seconds>(error.retry_after());
        response.set("Retry-After", std::to_string(seconds.count()));
    }
    return response;
}

http::Response refused(const Settings& settings, const http::RequestContext& ctx, const Error& error)
{
    if (error.code() == ErrorCode::unauthenticated) {
        // The page's cookies may have outlived the access token; whoever just came from there has tried it.
        const bool renewable = ctx.request.cookie("csrf_token") && !ctx.query_parameter("renewed");
        return see_other(
            !renewable                          ? std::string(sign_in_path)
            : http::is_safe(ctx.request.method) ? "/api/v1/auth/renew"
                                                : "/api/v1/auth/renew?note=again"
        );
    }
    const auto refusal = refusal_of(error.code());
    const Complaint complaint{
        .status = http::wire_code(error.code()).status, .field = {}, .text = std::string(refusal.text)
    };
    Page page(settings, refusal.title, complaint);
    page.links({{"/account", "To my account"}});
    return with_wait(std::move(page).finish(), error);
}

}  // namespace kit::pages
