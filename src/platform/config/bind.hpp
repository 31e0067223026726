// Makes a Binding from the way to a member: at<&Config::http, &HttpConfig::port>().
#pragma once

#include "platform/config/values.hpp"
#include "platform/config/variables.hpp"

#include <fmt/format.h>

#include <concepts>
#include <filesystem>
#include <limits>
#include <type_traits>

namespace kit::config {

namespace detail {

template <class T>
constexpr Kind kind_of()
{
    if constexpr (std::same_as<T, bool>) {
        return Kind::flag;
    } else if constexpr (std::integral<T>) {
        return Kind::integer;
    } else if constexpr (std::same_as<T, double>) {
        return Kind::number;
    } else if constexpr (std::same_as<T, Duration>) {
        return Kind::duration;
    } else if constexpr (std::same_as<T, Secret>) {
        return Kind::secret;
    } else if constexpr (std::same_as<T, std::filesystem::path>) {
        return Kind::path;
    } else if constexpr (std::same_as<T, std::vector<std::string>>) {
        return Kind::list;
    } else if constexpr (Choice<T>) {
        return Kind::choice;
    } else {
        static_assert(std::same_as<T, std::string>);
        return Kind::text;
    }
}

template <class T, class Parsed>
bool assign(T& member, const std::optional<Parsed>& value)
{
    if (value) {
        member = static_cast<T>(*value);
    }
    return value.has_value();
}

template <Choice E>
std::optional<E> parse_choice(std::string_view text)
{
    for (const auto& [name, value] : Choices<E>::names) {
        if (to_lower(name) == to_lower(text)) {
            return value;
        }
    }
    return std::nullopt;
}

template <std::integral T>
std::optional<std::int64_t> parse_integer_of(std::string_view text)
{
    const auto value = parse_integer(text);
    return value && std::in_range<T>(*value) ? value : std::nullopt;
}

template <class T>
bool parse_into(T& member, std::string_view text)
{
    if constexpr (std::same_as<T, bool>) {
        return assign(member, parse_bool(text));
    } else if constexpr (std::integral<T>) {
        return assign(member, parse_integer_of<T>(text));
    } else if constexpr (std::same_as<T, double>) {
        return assign(member, parse_number(text));
    } else if constexpr (std::same_as<T, Duration>) {
        return assign(member, parse_duration(text));
    } else if constexpr (std::same_as<T, std::vector<std::string>>) {
        member = parse_list(text);
        return true;
    } else if constexpr (Choice<T>) {
        return assign(member, parse_choice<T>(text));
    } else {
        member = T(std::string(text));
        return true;
    }
}

template <class T>
std::string print(const T& member)
{
    if constexpr (std::same_as<T, bool>) {
        return member ? "true" : "false";
    } else if constexpr (std::integral<T> || std::same_as<T, double>) {
        return fmt::format("{}", member);
    } else if constexpr (std::same_as<T, Duration>) {
        return format_duration(member);
    } else if constexpr (std::same_as<T, Secret>) {
        return std::string(member.masked());
    } else if constexpr (std::same_as<T, std::filesystem::path>) {
        return member.string();
    } else if constexpr (std::same_as<T, std::vector<std::string>>) {
        return fmt::format("{}", fmt::join(member, ","));
    } else if constexpr (Choice<T>) {
        for (const auto& [name, value] : Choices<T>::names) {
            if (value == member) {
                return std::string(name);
            }
        }
        return {};
    } else {
        return member;
    }
}

template <class T>
std::optional<std::int64_t> number(const T& member)
{
    if constexpr (std::same_as<T, Duration>) {
        return member.count();
    } else if constexpr (std::integral<T> && !std::same_as<T, bool>) {
        return static_cast<std::int64_t>(member);
    } else {
        return std::nullopt;
    }
}

template <class T>
std::string choices()
{
    std::string text;
    if constexpr (Choice<T>) {
        for (const auto& [name, value] : Choices<T>::names) {
            text += text.empty() ? "" : ", ";
            text += name;
        }
    }
    return text;
}

}  // namespace detail

template <auto... Path>
constexpr Binding at()
{
    using T = std::remove_cvref_t<decltype((std::declval<Config&>().*....*Path))>;
    return {
        .kind = detail::kind_of<T>(),
        .parse = [](Config& config,
                    std::string_view text) { return detail::parse_into((config.*....*Path), text); },
        .print = [](const Config& config) { return detail::print((config.*....*Path)); },
        .number = [](const Config& config) { return detail::number((config.*....*Path)); },
        .choices = [] { return detail::choices<T>(); },
    };
}

}  // namespace kit::config
