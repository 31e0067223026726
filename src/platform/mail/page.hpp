// The one layout of all our mails: said once in blocks, written as text and as HTML. Nothing that a block
// holds can become markup.
#pragma once

#include <string>
#include <string_view>

namespace kit::mail {

// For HTML's text and for quoted attribute values.
std::string escape_html(std::string_view text);

// http or https: what a mail or a page may make clickable.
bool is_web_link(std::string_view text);

class Page {
public:
    // `product` stands above everything.
    Page(std::string_view product, std::string_view title);

    Page& paragraph(std::string_view text);

    // A button, with the address beside it for those whose reader shows none. What is no web link is shown as
    // a code to be copied.
    Page& link(std::string_view label, std::string_view url);

    // "Device: Firefox on Linux"; several in a row make a list.
    Page& fact(std::string_view name, std::string_view value);

    std::string text() const;
    std::string html() const;

private:
    std::string product_;
    std::string title_;
    std::string text_;
    std::string html_;
};

}  // namespace kit::mail
