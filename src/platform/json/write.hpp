// Printing JSON straight into a string. Members come in the order of the description, names of maps in
// ascending byte order.
//
// A member that is an empty std::optional is absent, so an array that is absent when there is none is a
// std::optional<std::vector<…>>. Elsewhere (in an array, a map, at the top) an empty optional is null.
#pragma once

#include "platform/json/describe.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kit::json {

template <class T>
void write(std::string& out, const T& value);

namespace detail {

// `<`, `>`, `&`, U+2028 and U+2029 are escaped, so the text may stand inside HTML and JavaScript. Each
// maximal ill-formed part of UTF-8 becomes \ufffd.
void append_string(std::string& out, std::string_view text);

// The shortest form that reads back as the same number; an exponent only below 1e-6 or from 1e21. What JSON
// cannot say (infinity, NaN) becomes null.
void append_double(std::string& out, double value);

void append_integer(std::string& out, std::int64_t value);
void append_integer(std::string& out, std::uint64_t value);
void append_timestamp(std::string& out, Timestamp value);

// Every member and element is printed with a comma before it; closing turns the first comma into the opening
// bracket.
inline void close(std::string& out, std::size_t start, char opening, char closing)
{
    if (out.size() == start) {
        out.push_back(opening);
    } else {
        out[start] = opening;
    }
    out.push_back(closing);
}

// `,"name":` of a member, made at compile time. A C++ name needs no escape.
template <class Descriptor>
inline constexpr auto member_prefix = [] {
    constexpr std::string_view name = Descriptor::name;
    std::array<char, name.size() + 4> prefix{};
    prefix[0] = ',';
    prefix[1] = '"';
    name.copy(prefix.data() + 2, name.size());
    prefix[name.size() + 2] = '"';
    prefix[name.size() + 3] = ':';
    return prefix;
}();

template <class Descriptor, class T>
void write_member(std::string& out, const T& member)
{
    if constexpr (is_optional<T>) {
        if (!member) {
            return;
        }
    }
    out.append(member_prefix<Descriptor>.data(), member_prefix<Descriptor>.size());
    write(out, member);
}

template <DescribedStruct T>
void write_struct(std::string& out, const T& value)
{
    const auto start = out.size();
    [&]<class... D>(boost::mp11::mp_list<D...>) {
        (write_member<D>(out, value.*D::pointer), ...);
    }(Members<T>());
    close(out, start, '{', '}');
}

template <class Range>
void write_array(std::string& out, const Range& range)
{
    const auto start = out.size();
    for (const auto& element : range) {
        out.push_back(',');
        write(out, element);
    }
    close(out, start, '[', ']');
}

template <class Map>
void write_map(std::string& out, const Map& map)
{
    const auto start = out.size();
    for (const auto& [name, value] : map) {
        out.push_back(',');
        append_string(out, name);
        out.push_back(':');
        write(out, value);
    }
    close(out, start, '{', '}');
}

// An enumeration's names are C++ names: no escapes. A value that the description does not name is null.
template <DescribedEnum T>
void write_enum(std::string& out, T value)
{
    for (std::size_t i = 0; i < enumerator_values<T>.size(); ++i) {
        if (enumerator_values<T>[i] == value) {
            out.push_back('"');
            out.append(enumerator_names<T>[i]);
            out.push_back('"');
            return;
        }
    }
    out.append("null");
}

}  // namespace detail

// Appends `value` as JSON text.
template <class T>
void write(std::string& out, const T& value)
{
    if constexpr (std::same_as<T, bool>) {
        out.append(value ? "true" : "false");
    } else if constexpr (std::same_as<T, std::nullptr_t>) {
        out.append("null");
    } else if constexpr (detail::Integer<T> && std::is_signed_v<T>) {
        detail::append_integer(out, std::int64_t{value});
    } else if constexpr (detail::Integer<T>) {
        detail::append_integer(out, std::uint64_t{value});
    } else if constexpr (std::same_as<T, double>) {
        detail::append_double(out, value);
    } else if constexpr (std::convertible_to<const T&, std::string_view>) {
        detail::append_string(out, value);
    } else if constexpr (std::same_as<T, Timestamp>) {
        detail::append_timestamp(out, value);
    } else if constexpr (std::same_as<T, Raw>) {
        out.append(value.text.empty() ? std::string_view("null") : std::string_view(value.text));
    } else if constexpr (detail::is_optional<T>) {
        if (value) {
            write(out, *value);
        } else {
            out.append("null");
        }
    } else if constexpr (detail::is_vector<T> || detail::is_span<T>) {
        detail::write_array(out, value);
    } else if constexpr (detail::is_map<T>) {
        detail::write_map(out, value);
    } else if constexpr (detail::DescribedEnum<T>) {
        detail::write_enum(out, value);
    } else if constexpr (detail::DescribedStruct<T>) {
        detail::write_struct(out, value);
    } else {
        static_assert(
            detail::unsupported<T>, "describe the type with BOOST_DESCRIBE_STRUCT or BOOST_DESCRIBE_ENUM"
        );
    }
}

template <class T>
std::string to_text(const T& value)
{
    std::string out;
    write(out, value);
    return out;
}

// The same document, one member or element a line.
std::string indented(std::string_view text);

// An object for which there is no struct. Fields come in the order of the calls; those that are empty
// optionals are left out. The text is a complete object after every call, and nothing else may be appended
// between two calls.
class ObjectWriter {
public:
    explicit ObjectWriter(std::string& out) : out_(&out) { out.append("{}"); }

    template <class T>
    ObjectWriter& field(std::string_view name, const T& value)
    {
        if constexpr (detail::is_optional<T>) {
            if (!value) {
                return *this;
            }
        }
        if (empty_) {
            out_->pop_back();
        } else {
            out_->back() = ',';
        }
        empty_ = false;
        detail::append_string(*out_, name);
        out_->push_back(':');
        write(*out_, value);
        out_->push_back('}');
        return *this;
    }

private:
    std::string* out_;
    bool empty_ = true;
};

inline ObjectWriter object(std::string& out)
{
    return ObjectWriter(out);
}

}  // namespace kit::json
