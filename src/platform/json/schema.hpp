// The JSON Schema (2020-12) of what write() prints for a type, as a fragment without "$schema".
#pragma once

#include "platform/json/write.hpp"

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kit::json {

template <class T>
std::string schema();

namespace detail {

struct SchemaProperties {
    std::string json;
    std::optional<std::vector<std::string_view>> required;  // absent when empty
};

// An optional member is absent rather than null: the type within, and not required.
template <class Member>
void add_property(SchemaProperties& properties, ObjectWriter& object, std::string_view name)
{
    if constexpr (is_optional<Member>) {
        object.field(name, Raw{schema<typename Member::value_type>()});
    } else {
        object.field(name, Raw{schema<Member>()});
        if (!properties.required) {
            properties.required.emplace();
        }
        properties.required->push_back(name);
    }
}

template <DescribedStruct T>
void write_struct_schema(std::string& out)
{
    SchemaProperties properties;
    auto object = json::object(properties.json);
    [&]<class... D>(boost::mp11::mp_list<D...>) {
        (add_property<std::remove_cvref_t<decltype(std::declval<T&>().*D::pointer)>>(
             properties, object, D::name
         ),
         ...);
    }(Members<T>());
    json::object(out)
        .field("type", "object")
        .field("properties", Raw{properties.json})
        .field("required", properties.required);
}

template <Integer T>
void write_integer_schema(std::string& out)
{
    auto object = json::object(out);
    object.field("type", "integer");
    if constexpr (std::is_unsigned_v<T>) {
        object.field("minimum", 0);
    }
}

template <class T>
void write_schema(std::string& out)
{
    if constexpr (std::same_as<T, bool>) {
        json::object(out).field("type", "boolean");
    } else if constexpr (Integer<T>) {
        write_integer_schema<T>(out);
    } else if constexpr (std::same_as<T, double>) {
        json::object(out).field("type", "number");
    } else if constexpr (std::convertible_to<const T&, std::string_view>) {
        json::object(out).field("type", "string");
    } else if constexpr (std::same_as<T, Timestamp>) {
        json::object(out).field("type", "string").field("format", "date-time");
    } else if constexpr (std::same_as<T, Raw>) {
        json::object(out);  // any value
    } else if constexpr (is_optional<T>) {
        const std::vector<Raw> either = {{schema<typename T::value_type>()}, {R"({"type":"null"})"}};
        json::object(out).field("anyOf", either);
    } else if constexpr (is_vector<T> || is_span<T>) {
        json::object(out)
            .field("type", "array")
            .field("items", Raw{schema<std::remove_cv_t<typename T::value_type>>()});
    } else if constexpr (is_map<T>) {
        json::object(out)
            .field("type", "object")
            .field("additionalProperties", Raw{schema<typename T::mapped_type>()});
    } else if constexpr (DescribedEnum<T>) {
        const std::span<const std::string_view> names = enumerator_names<T>;
        json::object(out).field("type", "string").field("enum", names);
    } else if constexpr (DescribedStruct<T>) {
        write_struct_schema<T>(out);
    } else {
        static_assert(unsupported<T>, "describe the type with BOOST_DESCRIBE_STRUCT or BOOST_DESCRIBE_ENUM");
    }
}

}  // namespace detail

// T must not contain itself, not even in a vector: the fragment has no references.
template <class T>
std::string schema()
{
    std::string out;
    detail::write_schema<T>(out);
    return out;
}

}  // namespace kit::json
