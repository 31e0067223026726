#include "platform/http/html.hpp"

#include <cassert>
#include <utility>

namespace kit::http {

namespace {

// Good in text and in quoted attribute values alike.
void append_escaped(std::string& out, std::string_view text)
{
    for (const char letter : text) {
        switch (letter) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&#39;";
                break;
            default:
                out += letter;
        }
    }
}

}  // namespace

void Html::start_tag(Markup name, std::initializer_list<Attribute> attributes)
{
    out_ += '<';
    out_ += name.text();
    for (const auto& attribute : attributes) {
        if (!attribute.present) {
            continue;
        }
        out_ += ' ';
        out_ += attribute.name.text();
        out_ += "=\"";
        append_escaped(out_, attribute.value);
        out_ += '"';
    }
    out_ += '>';
}

Html& Html::open(Markup element, std::initializer_list<Attribute> attributes)
{
    start_tag(element, attributes);
    open_.push_back(element.text());
    return *this;
}

Html& Html::text(std::string_view text)
{
    append_escaped(out_, text);
    return *this;
}

Html& Html::close()
{
    assert(!open_.empty() && "nothing is open");
    out_ += "</";
    out_ += open_.back();
    out_ += ">\n";
    open_.pop_back();
    return *this;
}

Html& Html::element(Markup name, std::string_view text)
{
    return element(name, {}, text);
}

Html& Html::element(Markup name, std::initializer_list<Attribute> attributes, std::string_view text)
{
    return open(name, attributes).text(text).close();
}

Html& Html::single(Markup name, std::initializer_list<Attribute> attributes)
{
    start_tag(name, attributes);
    out_ += '\n';
    return *this;
}

std::string Html::finish() &&
{
    while (!open_.empty()) {
        close();
    }
    return std::move(out_);
}

}  // namespace kit::http
