#include "platform/core/unicode.hpp"

#include "platform/core/encoding.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <utf8proc.h>

namespace kit {

namespace {

bool is_ascii(std::string_view text)
{
    return std::ranges::all_of(text, [](char byte) { return static_cast<unsigned char>(byte) < 0x80; });
}

struct Free {
    void operator()(utf8proc_uint8_t* text) const { std::free(text); }
};

utf8proc_int32_t lower(utf8proc_int32_t letter, void* /*context*/)
{
    return utf8proc_tolower(letter);
}

// Ill-formed text alone fails, but for memory; callers have looked.
std::string map(std::string_view text, utf8proc_custom_func each)
{
    static constexpr auto form =
        static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT);
    utf8proc_uint8_t* mapped = nullptr;
    const auto size = utf8proc_map_custom(
        reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
        static_cast<utf8proc_ssize_t>(text.size()),
        &mapped,
        form,
        each,
        nullptr
    );
    const std::unique_ptr<utf8proc_uint8_t, Free> owner(mapped);
    if (size < 0) {
        throw std::bad_alloc();
    }
    return {reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(size)};
}

}  // namespace

std::string to_nfkc(std::string_view text)
{
    if (is_ascii(text) || !is_utf8(text)) {
        return std::string(text);
    }
    return map(text, nullptr);
}

// Three passes: compatibility forms hide capitals (U+1D400), and a small letter may compose where the capital
// did not.
std::string to_nfkc_lower(std::string_view text)
{
    if (is_ascii(text)) {
        return to_lower(text);
    }
    if (!is_utf8(text)) {
        return std::string(text);
    }
    return map(map(map(text, nullptr), lower), nullptr);
}

}  // namespace kit
