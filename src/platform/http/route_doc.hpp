// What a row says of itself to those who call it: all that the OpenAPI document and the reference page tell
// beyond the row's method, path and guards. A row cannot leave out what it answers; the rest is checked by
// the test that renders the document and by the tools that try it out.
#pragma once

#include "platform/json/shape.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace kit::http {

// What a member of a request's body, or a parameter, must be like beyond its type.
struct Field {
    using Kind = json::Shape::Kind;

    std::string_view name;
    std::string_view note{};
    bool required = false;  // of the body; a part of the path always is
    bool trimmed = false;   // white space around it does not count
    std::optional<std::size_t> characters_min{};
    std::optional<std::size_t> characters_max{};
    std::optional<double> min{};
    std::optional<double> max{};
    std::optional<double> above{};
    std::string_view format{};   // as in JSON Schema: "email", "password"
    std::string_view pattern{};  // ECMA-262; of the whole value
    std::span<const std::string_view> one_of{};
    Kind kind = Kind::text;  // of a parameter; a member of a body has its own
};

constexpr Field required(Field field)
{
    field.required = true;
    return field;
}

// A body, of a request or a response, as OpenAPI describes it.
class Content {
public:
    enum class Form : std::uint8_t {
        none,    // no body
        data,    // the contract's envelope around the value
        bare,    // the value itself
        opaque,  // of another media type than JSON
    };

    constexpr Content(Form form, json::ShapeOf shape, std::string_view media)
        : form_(form), shape_(shape), media_(media)
    {
    }

    Form form() const { return form_; }

    json::ShapeOf shape() const { return shape_; }

    std::string_view media() const { return media_; }

private:
    Form form_;
    json::ShapeOf shape_;
    std::string_view media_;
};

inline constexpr Content no_body{Content::Form::none, nullptr, {}};

template <class T>
inline constexpr Content data{Content::Form::data, json::shape<T>, "application/json"};

template <class T>
inline constexpr Content bare{Content::Form::bare, json::shape<T>, "application/json"};

constexpr Content media(std::string_view type)
{
    return {Content::Form::opaque, nullptr, type};
}

// What a request sends, and the rules of its members.
struct Body {
    Content content = no_body;
    std::span<const Field> fields{};
    bool optional = false;
};

template <class T>
constexpr Body body(std::span<const Field> fields = {})
{
    return {.content = bare<T>, .fields = fields};
}

// Beside the success: another one, or the same status with another body.
struct Answer {
    int status;
    std::string_view note;
    Content content;
};

// A refusal that does not follow from the row's guards. Without a body of its own it has the two common ones.
struct Refusal {
    int status;
    std::string_view note;
    Content content = no_body;
};

struct RouteDoc {
    std::string_view summary;
    int success = 200;
    Content ok;  // what a success carries
    Body body{};
    std::vector<Field> query{};
    std::vector<Field> path{};  // of parts of the path that are not ids
    std::vector<Answer> also{};
    std::vector<Refusal> refusals{};
    bool tagged = false;        // with an ETag; GET answers If-None-Match with 304
    bool if_match = false;      // refuses with 412 what has changed meanwhile
    bool for_people = false;    // a page, its forms and its parts: no part of the API's description
    std::string_view cookie{};  // by which the handler itself knows the caller
    std::string_view note{};    // what the summary does not say
};

}  // namespace kit::http
