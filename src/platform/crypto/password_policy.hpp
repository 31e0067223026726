// Which passwords a new account, a change or a reset may have.
#pragma once

#include <cstddef>
#include <string_view>

namespace kit {

inline constexpr std::size_t password_bytes_min = 12;
inline constexpr std::size_t password_bytes_max = 1024;
inline constexpr std::size_t passphrase_characters_min = 20;

// Within the limits, with a capital, a small letter, a digit and something else (ASCII letters and digits
// only count as such) or, without those, long enough for a passphrase; and not one of the commonest
// (is_common_password).
bool password_acceptable(std::string_view password);

// Is the whole password, in lower case, with any number of the digits and signs at its end cut off and the
// usual substitutions undone (0 o, 1 l, 3 e, 4 @ a, 5 $ s, 7 t), in the list of the commonest? Texts with a
// space never are.
bool is_common_password(std::string_view password);

}  // namespace kit
