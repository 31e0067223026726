// The types that JSON knows, and what Boost.Describe says of them.
#pragma once

#include "platform/core/timestamp.hpp"

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <boost/describe/enumerators.hpp>
#include <boost/describe/members.hpp>
#include <boost/mp11/list.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace kit::json {

// One JSON value as text, printed as it is. Empty stands for null.
struct Raw {
    std::string text;

    bool operator==(const Raw&) const = default;
};

namespace detail {

template <class T>
concept Integer = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char>;

template <class T>
concept DescribedEnum = boost::describe::has_describe_enumerators<T>::value;

template <class T>
concept DescribedStruct = std::is_class_v<T> && boost::describe::has_describe_members<T>::value;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = !std::same_as<T, bool>;

template <class T>
inline constexpr bool is_span = false;
template <class T>
inline constexpr bool is_span<std::span<T>> = true;

template <class T>
inline constexpr bool is_map = false;
template <class T, class Less>
inline constexpr bool is_map<std::map<std::string, T, Less>> = true;

// The public members, those of described bases first, in the order in which the description lists them.
template <class T>
using Members = boost::mp11::mp_rename<
    boost::describe::describe_members<T, boost::describe::mod_public | boost::describe::mod_inherited>,
    boost::mp11::mp_list>;

template <class T>
using Enumerators = boost::mp11::mp_rename<boost::describe::describe_enumerators<T>, boost::mp11::mp_list>;

template <DescribedEnum T>
inline constexpr auto enumerator_names = []<class... D>(boost::mp11::mp_list<D...>) {
    return std::array<std::string_view, sizeof...(D)>{D::name...};
}(Enumerators<T>());

template <DescribedEnum T>
inline constexpr auto enumerator_values = []<class... D>(boost::mp11::mp_list<D...>) {
    return std::array<T, sizeof...(D)>{D::value...};
}(Enumerators<T>());

template <class T>
inline constexpr bool unsupported = false;

}  // namespace detail
}  // namespace kit::json
