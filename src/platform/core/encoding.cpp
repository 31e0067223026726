#include "platform/core/encoding.hpp"

#include <array>
#include <cstdint>

namespace kit {

namespace {

constexpr std::string_view base64url_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view base64_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view hex_alphabet = "0123456789abcdef";

constexpr std::array<std::int8_t, 256> inverse(std::string_view alphabet)
{
    std::array<std::int8_t, 256> table{};
    table.fill(-1);
    for (std::size_t index = 0; index < alphabet.size(); ++index) {
        table[static_cast<unsigned char>(alphabet[index])] = static_cast<std::int8_t>(index);
    }
    return table;
}

constexpr auto base64url_values = inverse(base64url_alphabet);
constexpr auto base64_values = inverse(base64_alphabet);

int hex_value(char character)
{
    if (character >= '0' && character <= '9') {
        return character - '0';
    }
    if (character >= 'a' && character <= 'f') {
        return character - 'a' + 10;
    }
    if (character >= 'A' && character <= 'F') {
        return character - 'A' + 10;
    }
    return -1;
}

// Without padding; nothing where the text is not canonical.
std::optional<std::string> decode_64(std::string_view text, const std::array<std::int8_t, 256>& values)
{
    const std::size_t tail = text.size() % 4;
    if (tail == 1) {
        return std::nullopt;
    }
    std::string out(text.size() * 3 / 4, '\0');
    auto* to = out.data();
    const auto value = [&](std::size_t index) {
        return static_cast<std::uint32_t>(values[static_cast<unsigned char>(text[index])]);
    };
    std::size_t at = 0;
    for (; at + 4 <= text.size(); at += 4) {
        const auto bits = (value(at) << 18U) | (value(at + 1) << 12U) | (value(at + 2) << 6U) | value(at + 3);
        if ((bits >> 24U) != 0) {  // a -1 sets all the bits above its own
            return std::nullopt;
        }
        *to++ = static_cast<char>(bits >> 16U);
        *to++ = static_cast<char>(bits >> 8U);
        *to++ = static_cast<char>(bits);
    }
    if (tail != 0) {
        const auto bits =
            (value(at) << 18U) | (value(at + 1) << 12U) | (tail == 3 ? value(at + 2) << 6U : 0U);
        const auto unused = tail == 3 ? 0xFFU : 0xFFFFU;
        if ((bits >> 24U) != 0 || (bits & unused) != 0) {
            return std::nullopt;
        }
        *to++ = static_cast<char>(bits >> 16U);
        if (tail == 3) {
            *to = static_cast<char>(bits >> 8U);
        }
    }
    return out;
}

std::string encode_64(std::string_view bytes, std::string_view alphabet)
{
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    std::uint32_t bits = 0;
    int count = 0;
    for (const char byte : bytes) {
        bits = (bits << 8U) | static_cast<unsigned char>(byte);
        count += 8;
        while (count >= 6) {
            count -= 6;
            out += alphabet[(bits >> static_cast<unsigned>(count)) & 63U];
        }
    }
    if (count > 0) {
        out += alphabet[(bits << static_cast<unsigned>(6 - count)) & 63U];
    }
    return out;
}

// The second byte's range depends on the first: Unicode 15, table 3-7.
struct Lead {
    std::size_t length;
    unsigned char second_min;
    unsigned char second_max;
};

Lead classify(unsigned char first)
{
    if (first >= 0xC2 && first <= 0xDF) {
        return {2, 0x80, 0xBF};
    }
    if (first == 0xE0) {
        return {3, 0xA0, 0xBF};
    }
    if (first == 0xED) {
        return {3, 0x80, 0x9F};
    }
    if (first >= 0xE1 && first <= 0xEF) {
        return {3, 0x80, 0xBF};
    }
    if (first == 0xF0) {
        return {4, 0x90, 0xBF};
    }
    if (first >= 0xF1 && first <= 0xF3) {
        return {4, 0x80, 0xBF};
    }
    if (first == 0xF4) {
        return {4, 0x80, 0x8F};
    }
    return {0, 0, 0};
}

// Unicode's White_Space property.
bool is_white_space(char32_t character)
{
    return (character >= 0x09 && character <= 0x0D) || character == 0x20 || character == 0x85 ||
           character == 0xA0 || character == 0x1680 || (character >= 0x2000 && character <= 0x200A) ||
           character == 0x2028 || character == 0x2029 || character == 0x202F || character == 0x205F ||
           character == 0x3000;
}

bool is_unreserved(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
           (character >= '0' && character <= '9') || character == '-' || character == '.' ||
           character == '_' || character == '~';
}

char lower(char character)
{
    return character >= 'A' && character <= 'Z' ? static_cast<char>(character + ('a' - 'A')) : character;
}

}  // namespace

std::string base64url_encode(std::string_view bytes)
{
    return encode_64(bytes, base64url_alphabet);
}

std::string base64_encode(std::string_view bytes)
{
    auto out = encode_64(bytes, base64_alphabet);
    out.append((4 - out.size() % 4) % 4, '=');
    return out;
}

std::optional<std::string> base64url_decode(std::string_view text)
{
    return decode_64(text, base64url_values);
}

std::optional<std::string> base64_decode(std::string_view text)
{
    if (text.size() % 4 != 0) {
        return std::nullopt;
    }
    for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) {
        text.remove_suffix(1);
    }
    return decode_64(text, base64_values);
}

std::string hex_encode(std::string_view bytes)
{
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const char byte : bytes) {
        out += hex_alphabet[static_cast<unsigned char>(byte) >> 4U];
        out += hex_alphabet[static_cast<unsigned char>(byte) & 15U];
    }
    return out;
}

std::optional<std::string> hex_decode(std::string_view text)
{
    if (text.size() % 2 != 0) {
        return std::nullopt;
    }
    std::string out;
    out.reserve(text.size() / 2);
    for (std::size_t index = 0; index < text.size(); index += 2) {
        const int high = hex_value(text[index]);
        const int low = hex_value(text[index + 1]);
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        out += static_cast<char>(high * 16 + low);
    }
    return out;
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space)
{
    std::string out;
    out.reserve(text.size());
    for (std::size_t index = 0; index < text.size(); ++index) {
        if (text[index] == '+' && plus_is_space) {
            out += ' ';
        } else if (text[index] == '%') {
            if (index + 2 >= text.size()) {
                return std::nullopt;
            }
            const int high = hex_value(text[index + 1]);
            const int low = hex_value(text[index + 2]);
            if (high < 0 || low < 0) {
                return std::nullopt;
            }
            out += static_cast<char>(high * 16 + low);
            index += 2;
        } else {
            out += text[index];
        }
    }
    return out;
}

std::string percent_encode(std::string_view text)
{
    std::string out;
    for (const char byte : text) {
        if (is_unreserved(byte)) {
            out += byte;
        } else {
            out += '%';
            out += "0123456789ABCDEF"[static_cast<unsigned char>(byte) >> 4U];
            out += "0123456789ABCDEF"[static_cast<unsigned char>(byte) & 15U];
        }
    }
    return out;
}

std::vector<std::pair<std::string, std::string>> parse_form(std::string_view query)
{
    std::vector<std::pair<std::string, std::string>> pairs;
    while (!query.empty()) {
        const auto end = query.find('&');
        const auto pair = query.substr(0, end);
        query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
        if (pair.empty() || pair.contains(';')) {
            continue;
        }
        const auto equals = pair.find('=');
        auto name = percent_decode(pair.substr(0, equals), true);
        auto value = percent_decode(equals == std::string_view::npos ? "" : pair.substr(equals + 1), true);
        if (name && value) {
            pairs.emplace_back(std::move(*name), std::move(*value));
        }
    }
    return pairs;
}

Utf8Character decode_utf8(std::string_view text)
{
    const auto first = static_cast<unsigned char>(text[0]);
    if (first < 0x80) {
        return {first, 1};
    }
    const auto lead = classify(first);
    if (lead.length == 0) {
        return {ill_formed_character, 1};
    }
    char32_t character = first & (0x7FU >> lead.length);
    for (std::size_t index = 1; index < lead.length; ++index) {
        if (index == text.size()) {
            return {ill_formed_character, index};
        }
        const auto next = static_cast<unsigned char>(text[index]);
        const unsigned char min = index == 1 ? lead.second_min : 0x80;
        const unsigned char max = index == 1 ? lead.second_max : 0xBF;
        if (next < min || next > max) {
            return {ill_formed_character, index};
        }
        character = (character << 6U) | (next & 0x3FU);
    }
    return {character, lead.length};
}

bool is_utf8(std::string_view text)
{
    unsigned char all = 0;
    for (const char byte : text) {  // without a way out: a vector loop
        all |= static_cast<unsigned char>(byte);
    }
    if (all < 0x80) {
        return true;
    }
    while (!text.empty()) {
        const auto next = decode_utf8(text);
        if (next.character == ill_formed_character) {
            return false;
        }
        text.remove_prefix(next.length);
    }
    return true;
}

std::size_t count_characters(std::string_view text)
{
    std::size_t count = 0;
    for (const char byte : text) {
        count += (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U ? 1 : 0;
    }
    return count;
}

std::string_view truncate_characters(std::string_view text, std::size_t characters_max)
{
    std::size_t offset = 0;
    for (std::size_t count = 0; offset < text.size() && count < characters_max; ++count) {
        offset += decode_utf8(text.substr(offset)).length;
    }
    return text.substr(0, offset);
}

std::string to_valid_utf8(std::string_view text)
{
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const auto next = decode_utf8(text);
        if (next.character == ill_formed_character) {
            out += "\xEF\xBF\xBD";
        } else {
            out += text.substr(0, next.length);
        }
        text.remove_prefix(next.length);
    }
    return out;
}

std::string_view trim(std::string_view text)
{
    while (!text.empty()) {
        const auto next = decode_utf8(text);
        if (!is_white_space(next.character)) {
            break;
        }
        text.remove_prefix(next.length);
    }
    while (!text.empty()) {
        std::size_t start = text.size() - 1;
        while (start > 0 && text.size() - start < 3 &&
               (static_cast<unsigned char>(text[start]) & 0xC0U) == 0x80U) {
            --start;
        }
        const auto last = decode_utf8(text.substr(start));
        if (!is_white_space(last.character) || start + last.length != text.size()) {
            break;
        }
        text.remove_suffix(last.length);
    }
    return text;
}

std::string to_lower(std::string_view text)
{
    std::string out(text);
    for (char& character : out) {
        character = lower(character);
    }
    return out;
}

bool equal_ignoring_case(std::string_view left, std::string_view right)
{
    if (left.size() != right.size()) {
        return false;
    }
    for (std::size_t index = 0; index < left.size(); ++index) {
        if (lower(left[index]) != lower(right[index])) {
            return false;
        }
    }
    return true;
}

}  // namespace kit
