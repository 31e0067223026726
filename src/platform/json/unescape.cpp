#include "platform/json/unescape.hpp"

#include "platform/core/encoding.hpp"
#include "platform/json/swar.hpp"

#include <charconv>
#include <cstdint>

namespace kit::json::detail {
namespace {

// Four hexadecimal digits, already checked.
char32_t parse_code_unit(const char* digits)
{
    std::uint32_t unit = 0;
    std::from_chars(digits, digits + 4, unit, 16);
    return unit;
}

bool is_high_surrogate(char32_t unit)
{
    return unit >= 0xD800 && unit <= 0xDBFF;
}

bool is_low_surrogate(char32_t unit)
{
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

void append_utf8(std::string& out, char32_t character)
{
    const auto push = [&out](char32_t byte) { out.push_back(static_cast<char>(byte)); };
    if (character < 0x80) {
        push(character);
    } else if (character < 0x800) {
        push(0xC0U | (character >> 6U));
        push(0x80U | (character & 0x3FU));
    } else if (character < 0x10000) {
        push(0xE0U | (character >> 12U));
        push(0x80U | ((character >> 6U) & 0x3FU));
        push(0x80U | (character & 0x3FU));
    } else {
        push(0xF0U | (character >> 18U));
        push(0x80U | ((character >> 12U) & 0x3FU));
        push(0x80U | ((character >> 6U) & 0x3FU));
        push(0x80U | (character & 0x3FU));
    }
}

// Appends the character of the \u escape whose digits are at `cursor`, a low surrogate's escape after it
// included. Returns where the text goes on.
const char* append_unicode_escape(std::string& out, const char* cursor, const char* end)
{
    constexpr char32_t replacement = 0xFFFD;
    const char32_t unit = parse_code_unit(cursor);
    cursor += 4;
    if (is_high_surrogate(unit) && end - cursor >= 6 && cursor[0] == '\\' && cursor[1] == 'u') {
        const char32_t low = parse_code_unit(cursor + 2);
        if (is_low_surrogate(low)) {
            append_utf8(out, 0x10000 + ((unit - 0xD800) << 10U) + (low - 0xDC00));
            return cursor + 6;
        }
    }
    append_utf8(out, is_high_surrogate(unit) || is_low_surrogate(unit) ? replacement : unit);
    return cursor;
}

}  // namespace

bool ends_plain_text(char byte)
{
    return byte == '"' || byte == '\\' || static_cast<unsigned char>(byte) < 0x20;
}

const char* find_end_of_text(const char* cursor, const char* end)
{
    const auto word_matters = [](std::uint64_t word) {
        return swar::any_below(word, 0x20) | swar::any_equal(word, '"') | swar::any_equal(word, '\\');
    };
    return swar::find(cursor, end, word_matters, ends_plain_text);
}

std::string unescape(std::string_view raw)
{
    constexpr std::string_view letters = "\"\\/bfnrt";
    constexpr std::string_view characters = "\"\\/\b\f\n\r\t";
    std::string out;
    out.reserve(raw.size());
    const char* cursor = raw.data();
    const char* const end = cursor + raw.size();
    while (cursor != end) {
        const char* const escape = find_end_of_text(cursor, end);
        out.append(cursor, escape);
        if (escape == end) {
            break;
        }
        cursor = escape + 2;
        if (escape[1] == 'u') {
            cursor = append_unicode_escape(out, cursor, end);
        } else {
            out.push_back(characters[letters.find(escape[1])]);
        }
    }
    return is_utf8(out) ? std::move(out) : to_valid_utf8(out);
}

}  // namespace kit::json::detail
