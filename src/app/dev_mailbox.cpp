#include "app/dev_mailbox.hpp"

#include "platform/core/encoding.hpp"
#include "platform/http/body.hpp"
#include "platform/mail/page.hpp"

#include <boost/describe/class.hpp>

namespace kit::mail {

BOOST_DESCRIBE_STRUCT(Stored, (), (id, to, subject, text, html, created_at))

}  // namespace kit::mail

namespace kit::app {

namespace {

struct Mails {
    std::vector<mail::Stored> items;
};
BOOST_DESCRIBE_STRUCT(Mails, (), (items))

// Beside the policy of every answer: nothing is loaded and nothing runs, in the mails' frames neither.
constexpr std::string_view page_policy =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

bool accepts_json(const http::Request& request)
{
    for (const auto& header : request.headers) {
        if (equal_ignoring_case(header.name, "accept") &&
            to_lower(header.value).contains("application/json")) {
            return true;
        }
    }
    return false;
}

// Our layout puts every address on a line of its own.
void append_text(std::string& html, std::string_view text)
{
    html += "<pre>";
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto line = mail::escape_html(text.substr(0, end));
        if (mail::is_web_link(text)) {
            html += "<a rel=\"noreferrer\" href=\"" + line + "\">" + line + "</a>";
        } else {
            html += line;
        }
        html += '\n';
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    html += "</pre>\n";
}

void append_mail(std::string& html, const mail::Stored& stored)
{
    html += "<article>\n<h2>" + mail::escape_html(stored.subject) + "</h2>\n<p>To " +
            mail::escape_html(stored.to) + ", <time>" + to_rfc3339(stored.created_at) + "</time></p>\n";
    append_text(html, stored.text);
    // A frame without an origin of its own and without scripts; what is clicked opens in a new tab.
    html +=
        "<details><summary>HTML</summary><iframe sandbox=\"allow-popups allow-popups-to-escape-sandbox\" "
        "width=\"640\" height=\"480\" srcdoc=\"" +
        mail::escape_html("<base target=\"_blank\">" + stored.html) +
        "\"></iframe></details>\n</article>\n<hr>\n";
}

http::Response page(const std::vector<mail::Stored>& mails)
{
    http::Response response{.payload = http::Payload::complete};
    response.set("Content-Type", "text/html; charset=utf-8");
    response.set("Content-Security-Policy", std::string(page_policy));
    response.body =
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Mailbox</title></head>\n"
        "<body>\n<h1>Mailbox</h1>\n<p>Every mail that this server sent, newest first.</p>\n<hr>\n";
    for (const auto& stored : mails) {
        append_mail(response.body, stored);
    }
    if (mails.empty()) {
        response.body += "<p>No mail yet.</p>\n";
    }
    response.body += "</body>\n</html>\n";
    return response;
}

Task<http::Reply> show_mailbox(DevMailboxPage& mailbox, http::RequestContext& ctx)
{
    co_return co_await mailbox.show(ctx);
}

}  // namespace

Task<http::Reply> DevMailboxPage::show(http::RequestContext& ctx) const
{
    auto mails = co_await outbox_.newest(database_, mails_max);
    auto response = accepts_json(ctx.request) ? http::ok(Mails{std::move(mails)}) : page(mails);
    response.set("Cache-Control", "no-store");
    response.set("Vary", "Accept");
    co_return response;
}

std::vector<http::Route> routes(DevMailboxPage& mailbox)
{
    using namespace http;
    return {
        {Method::get,
         "/_dev/mail",
         {},
         http::bind(show_mailbox, mailbox),
         {.summary = "The development mailbox, as a page or as JSON",
          .ok = media("text/html"),
          .also = {{200, "With Accept: application/json", data<Mails>}}}},
    };
}

}  // namespace kit::app
