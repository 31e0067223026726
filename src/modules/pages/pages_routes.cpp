#include "modules/pages/pages.hpp"
#include "modules/pages/pages_assets_routes.hpp"
#include "modules/pages/pages_devices_routes.hpp"
#include "modules/pages/pages_view_routes.hpp"
#include "platform/core/encoding.hpp"

#include <iterator>

namespace kit::pages {

namespace {

constexpr std::string_view cookie_path = "/account";  // of the cookie by which the abuse guard knows a device
constexpr std::string_view password_hint =
    "At least 12 characters with upper and lower case letters, a digit and another character; or a "
    "passphrase of "
    "at least 20 characters.";

constexpr Page::Field email_field{
    .name = "email", .label = "Email address", .type = "email", .autocomplete = "username"
};

Page::Field with_value(Page::Field field, std::string_view value)
{
    field.value = value;
    return field;
}

Page::Field new_password_field(std::string_view name, std::string_view label)
{
    return {
        .name = name,
        .label = label,
        .type = "password",
        .autocomplete = "new-password",
        .hint = password_hint
    };
}

// What an address must be before anybody is asked.
Complaint check_address(std::string_view email)
{
    const auto normal = auth::normalise_email(email);
    if (normal.empty()) {
        return missing("email", "Enter your email address.");
    }
    if (!auth::is_address(normal)) {
        return missing("email", "Enter an email address, such as ada@example.com.");
    }
    return {};
}

void add_providers(Page& page, const Settings& settings)
{
    if (settings.providers.empty()) {
        return;
    }
    auto& html = page.html();
    if (settings.local_enabled) {
        html.element("p", {{"class", "or"}}, "or");
    }
    html.open("div", {{"class", "stack"}});
    for (const auto& provider : settings.providers) {
        // Back to the page that tells what went wrong, or leads on who is signed in.
        const auto login = provider.login_path + "?return_to=" + percent_encode(sign_in_path);
        html.element("a", {{"class", "button"}, {"href", login}}, "Continue with " + provider.label);
    }
    html.close();
}

// What a provider's sign-in came back with (auth_oidc.hpp).
Complaint complaint_of_provider(const http::RequestContext& ctx)
{
    const auto error = ctx.query_parameter("error").value_or("");
    if (error.empty()) {
        return {};
    }
    if (error == "access_denied") {
        return {.text = "You are not signed in: the other service was not allowed to tell us who you are."};
    }
    if (error == "unavailable") {
        return {.text = "The other service does not answer. Try again later, or sign in another way."};
    }
    return {.text = "Signing in with the other service did not work. Try again."};
}

http::Response sign_in_page(
    const Routes& handlers,
    const http::RequestContext& ctx,
    std::string_view email,
    const Complaint& complaint
)
{
    const auto& settings = handlers.settings;
    Page page(settings, "Sign in", complaint);
    page.note(ctx);
    if (settings.local_enabled) {
        page.open_form(sign_in_path);
        page.field(with_value(email_field, email));
        page.field(
            {.name = "password", .label = "Password", .type = "password", .autocomplete = "current-password"}
        );
        page.close_form("Sign in");
    }
    add_providers(page, settings);
    if (settings.local_enabled) {
        page.links(
            {{forgot_path, "Forgotten your password?"},
             {verify_path, "Verify your email address"},
             {register_path, "Create an account"}}
        );
    }
    return std::move(page).finish();
}

// Whoever is signed in already goes on.
bool is_signed_in(const Routes& handlers, const http::RequestContext& ctx)
{
    const auto token = ctx.request.cookie("access_token").value_or("");
    return !token.empty() && handlers.sessions.service.authenticate(token);
}

Task<http::Reply> show_sign_in(Routes& handlers, http::RequestContext& ctx)
{
    if (is_signed_in(handlers, ctx)) {
        co_return see_other(std::string(devices_path));
    }
    co_return sign_in_page(handlers, ctx, "", complaint_of_provider(ctx));
}

http::Response enter(const Routes& handlers, const sessions::Issued& issued, std::string location)
{
    auto response = see_other(std::move(location));
    sessions::set_session_cookies(response, issued, handlers.sessions.service, handlers.auth.cookies);
    return response;
}

Task<http::Reply> sign_in(Routes& handlers, http::RequestContext& ctx)
{
    auto form = TRY(Form::read(ctx));
    const auto email = form.take("email");
    auto password = form.take("password");
    auto complaint = trim(email).empty() ? missing("email", "Enter your email address.") : Complaint();
    if (complaint.text.empty() && password.empty()) {
        complaint = missing("password", "Enter your password.");
    }
    if (!complaint.text.empty()) {
        co_return sign_in_page(handlers, ctx, email, complaint);
    }
    const auto attempt = auth::attempt_of(ctx, auth::Guarded::login, auth::normalise_email(email));
    const auto issued =
        co_await auth::log_in(handlers.auth, ctx, {.email = email, .password = std::move(password)}, attempt);
    if (!issued) {
        auto page = sign_in_page(handlers, ctx, email, complain(issued.error(), "password"));
        co_return with_wait(std::move(page), issued.error());
    }
    auto response = enter(handlers, *issued, std::string(devices_path));
    auth::remember_device(response, handlers.auth.guard, attempt, handlers.auth.cookies, cookie_path);
    co_return response;
}

struct NewAccount {
    std::string email;
    std::string name;
};

http::Response register_page(const Routes& handlers, const NewAccount& account, const Complaint& complaint)
{
    Page page(handlers.settings, "Create an account", complaint);
    page.open_form(register_path);
    page.field(
        {.name = "name", .label = "Name", .type = "text", .autocomplete = "name", .value = account.name}
    );
    page.field(with_value(email_field, account.email));
    page.field(new_password_field("password", "Password"));
    page.close_form("Create account");
    add_providers(page, handlers.settings);
    page.links({{sign_in_path, "Sign in to an account that you have"}});
    return std::move(page).finish();
}

Task<http::Reply> show_register(Routes& handlers, http::RequestContext& ctx)
{
    if (is_signed_in(handlers, ctx)) {
        co_return see_other(std::string(devices_path));
    }
    co_return register_page(handlers, {}, {});
}

// Where the address has to be verified first, its link is asked for at once: there is no client here that
// would.
Task<http::Reply> create_account(Routes& handlers, http::RequestContext& ctx)
{
    auto form = TRY(Form::read(ctx));
    const NewAccount account{.email = form.take("email"), .name = form.take("name")};
    const auto registered = co_await auth::sign_up(
        handlers.auth, ctx, {.email = account.email, .name = account.name, .password = form.take("password")}
    );
    if (!registered) {
        co_return register_page(handlers, account, complain(registered.error(), "password"));
    }
    if (!registered->issued) {
        TRY(co_await auth::ask_for_verification(handlers.auth, ctx, registered->user.email));
        co_return see_other(with_note(verify_path, "verify-sent"));
    }
    auto response = enter(handlers, *registered->issued, with_note(devices_path, "welcome"));
    const auto attempt = auth::attempt_of(ctx, auth::Guarded::login, registered->user.email);
    auth::remember_device(response, handlers.auth.guard, attempt, handlers.auth.cookies, cookie_path);
    co_return response;
}

// A form that asks for an address alone.
struct AddressForm {
    std::string_view title;
    std::string_view lead;
    std::string_view action;
    std::string_view button;
};

constexpr AddressForm resend_form{
    .title = "Verify your email address",
    .lead =
        "Open the link in the mail that we sent you. If it has not come, or is too old, ask for a new one.",
    .action = resend_path,
    .button = "Send a new link",
};

constexpr AddressForm forgot_form{
    .title = "Forgotten your password?",
    .lead = "Tell us your email address: we send you a link with which you can choose a new password.",
    .action = forgot_path,
    .button = "Send the link",
};

http::Response address_page(
    const Routes& handlers,
    const http::RequestContext& ctx,
    const AddressForm& form,
    std::string_view email,
    const Complaint& complaint
)
{
    Page page(handlers.settings, form.title, complaint);
    page.note(ctx);
    page.html().element("p", {{"class", "lead"}}, form.lead);
    page.open_form(form.action);
    page.field(with_value(email_field, email));
    page.close_form(form.button);
    page.links({{sign_in_path, "Back to sign-in"}});
    return std::move(page).finish();
}

// A link in a mail is opened by scanners and previews too: it takes a person's click to use it up.
http::Response confirm_page(const Routes& handlers, std::string_view token)
{
    const Complaint none;
    Page page(handlers.settings, "Verify your email address", none);
    page.html().element("p", {{"class", "lead"}}, "Confirm that this address is yours, and you are done.");
    page.open_form(verify_path);
    page.hidden("token", token);
    page.close_form("Verify my address");
    return std::move(page).finish();
}

Task<http::Reply> show_verify(Routes& handlers, http::RequestContext& ctx)
{
    const auto token = ctx.query_parameter("token").value_or("");
    co_return token.empty() ? address_page(handlers, ctx, resend_form, "", {})
                            : confirm_page(handlers, token);
}

Task<http::Reply> verify(Routes& handlers, http::RequestContext& ctx)
{
    auto form = TRY(Form::read(ctx));
    const auto confirmed = co_await auth::confirm_address(handlers.auth, ctx, form.take("token"));
    if (!confirmed) {
        co_return address_page(handlers, ctx, resend_form, "", complain(confirmed.error(), ""));
    }
    co_return see_other(with_note(is_signed_in(handlers, ctx) ? devices_path : sign_in_path, "verified"));
}

Task<http::Reply> resend(Routes& handlers, http::RequestContext& ctx)
{
    auto form = TRY(Form::read(ctx));
    const auto email = form.take("email");
    const auto asked = co_await auth::ask_for_verification(handlers.auth, ctx, email);
    if (!asked) {
        co_return address_page(handlers, ctx, resend_form, email, complain(asked.error(), ""));
    }
    co_return see_other(with_note(verify_path, "verify-sent"));
}

Task<http::Reply> show_forgot(Routes& handlers, http::RequestContext& ctx)
{
    co_return address_page(handlers, ctx, forgot_form, "", {});
}

// The service takes any text for an address of nobody's, silently; people rather hear of a slip.
Task<http::Reply> forgot(Routes& handlers, http::RequestContext& ctx)
{
    auto form = TRY(Form::read(ctx));
    const auto email = form.take("email");
    if (const auto complaint = check_address(email); !complaint.text.empty()) {
        co_return address_page(handlers, ctx, forgot_form, email, complaint);
    }
    const auto asked = co_await auth::ask_for_reset(handlers.auth, ctx, email);
    if (!asked) {
        auto page = address_page(handlers, ctx, forgot_form, email, complain(asked.error(), ""));
        co_return with_wait(std::move(page), asked.error());
    }
    co_return see_other(with_note(forgot_path, "reset-sent"));
}

http::Response reset_page(const Routes& handlers, std::string_view token, const Complaint& complaint)
{
    Page page(handlers.settings, "Choose a new password", complaint);
    page.html().element("p", {{"class", "lead"}}, "It signs you out on all your devices.");
    page.open_form(reset_path);
    page.hidden("token", token);
    page.field(new_password_field("new_password", "New password"));
    page.close_form("Set the password");
    return std::move(page).finish();
}

Task<http::Reply> show_reset(Routes& handlers, http::RequestContext& ctx)
{
    const auto token = ctx.query_parameter("token").value_or("");
    if (token.empty()) {
        co_return see_other(std::string(forgot_path));
    }
    co_return reset_page(handlers, token, {});
}

Task<http::Reply> reset(Routes& handlers, http::RequestContext& ctx)
{
    auto form = TRY(Form::read(ctx));
    const auto token = form.take("token");
    const auto set = co_await auth::set_password(
        handlers.auth, ctx, {.token = token, .new_password = form.take("new_password")}
    );
    if (set) {
        auto response = see_other(with_note(sign_in_path, "password-set"));
        sessions::clear_session_cookies(response, handlers.auth.cookies);
        co_return response;
    }
    const auto complaint = complain(set.error(), "new_password");
    if (set.error().code() == ErrorCode::invalid_or_expired_token) {
        co_return address_page(handlers, ctx, forgot_form, "", complaint);
    }
    co_return reset_page(handlers, token, complaint);
}

// The refresh token's path is the API's: there a page whose access token has expired is given the next one.
Task<http::Reply> renew(Routes& handlers, http::RequestContext& ctx)
{
    const auto issued = co_await auth::renew(handlers.auth, ctx);
    if (!issued) {
        co_return see_other(with_note(sign_in_path, "ended"));
    }
    const bool again = ctx.query_parameter("note") == "again";
    co_return enter(
        handlers, *issued, std::string(devices_path) + (again ? "?renewed&note=again" : "?renewed")
    );
}

Task<http::Reply> show_account(Routes& /*handlers*/, http::RequestContext& /*ctx*/)
{
    co_return see_other(std::string(devices_path));
}

std::vector<http::Route> common_routes(Routes& handlers)
{
    using namespace http;
    return {
        {Method::get,
         "/account",
         {},
         http::bind(show_account, handlers),
         {.summary = "To the devices", .success = 303, .ok = no_body}},
        {Method::get,
         sign_in_path,
         {},
         http::bind(show_sign_in, handlers),
         {.summary = "Page: sign in", .ok = media("text/html")}},
        {Method::get,
         "/api/v1/auth/renew",
         {limited(Policy::refresh)},
         http::bind(renew, handlers),
         {.summary = "The pages' refresh: new tokens, and back to the devices", .success = 303, .ok = no_body}
        },
    };
}

std::vector<http::Route> password_routes(Routes& handlers)
{
    using namespace http;
    return {
        {Method::post,
         sign_in_path,
         {same_site, limited(Policy::login)},
         http::bind(sign_in, handlers),
         {.summary = "Form: sign in", .success = 303, .ok = no_body}},
        {Method::get,
         register_path,
         {},
         http::bind(show_register, handlers),
         {.summary = "Page: create an account", .ok = media("text/html")}},
        {Method::post,
         register_path,
         {same_site, limited(Policy::auth)},
         http::bind(create_account, handlers),
         {.summary = "Form: create an account", .success = 303, .ok = no_body}},
        {Method::get,
         verify_path,
         {},
         http::bind(show_verify, handlers),
         {.summary = "Page: verify an address", .ok = media("text/html")}},
        {Method::post,
         verify_path,
         {same_site, limited(Policy::auth)},
         http::bind(verify, handlers),
         {.summary = "Form: verify an address by the link's token", .success = 303, .ok = no_body}},
        {Method::post,
         resend_path,
         {same_site, limited(Policy::auth)},
         http::bind(resend, handlers),
         {.summary = "Form: ask for a link that verifies an address", .success = 303, .ok = no_body}},
        {Method::get,
         forgot_path,
         {},
         http::bind(show_forgot, handlers),
         {.summary = "Page: forgotten password", .ok = media("text/html")}},
        {Method::post,
         forgot_path,
         {same_site, limited(Policy::forgot)},
         http::bind(forgot, handlers),
         {.summary = "Form: ask for a link that resets a password", .success = 303, .ok = no_body}},
        {Method::get,
         reset_path,
         {},
         http::bind(show_reset, handlers),
         {.summary = "Page: choose a new password", .ok = media("text/html")}},
        {Method::post,
         reset_path,
         {same_site, limited(Policy::auth)},
         http::bind(reset, handlers),
         {.summary = "Form: set a new password by the link's token", .success = 303, .ok = no_body}},
    };
}

}  // namespace

std::vector<http::Route> routes(Routes& handlers)
{
    std::vector<http::Route> rows;
    const auto add = [&rows](std::vector<http::Route> more) {
        rows.insert(rows.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    };
    add(common_routes(handlers));
    if (handlers.settings.local_enabled) {
        add(password_routes(handlers));
    }
    add(device_routes(handlers));
    for (auto& row : rows) {
        row.options.body_bytes_max = Form::bytes_max;
        row.options.on_error = [&handlers](const http::RequestContext& ctx, const Error& error) {
            return refused(handlers.settings, ctx, error);
        };
    }
    add(asset_routes());
    for (auto& row : rows) {
        row.doc.for_people = true;
    }
    return rows;
}

}  // namespace kit::pages
