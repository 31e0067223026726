// The shape of what write() prints for a type, as data: what descriptions of the API are made from.
#pragma once

#include "platform/json/describe.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kit::json {

struct Shape;

// Asked for only when somebody describes the type: a type may contain itself.
using ShapeOf = Shape (*)();

struct Member {
    std::string_view name;
    ShapeOf shape;         // of the value where there is one
    bool required = true;  // false: absent rather than null
};

struct Shape {
    enum class Kind : std::uint8_t {
        any,
        boolean,
        integer,
        natural,
        number,
        text,
        time,
        choice,
        nullable,
        array,
        map,
        object
    };

    Kind kind = Kind::any;
    ShapeOf inner = nullptr;                    // of a nullable, an array's elements, a map's values
    std::span<const std::string_view> names{};  // of a choice
    std::string type{};                         // of an object: its name without namespaces
    std::vector<Member> members{};              // of an object, in the order in which it prints
};

template <class T>
Shape shape();

namespace detail {

// "kit::users::User" and "kit::json::Page<kit::users::User>" as names of schemas: "User", "PageUser".
std::string plain_type_name(std::string_view qualified);

template <class T>
std::string type_name()
{
    const std::string_view signature = __PRETTY_FUNCTION__;
    const auto begin = signature.find("T = ") + 4;
    return plain_type_name(signature.substr(begin, signature.rfind(']') - begin));
}

template <class T>
Member shape_member(std::string_view name)
{
    if constexpr (is_optional<T>) {
        return {.name = name, .shape = shape<typename T::value_type>, .required = false};
    } else {
        return {.name = name, .shape = shape<T>};
    }
}

template <DescribedStruct T>
Shape struct_shape()
{
    Shape made{.kind = Shape::Kind::object, .type = type_name<T>()};
    [&]<class... D>(boost::mp11::mp_list<D...>) {
        (made.members.push_back(
             shape_member<std::remove_cvref_t<decltype(std::declval<T&>().*D::pointer)>>(D::name)
         ),
         ...);
    }(Members<T>());
    return made;
}

}  // namespace detail

template <class T>
Shape shape()
{
    using Kind = Shape::Kind;
    if constexpr (std::same_as<T, bool>) {
        return {.kind = Kind::boolean};
    } else if constexpr (detail::Integer<T>) {
        return {.kind = std::is_unsigned_v<T> ? Kind::natural : Kind::integer};
    } else if constexpr (std::same_as<T, double>) {
        return {.kind = Kind::number};
    } else if constexpr (std::convertible_to<const T&, std::string_view>) {
        return {.kind = Kind::text};
    } else if constexpr (std::same_as<T, Timestamp>) {
        return {.kind = Kind::time};
    } else if constexpr (std::same_as<T, Raw>) {
        return {.kind = Kind::any};
    } else if constexpr (detail::is_optional<T>) {
        return {.kind = Kind::nullable, .inner = shape<typename T::value_type>};
    } else if constexpr (detail::is_vector<T> || detail::is_span<T>) {
        return {.kind = Kind::array, .inner = shape<std::remove_cv_t<typename T::value_type>>};
    } else if constexpr (detail::is_map<T>) {
        return {.kind = Kind::map, .inner = shape<typename T::mapped_type>};
    } else if constexpr (detail::DescribedEnum<T>) {
        return {.kind = Kind::choice, .names = detail::enumerator_names<T>};
    } else if constexpr (detail::DescribedStruct<T>) {
        return detail::struct_shape<T>();
    } else {
        static_assert(
            detail::unsupported<T>, "describe the type with BOOST_DESCRIBE_STRUCT or BOOST_DESCRIBE_ENUM"
        );
    }
}

}  // namespace kit::json
