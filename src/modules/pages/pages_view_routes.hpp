// What all pages look like.
#pragma once

#include "modules/pages/pages.hpp"
#include "modules/pages/pages_form_routes.hpp"
#include "platform/http/html.hpp"
#include "platform/http/types.hpp"

#include <string>
#include <string_view>

namespace kit::pages {

inline constexpr std::string_view devices_path = "/account/devices";
inline constexpr std::string_view sign_in_path = "/account/sign-in";
inline constexpr std::string_view register_path = "/account/register";
inline constexpr std::string_view forgot_path = "/account/forgot";
inline constexpr std::string_view resend_path = "/account/verify/resend";

// One page on its way: the frame is written around what html() gets.
class Page {
public:
    enum class Kind : std::uint8_t { form, devices };

    // `complaint`, where there is one that is the whole form's, and the note of the address are shown first.
    Page(
        const Settings& settings, std::string_view title, const Complaint& complaint, Kind kind = Kind::form
    );

    http::Html& html() { return html_; }

    // What the address's `note` stands for; unknown ones are nothing.
    void note(const http::RequestContext& ctx);

    void open_form(std::string_view action);
    void hidden(std::string_view name, std::string_view value);

    struct Field {
        std::string_view name;
        std::string_view label;
        std::string_view type;
        std::string_view autocomplete;
        std::string_view value{};
        std::string_view hint{};
    };

    void field(const Field& field);
    void close_form(std::string_view button);

    struct Link {
        std::string_view address;
        std::string_view text;
    };

    void links(std::initializer_list<Link> links);

    http::Response finish() &&;

private:
    http::Html html_;
    const Complaint& complaint_;
    bool focused_ = false;
};

// The address of a page with a note, such as "/account/devices?note=revoked".
std::string with_note(std::string_view path, std::string_view note);

// 303: what comes next is a GET, so that a reload sends nothing twice.
http::Response see_other(std::string location);

// The page with the Retry-After of the error, where it has one.
http::Response with_wait(http::Response response, const Error& error);

// Whatever refuses a page's request, as a page. Who is not signed in is sent to where he can be.
http::Response refused(const Settings& settings, const http::RequestContext& ctx, const Error& error);

}  // namespace kit::pages
