// The commonest passwords, in lower case and with substitutions undone: names, words, keyboard walks and
// patterns.
#pragma once

#include <cstddef>
#include <string_view>

namespace kit {

// No entry is longer.
inline constexpr std::size_t common_password_bytes_max = 24;

// All entries in ascending order, each between two spaces.
std::string_view common_password_list();

bool in_common_password_list(std::string_view normalised);

}  // namespace kit
