// HTML that is escaped by construction: markup comes from literals of the source alone, and everything else
// is escaped on its way in. There is no way to append markup that was made at run time.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace kit::http {

// The name of an element or attribute. Only a literal makes one.
class Markup {
public:
    template <std::size_t Size>
    consteval Markup(const char (&literal)[Size]) : text_(literal, Size - 1)
    {
    }

    constexpr std::string_view text() const { return text_; }

private:
    std::string_view text_;
};

struct Attribute {
    Markup name;
    std::string_view value{};
    bool present = true;  // false: left out
};

// A document, written from its doctype on.
class Html {
public:
    Html() = default;

    Html& open(Markup element, std::initializer_list<Attribute> attributes = {});
    Html& text(std::string_view text);
    Html& close();  // the element that was opened last

    // An element that has text alone.
    Html& element(Markup name, std::string_view text);
    Html& element(Markup name, std::initializer_list<Attribute> attributes, std::string_view text);

    // An element that has no content and no end tag, such as `input`.
    Html& single(Markup name, std::initializer_list<Attribute> attributes);

    // Closes what is open.
    std::string finish() &&;

private:
    void start_tag(Markup name, std::initializer_list<Attribute> attributes);

    std::string out_ = "<!doctype html>\n";
    std::vector<std::string_view> open_;
};

}  // namespace kit::http
