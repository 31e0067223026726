// SHA-1, for names that a protocol forms with it (a script in Redis). Never to protect anything.
#pragma once

#include <string>
#include <string_view>

namespace kit {

// 40 lower-case hexadecimal digits.
std::string sha1_hex(std::string_view data);

}  // namespace kit
