#include "platform/json/write.hpp"

#include "platform/core/append.hpp"
#include "platform/core/encoding.hpp"
#include "platform/json/swar.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace kit::json::detail {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

bool must_be_escaped(char byte)
{
    return static_cast<unsigned char>(byte) < 0x20 || byte == '"' || byte == '\\' || byte == '<' ||
           byte == '>' || byte == '&';
}

bool is_ascii(char byte)
{
    return static_cast<unsigned char>(byte) < 0x80;
}

const char* find_special(const char* cursor, const char* end)
{
    const auto word_matters = [](std::uint64_t word) {
        // '"' and '&' differ in bit 2, '<' and '>' in bit 1: setting it finds both with one comparison.
        return swar::any_below(word, 0x20) | swar::any_not_ascii(word) | swar::any_equal(word, '\\') |
               swar::any_equal(word | swar::low_bits * 4, '&') |
               swar::any_equal(word | swar::low_bits * 2, '>');
    };
    return swar::find(cursor, end, word_matters, [](char byte) {
        return must_be_escaped(byte) || !is_ascii(byte);
    });
}

void append_escape(std::string& out, char byte)
{
    constexpr std::string_view characters = "\"\\\b\f\n\r\t";
    constexpr std::string_view letters = "\"\\bfnrt";
    const auto index = characters.find(byte);
    if (index != std::string_view::npos) {
        out.push_back('\\');
        out.push_back(letters[index]);
        return;
    }
    const auto value = static_cast<unsigned char>(byte);
    out.append("\\u00");
    out.push_back(hex_digits[value >> 4U]);
    out.push_back(hex_digits[value & 0xFU]);
}

// Appends the text up to the next ASCII byte and returns where that is.
const char* append_not_ascii(std::string& out, const char* cursor, const char* end)
{
    const char* copied = cursor;
    while (cursor != end && !is_ascii(*cursor)) {
        const auto [character, length] = decode_utf8({cursor, end});
        std::string_view escape;
        switch (character) {
            case ill_formed_character:
                escape = "\\ufffd";
                break;
            case U'\u2028':
                escape = "\\u2028";
                break;
            case U'\u2029':
                escape = "\\u2029";
                break;
            default:
                break;
        }
        if (!escape.empty()) {
            out.append(copied, cursor).append(escape);
            copied = cursor + length;
        }
        cursor += length;
    }
    out.append(copied, cursor);
    return cursor;
}

template <class Value>
void append_chars(std::string& out, Value value)
{
    std::array<char, 24> buffer{};  // any 64-bit integer
    const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
    out.append(buffer.data(), result.ptr);
}

}  // namespace

void append_string(std::string& out, std::string_view text)
{
    const char* cursor = text.data();
    const char* const end = cursor + text.size();
    const char* special = find_special(cursor, end);
    if (special == end) {
        append_all(out, "\"", text, "\"");
        return;
    }
    out.push_back('"');
    while (cursor != end) {
        out.append(cursor, special);
        cursor = special;
        if (cursor == end) {
            break;
        }
        if (is_ascii(*cursor)) {
            append_escape(out, *cursor++);
        } else {
            cursor = append_not_ascii(out, cursor, end);
        }
        special = find_special(cursor, end);
    }
    out.push_back('"');
}

void append_double(std::string& out, double value)
{
    constexpr double every_integer_below = 9007199254740992.0;  // 2^53
    if (!std::isfinite(value)) {
        out.append("null");
        return;
    }
    const double magnitude = std::abs(value);
    std::array<char, 32> buffer{};  // the longest: a sign, "0.00000" and 17 digits
    char* const first = buffer.data();
    char* const last = first + buffer.size();
    if (magnitude == 0 || (magnitude >= 1e-6 && magnitude < every_integer_below)) {
        out.append(first, std::to_chars(first, last, value, std::chars_format::fixed).ptr);
        return;
    }
    const std::string_view text(first, std::to_chars(first, last, value, std::chars_format::scientific).ptr);
    const auto exponent_at = text.find('e');
    const auto mantissa = text.substr(0, exponent_at);
    auto exponent = text.substr(exponent_at + 2);  // after its sign
    if (magnitude < 1e-6 || magnitude >= 1e21) {
        exponent.remove_prefix(exponent.front() == '0' ? 1 : 0);
        out.append(text.substr(0, exponent_at + 2)).append(exponent);
        return;
    }
    // Above 2^53 the fixed form of to_chars has more digits than are needed to read the number back: pad with
    // zeros instead.
    std::size_t digits_missing = 0;
    std::from_chars(exponent.data(), exponent.data() + exponent.size(), digits_missing);
    for (const char digit : mantissa) {
        if (digit != '.') {
            out.push_back(digit);
        }
    }
    const auto point_at = mantissa.find('.');
    digits_missing -= point_at == std::string_view::npos ? 0 : mantissa.size() - point_at - 1;
    out.append(digits_missing, '0');
}

void append_integer(std::string& out, std::int64_t value)
{
    append_chars(out, value);
}

void append_integer(std::string& out, std::uint64_t value)
{
    append_chars(out, value);
}

void append_timestamp(std::string& out, Timestamp value)
{
    out.push_back('"');
    append_rfc3339(out, value);
    out.push_back('"');
}

}  // namespace kit::json::detail

namespace kit::json {

namespace {

constexpr std::size_t indent_width = 2;

// Of a string that begins there, one past its closing quote.
std::size_t string_end(std::string_view text, std::size_t at)
{
    for (++at; at < text.size() && text[at] != '"'; ++at) {
        if (text[at] == '\\') {
            ++at;
        }
    }
    return std::min(at + 1, text.size());
}

}  // namespace

std::string indented(std::string_view text)
{
    std::string out;
    std::size_t depth = 0;
    const auto new_line = [&] {
        out += '\n';
        out.append(depth * indent_width, ' ');
    };
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char letter = text[at];
        const char next = at + 1 < text.size() ? text[at + 1] : '\0';
        if (letter == '"') {
            const auto end = string_end(text, at);
            out += text.substr(at, end - at);
            at = end - 1;
        } else if ((letter == '{' && next == '}') || (letter == '[' && next == ']')) {
            out += letter;
            out += next;
            ++at;
        } else if (letter == '{' || letter == '[') {
            out += letter;
            ++depth;
            new_line();
        } else if (letter == '}' || letter == ']') {
            --depth;
            new_line();
            out += letter;
        } else if (letter == ',') {
            out += letter;
            new_line();
        } else if (letter == ':') {
            out += ": ";
        } else if (letter != ' ' && letter != '\n') {
            out += letter;
        }
    }
    out += '\n';
    return out;
}

}  // namespace kit::json
