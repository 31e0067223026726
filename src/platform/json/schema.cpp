#include "platform/json/schema.hpp"

#include "platform/json/write.hpp"

#include <optional>
#include <utility>

namespace kit::json {

namespace {

std::string struct_schema(const Shape& shape, const SchemaOf& within)
{
    std::string properties;
    auto object = json::object(properties);
    std::optional<std::vector<std::string_view>> required;  // absent when empty
    for (const auto& member : shape.members) {
        object.field(member.name, Raw{within(member.shape())});
        if (member.required) {
            required = std::move(required).value_or(std::vector<std::string_view>());
            required->push_back(member.name);
        }
    }
    std::string out;
    json::object(out)
        .field("type", "object")
        .field("properties", Raw{properties})
        .field("required", required);
    return out;
}

std::string schema_within(const Shape& shape, const SchemaOf& within)
{
    using Kind = Shape::Kind;
    std::string out;
    auto object = json::object(out);
    switch (shape.kind) {
        case Kind::any:
            break;
        case Kind::boolean:
            object.field("type", "boolean");
            break;
        case Kind::integer:
            object.field("type", "integer");
            break;
        case Kind::natural:
            object.field("type", "integer").field("minimum", 0);
            break;
        case Kind::number:
            object.field("type", "number");
            break;
        case Kind::text:
            object.field("type", "string");
            break;
        case Kind::time:
            object.field("type", "string").field("format", "date-time");
            break;
        case Kind::choice:
            object.field("type", "string").field("enum", shape.names);
            break;
        case Kind::nullable:
            object.field("anyOf", std::vector<Raw>{{within(shape.inner())}, {R"({"type":"null"})"}});
            break;
        case Kind::array:
            object.field("type", "array").field("items", Raw{within(shape.inner())});
            break;
        case Kind::map:
            object.field("type", "object").field("additionalProperties", Raw{within(shape.inner())});
            break;
        case Kind::object:
            return struct_schema(shape, within);
    }
    return out;
}

}  // namespace

std::string schema(const Shape& shape, const SchemaOf& within)
{
    if (within) {
        return schema_within(shape, within);
    }
    return schema_within(shape, [](const Shape& inner) { return schema(inner); });
}

namespace detail {

std::string plain_type_name(std::string_view qualified)
{
    std::string name;
    std::string word;
    const auto flush = [&] { name += std::exchange(word, {}); };
    for (std::size_t at = 0; at < qualified.size(); ++at) {
        const char letter = qualified[at];
        if (letter == ':') {
            word.clear();
        } else if (letter == '(') {  // "(anonymous namespace)"
            at = qualified.find(')', at);
        } else if (letter == '<' || letter == '>' || letter == ',') {
            flush();
        } else if (letter != ' ') {
            word += letter;
        }
    }
    flush();
    return name;
}

}  // namespace detail

}  // namespace kit::json
