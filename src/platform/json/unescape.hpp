// The inside of JSON strings. Private to json.
#pragma once

#include <string>
#include <string_view>

namespace kit::json::detail {

// Ends a run of text without escapes: the string's end, an escape, or a character that must not stand
// unescaped.
bool ends_plain_text(char byte);

// The first byte that ends plain text, or `end`.
const char* find_end_of_text(const char* cursor, const char* end);

// What stands between a string's quotes, already checked, with the escapes undone and ill-formed UTF-8
// replaced.
std::string unescape(std::string_view raw);

}  // namespace kit::json::detail
