// Reading JSON text straight into described structs, RFC 8259 to the letter, in one pass and under limits.
//
// Unknown members are checked and skipped. Names match ignoring ASCII case, an exact match first. Of members
// that repeat the last one counts. A member that is null is as if absent, and so is a whole document that is
// null. An absent member keeps the value that a fresh struct has. Ill-formed UTF-8 and lone surrogates become
// U+FFFD; U+0000 is refused, since no database of ours can hold it.
#pragma once

#include "platform/core/error.hpp"
#include "platform/json/describe.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

namespace kit::json {

// What a document may hold. The size of the document itself is the caller's to bound.
struct Limits {
    std::size_t depth_max = 32;  // objects and arrays inside each other; the outermost is the first
    std::size_t string_bytes_max = 65'536;  // of a string or a map's name that is kept, once unescaped
    std::size_t members_max = 1000;         // of one object, unknown and repeated ones included
    std::size_t elements_max = 10'000;      // of all arrays of the document together
};

// Why a document was refused. The reason names no value of the document; the pointer shows the client's own
// member names.
struct ReadError {
    std::string pointer;     // RFC 6901, to the value at fault; empty: the whole document
    std::string reason;      // such as "expected a number"
    std::size_t offset = 0;  // in bytes, where reading stopped

    bool operator==(const ReadError&) const = default;
};

namespace detail {

class Reader;

// One member of a described struct, its types erased: so that the grammar is compiled once and not for every
// struct.
struct MemberRow {
    std::string_view name;
    bool (*read)(Reader& reader, void* object);
    void (*reset)(void* object);
};

// A pull parser. Every function reads one value, white space before it already skipped, and returns false
// after a failure, of which `error` then tells.
class Reader {
public:
    Reader(std::string_view text, const Limits& limits)
        : begin_(text.data()), cursor_(begin_), end_(begin_ + text.size()), limits_(limits)
    {
    }

    bool boolean(bool& out);
    bool integer(std::int64_t& out, std::int64_t min, std::int64_t max);
    bool natural(std::uint64_t& out, std::uint64_t max);
    bool number(double& out);
    bool string(std::string& out);
    bool timestamp(Timestamp& out);
    bool raw(std::string& out);
    // A string that is one of the names.
    bool name_of(std::span<const std::string_view> names, std::size_t& index);

    bool object(void* target, std::span<const MemberRow> rows);
    bool map(void* target, bool (*entry)(Reader& reader, void* target, std::string name));
    bool array(void* target, bool (*element)(Reader& reader, void* target));

    bool accept_null();  // true and past it where the next value is null; never a failure
    void skip_space();
    bool at_end();  // fails where anything is left

    ReadError error() && { return std::move(error_); }

private:
    struct StringToken {
        std::string_view raw;  // between the quotes
        bool plain = true;     // ASCII without escapes: stands for itself
    };

    struct NumberToken {
        std::string_view text;
        bool integral = true;  // neither fraction nor exponent
    };

    template <class OnMember>
    bool each_member(OnMember on_member);
    template <class OnElement>
    bool each_element(OnElement on_element);

    bool fail(std::string reason);
    bool fail_at(std::size_t where, std::string reason);

    std::size_t offset() const { return static_cast<std::size_t>(cursor_ - begin_); }

    bool peek(char byte) const { return cursor_ != end_ && *cursor_ == byte; }

    bool accept(char byte);
    bool open(char bracket, const char* reason);
    bool close(char bracket, const char* reason);
    bool scan_string(StringToken& token, const char* reason);
    bool scan_escape();
    bool scan_number(NumberToken& token, const char* reason);
    bool scan_digits();
    bool scan_integer(std::string_view& text);
    bool keep(const StringToken& token, std::string& out);
    bool skip();
    void prepend_to_pointer(const StringToken& name);
    void prepend_to_pointer(std::size_t index);

    const char* begin_;
    const char* cursor_;
    const char* end_;
    Limits limits_;
    std::size_t depth_ = 0;
    std::size_t elements_ = 0;
    ReadError error_;
};

template <class T>
bool read_value(Reader& reader, T& out);

template <class T, class Descriptor>
constexpr MemberRow member_row()
{
    return {
        .name = Descriptor::name,
        .read = [](Reader& reader, void* object
                ) { return read_value(reader, static_cast<T*>(object)->*Descriptor::pointer); },
        .reset = [](void* object
                 ) { static_cast<T*>(object)->*Descriptor::pointer = std::move(T{}.*Descriptor::pointer); },
    };
}

template <DescribedStruct T>
inline constexpr auto member_rows = []<class... D>(boost::mp11::mp_list<D...>) {
    return std::array<MemberRow, sizeof...(D)>{member_row<T, D>()...};
}(Members<T>());

template <class T>
bool read_integer(Reader& reader, T& out)
{
    if constexpr (std::is_signed_v<T>) {
        std::int64_t wide = 0;
        if (!reader.integer(wide, std::numeric_limits<T>::min(), std::numeric_limits<T>::max())) {
            return false;
        }
        out = static_cast<T>(wide);
    } else {
        std::uint64_t wide = 0;
        if (!reader.natural(wide, std::numeric_limits<T>::max())) {
            return false;
        }
        out = static_cast<T>(wide);
    }
    return true;
}

template <class T>
bool read_map(Reader& reader, T& out)
{
    using Value = typename T::mapped_type;
    out.clear();
    return reader.map(&out, [](Reader& r, void* target, std::string name) {
        auto& map = *static_cast<T*>(target);
        if constexpr (!is_optional<Value>) {
            if (r.accept_null()) {
                map.erase(name);
                return true;
            }
        }
        return read_value(r, map[std::move(name)]);
    });
}

template <class T>
bool read_vector(Reader& reader, T& out)
{
    out.clear();
    return reader.array(&out, [](Reader& r, void* target) {
        return read_value(r, static_cast<T*>(target)->emplace_back());
    });
}

template <class T>
bool read_enum(Reader& reader, T& out)
{
    std::size_t index = 0;
    if (!reader.name_of(enumerator_names<T>, index)) {
        return false;
    }
    out = enumerator_values<T>[index];
    return true;
}

// Replaces `out` by the next value.
template <class T>
bool read_value(Reader& reader, T& out)
{
    if constexpr (std::same_as<T, bool>) {
        return reader.boolean(out);
    } else if constexpr (Integer<T>) {
        return read_integer(reader, out);
    } else if constexpr (std::same_as<T, double>) {
        return reader.number(out);
    } else if constexpr (std::same_as<T, std::string>) {
        return reader.string(out);
    } else if constexpr (std::same_as<T, Timestamp>) {
        return reader.timestamp(out);
    } else if constexpr (std::same_as<T, Raw>) {
        return reader.raw(out.text);
    } else if constexpr (is_optional<T>) {
        if (reader.accept_null()) {
            out.reset();
            return true;
        }
        return read_value(reader, out.emplace());
    } else if constexpr (is_vector<T>) {
        return read_vector(reader, out);
    } else if constexpr (is_map<T>) {
        return read_map(reader, out);
    } else if constexpr (DescribedEnum<T>) {
        return read_enum(reader, out);
    } else if constexpr (DescribedStruct<T>) {
        out = T{};
        return reader.object(&out, member_rows<T>);
    } else {
        static_assert(unsupported<T>, "describe the type with BOOST_DESCRIBE_STRUCT or BOOST_DESCRIBE_ENUM");
    }
}

}  // namespace detail

// The document as a T, or where and why it is none.
template <class T>
std::expected<T, ReadError> read_detailed(std::string_view text, const Limits& limits = {})
{
    detail::Reader reader(text, limits);
    std::expected<T, ReadError> result;
    reader.skip_space();
    const bool read = reader.accept_null() || detail::read_value(reader, *result);
    if (!read || !reader.at_end()) {
        result = std::unexpected(std::move(reader).error());
    }
    return result;
}

// The document as a T. Fails with invalid_input, "invalid payload": the whole of what the contract tells a
// client.
template <class T>
Result<T> read(std::string_view text, const Limits& limits = {})
{
    auto result = read_detailed<T>(text, limits);
    if (!result) {
        return failure(Error::invalid("invalid payload"));
    }
    return *std::move(result);
}

}  // namespace kit::json
