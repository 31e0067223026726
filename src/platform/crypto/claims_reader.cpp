#include "platform/crypto/claims_reader.hpp"

#include "platform/core/encoding.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <span>

namespace kit::jwt {

namespace {

bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

// The four hexadecimal digits of a \u escape.
std::optional<std::uint32_t> hex4(std::string_view text)
{
    std::uint32_t value = 0;
    const auto digits = text.substr(0, 4);
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (failure != std::errc{} || end != digits.data() + 4) {
        return std::nullopt;
    }
    return value;
}

void append_utf8(std::string& out, std::uint32_t scalar)
{
    const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
    const auto tail = [scalar, put](unsigned shift) { put(0x80U | ((scalar >> shift) & 0x3FU)); };
    if (scalar < 0x80) {
        put(scalar);
    } else if (scalar < 0x800) {
        put(0xC0U | (scalar >> 6U));
        tail(0);
    } else if (scalar < 0x10000) {
        put(0xE0U | (scalar >> 12U));
        tail(6);
        tail(0);
    } else {
        put(0xF0U | (scalar >> 18U));
        tail(12);
        tail(6);
        tail(0);
    }
}

// The scalar of the escape whose `\u` has been read, with its low surrogate where it needs one. Cuts it off
// `text`.
std::optional<std::uint32_t> unicode_escape(std::string_view& text)
{
    const auto first = hex4(text);
    if (!first) {
        return std::nullopt;
    }
    text.remove_prefix(4);
    if (*first < 0xD800 || *first > 0xDFFF) {
        return first;
    }
    if (*first > 0xDBFF || !text.starts_with("\\u")) {
        return std::nullopt;
    }
    const auto second = hex4(text.substr(2));
    if (!second || *second < 0xDC00 || *second > 0xDFFF) {
        return std::nullopt;
    }
    text.remove_prefix(6);
    return 0x10000U + ((*first - 0xD800U) << 10U) + (*second - 0xDC00U);
}

}  // namespace

ClaimsReader::ClaimsReader(std::string_view text) : text_(text)
{
    if (!is_utf8(text)) {
        stage_ = Stage::failed;
    }
}

bool ClaimsReader::next(std::string_view& name)
{
    skip_space();
    if (stage_ == Stage::start) {
        if (!take('{')) {
            return fail();
        }
        skip_space();
        if (take('}')) {
            return end_object();
        }
        stage_ = Stage::member;
    } else if (stage_ == Stage::member) {
        if (take('}')) {
            return end_object();
        }
        if (!take(',')) {
            return fail();
        }
        skip_space();
    } else {
        return false;
    }
    bool escaped = false;
    if (!scan_string(name, escaped) || escaped || name_count_ == names_max) {
        return fail();
    }
    const auto seen = std::span(names_).first(name_count_);
    if (std::ranges::find(seen, name) != seen.end()) {
        return fail();
    }
    names_[name_count_++] = name;
    skip_space();
    if (!take(':')) {
        return fail();
    }
    skip_space();
    return true;
}

bool ClaimsReader::end_object()
{
    skip_space();
    stage_ = at_ == text_.size() ? Stage::ended : Stage::failed;
    return false;
}

bool ClaimsReader::read_string(std::string& value)
{
    std::string_view raw;
    bool escaped = false;
    if (stage_ == Stage::failed || !scan_string(raw, escaped)) {
        return fail();
    }
    if (escaped) {
        return unescape(raw, value) || fail();
    }
    value.assign(raw);
    return true;
}

bool ClaimsReader::read_integer(std::int64_t& value)
{
    const std::size_t begin = at_;
    if (stage_ == Stage::failed || !scan_number()) {
        return fail();
    }
    const auto digits = text_.substr(begin, at_ - begin);
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return (failure == std::errc{} && end == digits.data() + digits.size()) || fail();
}

bool ClaimsReader::read_strings(std::vector<std::string>& values)
{
    values.clear();
    return read_array([this, &values] { return read_string(values.emplace_back()); });
}

bool ClaimsReader::read_string_or_strings(std::vector<std::string>& values)
{
    if (peek() == '[') {
        return read_strings(values);
    }
    values.clear();
    return read_string(values.emplace_back());
}

bool ClaimsReader::skip()
{
    switch (peek()) {
        case '"':
            return skip_string();
        case '[':
            return read_array([this] { return skip_string(); });
        case 't':
            return scan_literal("true") || fail();
        case 'f':
            return scan_literal("false") || fail();
        case 'n':
            return scan_literal("null") || fail();
        default:
            return scan_number() || fail();
    }
}

bool ClaimsReader::read_value(std::string_view& text)
{
    const std::size_t begin = at_;
    if (stage_ == Stage::failed || !skip_value(0)) {
        return fail();
    }
    text = text_.substr(begin, at_ - begin);
    return true;
}

bool ClaimsReader::read_values(std::vector<std::string_view>& texts, std::size_t elements_max)
{
    texts.clear();
    return read_array([this, &texts, elements_max] {
        return texts.size() < elements_max ? read_value(texts.emplace_back()) : fail();
    });
}

bool ClaimsReader::skip_value(int depth)
{
    if (depth == depth_max) {
        return fail();
    }
    switch (peek()) {
        case '{':
            return skip_members(depth + 1);
        case '[':
            return read_array([this, depth] { return skip_value(depth + 1); });
        default:
            return skip();
    }
}

bool ClaimsReader::skip_members(int depth)
{
    take('{');
    skip_space();
    if (take('}')) {
        return true;
    }
    do {
        skip_space();
        if (!skip_string()) {
            return false;
        }
        skip_space();
        if (!take(':')) {
            return fail();
        }
        skip_space();
        if (!skip_value(depth)) {
            return false;
        }
        skip_space();
    } while (take(','));
    return take('}') || fail();
}

bool ClaimsReader::skip_string()
{
    std::string_view raw;
    bool escaped = false;
    if (!scan_string(raw, escaped)) {
        return fail();
    }
    std::string value;
    return !escaped || unescape(raw, value) || fail();
}

template <class ReadElement>
bool ClaimsReader::read_array(ReadElement read_element)
{
    if (stage_ == Stage::failed || !take('[')) {
        return fail();
    }
    skip_space();
    if (take(']')) {
        return true;
    }
    do {
        skip_space();
        if (!read_element()) {
            return false;
        }
        skip_space();
    } while (take(','));
    return take(']') || fail();
}

bool ClaimsReader::fail()
{
    stage_ = Stage::failed;
    return false;
}

bool ClaimsReader::take(char character)
{
    if (peek() != character) {
        return false;
    }
    ++at_;
    return true;
}

void ClaimsReader::skip_space()
{
    while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') {
        ++at_;
    }
}

// The text between the quotes, escapes still in it.
bool ClaimsReader::scan_string(std::string_view& raw, bool& escaped)
{
    if (!take('"')) {
        return false;
    }
    const std::size_t begin = at_;
    for (std::size_t at = begin; at < text_.size(); ++at) {
        const char character = text_[at];
        if (character == '"') {
            raw = text_.substr(begin, at - begin);
            at_ = at + 1;
            return true;
        }
        if (static_cast<unsigned char>(character) < 0x20) {
            return false;
        }
        if (character == '\\') {
            escaped = true;
            ++at;  // whatever follows, a quote too, belongs to the escape
        }
    }
    return false;
}

bool ClaimsReader::scan_digits()
{
    const std::size_t begin = at_;
    while (is_digit(peek())) {
        ++at_;
    }
    return at_ > begin;
}

bool ClaimsReader::scan_number()
{
    take('-');
    if (!take('0') && !scan_digits()) {
        return false;
    }
    if (is_digit(peek()) || (take('.') && !scan_digits())) {
        return false;
    }
    if (take('e') || take('E')) {
        if (!take('+')) {
            take('-');
        }
        return scan_digits();
    }
    return true;
}

bool ClaimsReader::scan_literal(std::string_view literal)
{
    if (!text_.substr(at_).starts_with(literal)) {
        return false;
    }
    at_ += literal.size();
    return true;
}

bool ClaimsReader::unescape(std::string_view raw, std::string& value)
{
    static constexpr std::string_view escapes = "\"\\/bfnrt";
    static constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    value.clear();
    while (!raw.empty()) {
        const auto plain = raw.substr(0, raw.find('\\'));
        value += plain;
        raw.remove_prefix(plain.size());
        if (raw.empty()) {
            return true;
        }
        const char kind = raw[1];  // there is one: scan_string saw the closing quote behind it
        raw.remove_prefix(2);
        if (kind == 'u') {
            const auto scalar = unicode_escape(raw);
            if (!scalar) {
                return false;
            }
            append_utf8(value, *scalar);
        } else if (const auto index = escapes.find(kind); index != std::string_view::npos) {
            value += meanings[index];
        } else {
            return false;
        }
    }
    return true;
}

}  // namespace kit::jwt
