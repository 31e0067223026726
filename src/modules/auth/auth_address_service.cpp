#include "modules/auth/auth.hpp"
#include "platform/core/encoding.hpp"
#include "platform/core/unicode.hpp"

#include <algorithm>

namespace kit::auth {

namespace {

// Of text that may yet be short enough: normalising shortens at most by composing a few characters to one.
constexpr std::size_t typed_bytes_max = 4'096;

bool is_atext(char letter)
{
    static constexpr std::string_view specials = "!#$%&'*+-/=?^_`{|}~";
    const bool alphanumeric = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                              (letter >= '0' && letter <= '9');
    return alphanumeric || specials.contains(letter) || static_cast<unsigned char>(letter) >= 0x80;
}

bool is_dot_atom(std::string_view text)
{
    while (true) {
        const auto end = text.find('.');
        const auto atom = text.substr(0, end);
        if (atom.empty() || !std::ranges::all_of(atom, is_atext)) {
            return false;
        }
        if (end == std::string_view::npos) {
            return true;
        }
        text.remove_prefix(end + 1);
    }
}

bool is_printable(char letter)
{
    return static_cast<unsigned char>(letter) >= 0x20 && letter != 0x7F;
}

bool is_quoted_string(std::string_view text)
{
    if (text.size() < 2 || !text.starts_with('"') || !text.ends_with('"')) {
        return false;
    }
    text = text.substr(1, text.size() - 2);
    for (std::size_t index = 0; index < text.size(); ++index) {
        if (text[index] == '\\') {
            ++index;
            if (index == text.size()) {
                return false;
            }
        } else if (text[index] == '"') {
            return false;
        }
        if (!is_printable(text[index])) {
            return false;
        }
    }
    return true;
}

bool is_domain_literal(std::string_view text)
{
    return text.size() > 2 && text.starts_with('[') && text.ends_with(']') &&
           std::ranges::all_of(text.substr(1, text.size() - 2), [](char letter) {
               return is_printable(letter) && letter != ' ' && letter != '[' && letter != ']' &&
                      letter != '\\';
           });
}

}  // namespace

std::string normalise_email(std::string_view email)
{
    if (email.size() > typed_bytes_max) {
        return std::string(email);  // no address, whatever it is
    }
    const auto lowered = to_nfkc_lower(email);
    return std::string(trim(lowered));
}

std::string normalise_name(std::string_view name)
{
    if (name.size() > typed_bytes_max) {
        return std::string(name);
    }
    const auto normalised = to_nfkc(name);
    return std::string(trim(normalised));
}

bool is_address(std::string_view email)
{
    const auto at = email.rfind('@');
    if (at == std::string_view::npos || count_characters(email) > email_characters_max || !is_utf8(email)) {
        return false;
    }
    const auto local = email.substr(0, at);
    const auto domain = email.substr(at + 1);
    return (is_dot_atom(local) || is_quoted_string(local)) &&
           (is_dot_atom(domain) || is_domain_literal(domain));
}

}  // namespace kit::auth
