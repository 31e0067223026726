// Text encodings. All strict: what is not in canonical form is refused, never repaired, unless the name says
// so.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kit {

// RFC 4648 section 5 without padding. Decoding refuses padding, other alphabets and non-zero trailing bits.
std::string base64url_encode(std::string_view bytes);
std::optional<std::string> base64url_decode(std::string_view text);

// RFC 4648 section 4 with padding, as strict.
std::string base64_encode(std::string_view bytes);
std::optional<std::string> base64_decode(std::string_view text);

// Lower-case hexadecimal.
std::string hex_encode(std::string_view bytes);
std::optional<std::string> hex_decode(std::string_view text);

// RFC 3986 section 2.1. Nothing if an escape is malformed. `plus_is_space` as in HTML forms.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

// Escapes everything but RFC 3986's unreserved characters.
std::string percent_encode(std::string_view text);

// A query string as HTML forms write it. Pairs with a malformed escape or a ';' are left out.
std::vector<std::pair<std::string, std::string>> parse_form(std::string_view query);

inline constexpr char32_t ill_formed_character = 0xFFFFFFFF;

struct Utf8Character {
    char32_t character;  // ill_formed_character where it is none
    std::size_t length;  // in bytes; of an ill-formed one, its maximal subpart (Unicode 15, section 3.9)
};

// The first character of a text that is not empty.
Utf8Character decode_utf8(std::string_view text);

// Valid UTF-8 (RFC 3629: no surrogates, nothing above U+10FFFF, shortest forms only)?
bool is_utf8(std::string_view text);

// The number of Unicode scalar values in valid UTF-8.
std::size_t count_characters(std::string_view text);

// Cuts valid UTF-8 to at most `characters_max` characters.
std::string_view truncate_characters(std::string_view text, std::size_t characters_max);

// Ill-formed sequences become U+FFFD, one for each maximal subpart (Unicode 15, section 3.9).
std::string to_valid_utf8(std::string_view text);

// Unicode White_Space removed at both ends.
std::string_view trim(std::string_view text);

// ASCII only.
std::string to_lower(std::string_view text);
bool equal_ignoring_case(std::string_view left, std::string_view right);

inline std::string_view as_text(std::span<const std::byte> bytes)
{
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace kit
