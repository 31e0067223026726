#include "platform/crypto/password_policy.hpp"

#include "platform/core/encoding.hpp"
#include "platform/crypto/common_passwords.hpp"

#include <algorithm>
#include <string>

namespace kit {

namespace {

constexpr bool is_lower(char character)
{
    return character >= 'a' && character <= 'z';
}

constexpr bool is_upper(char character)
{
    return character >= 'A' && character <= 'Z';
}

constexpr bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

constexpr bool is_digit_or_sign(char character)
{
    return static_cast<unsigned char>(character) < 0x80 && !is_lower(character) && !is_upper(character);
}

constexpr bool is_other(char character)
{
    return !is_lower(character) && !is_upper(character) && !is_digit(character);
}

constexpr char undo_substitution(char character)
{
    switch (character) {
        case '0':
            return 'o';
        case '1':
            return 'l';
        case '3':
            return 'e';
        case '4':
        case '@':
            return 'a';
        case '5':
        case '$':
            return 's';
        case '7':
            return 't';
        default:
            return character;
    }
}

bool has_all_classes(std::string_view password)
{
    return std::ranges::any_of(password, is_upper) && std::ranges::any_of(password, is_lower) &&
           std::ranges::any_of(password, is_digit) && std::ranges::any_of(password, is_other);
}

bool is_passphrase(std::string_view password)
{
    return is_utf8(password) && count_characters(password) >= passphrase_characters_min;
}

}  // namespace

bool is_common_password(std::string_view password)
{
    auto text = to_lower(password);
    std::size_t letters = text.size();
    while (letters > 0 && is_digit_or_sign(text[letters - 1])) {
        --letters;
    }
    std::ranges::transform(text, text.begin(), undo_substitution);
    // A digit at the end may stand for a letter ("hello" from "hell0") or be padding: every cut counts.
    const std::string_view view = text;
    const std::size_t longest = std::min(view.size(), common_password_bytes_max);
    for (std::size_t size = std::max<std::size_t>(letters, 1); size <= longest; ++size) {
        if (in_common_password_list(view.substr(0, size))) {
            return true;
        }
    }
    return false;
}

bool password_acceptable(std::string_view password)
{
    if (password.size() < password_bytes_min || password.size() > password_bytes_max) {
        return false;
    }
    return (has_all_classes(password) || is_passphrase(password)) && !is_common_password(password);
}

}  // namespace kit
