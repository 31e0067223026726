#include "modules/pages/pages_form_routes.hpp"

#include "modules/auth/auth.hpp"
#include "platform/core/encoding.hpp"
#include "platform/http/problem.hpp"

#include <algorithm>
#include <array>

namespace kit::pages {

namespace {

struct Explanation {
    std::string_view message;  // the service's
    std::string_view field;
    std::string_view text;
};

constexpr std::array explanations{
    Explanation{"email is required", "email", "Enter your email address."},
    Explanation{"invalid email", "email", "Enter an email address, such as ada@example.com."},
    Explanation{
        "email already registered",
        "email",
        "There is an account with this address already. Sign in to it instead."
    },
    Explanation{"name is required", "name", "Enter your name."},
    Explanation{"name must be at most 255 characters", "name", "Enter a name of at most 255 characters."},
    Explanation{auth::weak_password_text, "password", "This password is too weak, or too common."},
};

std::string wait_text(std::chrono::milliseconds wait)
{
    const auto seconds =
        std::max<std::chrono::seconds::rep>(1, std::chrono::ceil<std::chrono::seconds>(wait).count());
    return "Too many tries. Wait " + std::to_string(seconds) + (seconds == 1 ? " second" : " seconds") +
           ", then try again.";
}

std::string text_of(const Error& error)
{
    switch (error.code()) {
        case ErrorCode::unauthenticated:
            return "The email address or the password is wrong.";
        case ErrorCode::email_unverified:
            return "This address is not verified yet. Open the link in the mail that we sent you, or ask for "
                   "a new "
                   "one.";
        case ErrorCode::invalid_or_expired_token:
            return "This link has expired or was used before. Ask for a new one.";
        case ErrorCode::rate_limited:
            return wait_text(error.retry_after());
        default:
            return "That did not work: " + error.message() + ".";
    }
}

}  // namespace

Result<Form> Form::read(const http::RequestContext& ctx)
{
    auto fields = parse_form(ctx.request.body);
    for (const auto& [name, value] : fields) {
        if (!is_utf8(value) || value.contains('\0')) {
            return failure(Error::invalid("the form cannot be read"));
        }
    }
    return Form(std::move(fields));
}

std::string Form::take(std::string_view name)
{
    const auto found = std::ranges::find(fields_, name, &std::pair<std::string, std::string>::first);
    return found == fields_.end() ? std::string() : std::move(found->second);
}

Complaint complain(const Error& error, std::string_view password)
{
    const int status = http::wire_code(error.code()).status;
    const auto found = std::ranges::find(explanations, error.message(), &Explanation::message);
    if (found == explanations.end()) {
        return {.status = status, .field = {}, .text = text_of(error)};
    }
    return {
        .status = status,
        .field = found->field == "password" ? password : found->field,
        .text = std::string(found->text)
    };
}

Complaint missing(std::string_view field, std::string_view text)
{
    return {.status = 400, .field = field, .text = std::string(text)};
}

}  // namespace kit::pages
