#include "platform/mail/page.hpp"

#include <algorithm>

namespace kit::mail {

namespace {

// One line: no control character of a value starts a line of ours, or ends up in a mail.
std::string one_line(std::string_view text)
{
    std::string line(text);
    std::ranges::replace_if(
        line, [](char byte) { return static_cast<unsigned char>(byte) < ' ' || byte == '\x7f'; }, ' '
    );
    return line;
}

std::string escaped_line(std::string_view text)
{
    return escape_html(one_line(text));
}

constexpr std::string_view paragraph_style = "margin:0 0 16px";
constexpr std::string_view button_style =
    "display:inline-block;padding:12px "
    "20px;border-radius:6px;background:#1a5fb4;color:#ffffff;text-decoration:none;"
    "font-weight:bold";
constexpr std::string_view small_style = "margin:0 0 16px;font-size:13px;color:#5e5c64;word-break:break-all";

std::string element(std::string_view style, std::string_view content)
{
    std::string html("<p style=\"");
    html.append(style).append("\">").append(content).append("</p>\n");
    return html;
}

}  // namespace

std::string escape_html(std::string_view text)
{
    std::string escaped;
    escaped.reserve(text.size());
    for (const char byte : text) {
        switch (byte) {
            case '&':
                escaped += "&amp;";
                break;
            case '<':
                escaped += "&lt;";
                break;
            case '>':
                escaped += "&gt;";
                break;
            case '"':
                escaped += "&quot;";
                break;
            case '\'':
                escaped += "&#39;";
                break;
            default:
                escaped += byte;
        }
    }
    return escaped;
}

bool is_web_link(std::string_view text)
{
    return text.starts_with("https://") || text.starts_with("http://");
}

Page::Page(std::string_view product, std::string_view title)
    : product_(one_line(product)), title_(one_line(title))
{
}

Page& Page::paragraph(std::string_view text)
{
    text_ += one_line(text) + "\n\n";
    html_ += element(paragraph_style, escaped_line(text));
    return *this;
}

Page& Page::link(std::string_view label, std::string_view url)
{
    text_ += one_line(label) + ":\n" + one_line(url) + "\n\n";
    const auto address = escaped_line(url);
    if (is_web_link(url)) {
        html_ += element(
            paragraph_style,
            "<a href=\"" + address + "\" style=\"" + std::string(button_style) + "\">" + escaped_line(label) +
                "</a>"
        );
        html_ += element(small_style, address);
    } else {
        html_ += element(paragraph_style, escaped_line(label) + ":<br><code>" + address + "</code>");
    }
    return *this;
}

Page& Page::fact(std::string_view name, std::string_view value)
{
    text_ += "  " + one_line(name) + ": " + one_line(value) + "\n\n";
    html_ += element(paragraph_style, "<strong>" + escaped_line(name) + ":</strong> " + escaped_line(value));
    return *this;
}

std::string Page::text() const
{
    return title_ + "\n\n" + text_ + "-- \n" + product_ + "\n";
}

std::string Page::html() const
{
    const auto title = escape_html(title_);
    std::string html =
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width\"><title>";
    html += title;
    html +=
        "</title></head>\n<body style=\"margin:0;padding:24px;background:#f6f5f4;color:#241f31;"
        "font:16px/1.5 sans-serif\">\n<div style=\"max-width:560px;margin:0 auto;padding:24px;"
        "background:#ffffff;border-radius:8px\">\n";
    html += element("margin:0 0 8px;color:#5e5c64", escape_html(product_));
    html += "<h1 style=\"margin:0 0 16px;font-size:22px\">" + title + "</h1>\n";
    html += html_;
    html += "</div>\n</body>\n</html>\n";
    return html;
}

}  // namespace kit::mail
