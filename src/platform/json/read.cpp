#include "platform/json/read.hpp"

#include "platform/core/encoding.hpp"
#include "platform/json/swar.hpp"
#include "platform/json/unescape.hpp"

#include <charconv>
#include <cmath>
#include <cstdlib>

namespace kit::json::detail {
namespace {

bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

bool is_ascii(char byte)
{
    return static_cast<unsigned char>(byte) < 0x80;
}

const char* find_end_of_ascii(const char* cursor, const char* end)
{
    const auto word_matters = [](std::uint64_t word) {
        return swar::any_below(word, 0x20) | swar::any_not_ascii(word) | swar::any_equal(word, '"') |
               swar::any_equal(word, '\\');
    };
    return swar::find(cursor, end, word_matters, [](char byte) {
        return ends_plain_text(byte) || !is_ascii(byte);
    });
}

const MemberRow* find_row(std::span<const MemberRow> rows, std::string_view name)
{
    for (const auto& row : rows) {
        if (row.name == name) {
            return &row;
        }
    }
    for (const auto& row : rows) {
        if (equal_ignoring_case(row.name, name)) {
            return &row;
        }
    }
    return nullptr;
}

}  // namespace

bool Reader::fail(std::string reason)
{
    return fail_at(offset(), std::move(reason));
}

bool Reader::fail_at(std::size_t where, std::string reason)
{
    error_.reason = std::move(reason);
    error_.offset = where;
    return false;
}

bool Reader::accept(char byte)
{
    if (!peek(byte)) {
        return false;
    }
    ++cursor_;
    return true;
}

void Reader::skip_space()
{
    while (cursor_ != end_ && (*cursor_ == ' ' || *cursor_ == '\n' || *cursor_ == '\r' || *cursor_ == '\t')) {
        ++cursor_;
    }
}

bool Reader::at_end()
{
    skip_space();
    return cursor_ == end_ || fail("unexpected text after the document");
}

bool Reader::accept_null()
{
    if (!peek('n') || !std::string_view(cursor_, end_).starts_with("null")) {
        return false;
    }
    cursor_ += 4;
    return true;
}

bool Reader::open(char bracket, const char* reason)
{
    if (!peek(bracket)) {
        return fail(reason);
    }
    if (depth_ == limits_.depth_max) {
        return fail("nested too deeply");
    }
    ++depth_;
    ++cursor_;
    skip_space();
    return true;
}

bool Reader::close(char bracket, const char* reason)
{
    --depth_;
    return accept(bracket) || fail(reason);
}

template <class OnMember>
bool Reader::each_member(OnMember on_member)
{
    if (!open('{', "expected an object")) {
        return false;
    }
    if (peek('}')) {
        return close('}', "");
    }
    std::size_t members = 0;
    do {
        skip_space();
        if (members++ == limits_.members_max) {
            return fail("too many members");
        }
        StringToken name;
        if (!scan_string(name, "expected a member's name")) {
            return false;
        }
        skip_space();
        if (!accept(':')) {
            return fail("expected ':'");
        }
        skip_space();
        if (!on_member(name)) {
            prepend_to_pointer(name);
            return false;
        }
        skip_space();
    } while (accept(','));
    return close('}', "expected ',' or '}'");
}

template <class OnElement>
bool Reader::each_element(OnElement on_element)
{
    if (!open('[', "expected an array")) {
        return false;
    }
    if (peek(']')) {
        return close(']', "");
    }
    std::size_t index = 0;
    do {
        skip_space();
        if (elements_++ == limits_.elements_max) {
            return fail("too many elements");
        }
        if (!on_element()) {
            prepend_to_pointer(index);
            return false;
        }
        ++index;
        skip_space();
    } while (accept(','));
    return close(']', "expected ',' or ']'");
}

bool Reader::object(void* target, std::span<const MemberRow> rows)
{
    return each_member([&](const StringToken& name) {
        const auto* const row = name.plain ? find_row(rows, name.raw) : find_row(rows, unescape(name.raw));
        if (row == nullptr) {
            return skip();
        }
        if (accept_null()) {
            row->reset(target);
            return true;
        }
        return row->read(*this, target);
    });
}

bool Reader::map(void* target, bool (*entry)(Reader& reader, void* target, std::string name))
{
    return each_member([&](const StringToken& token) {
        std::string name;
        return keep(token, name) && entry(*this, target, std::move(name));
    });
}

bool Reader::array(void* target, bool (*element)(Reader& reader, void* target))
{
    return each_element([&] { return element(*this, target); });
}

bool Reader::boolean(bool& out)
{
    const std::string_view rest(cursor_, end_);
    out = rest.starts_with("true");
    if (!out && !rest.starts_with("false")) {
        return fail("expected true or false");
    }
    cursor_ += out ? 4 : 5;
    return true;
}

bool Reader::scan_digits()
{
    if (cursor_ == end_ || !is_digit(*cursor_)) {
        return fail("expected a digit");
    }
    while (cursor_ != end_ && is_digit(*cursor_)) {
        ++cursor_;
    }
    return true;
}

bool Reader::scan_number(NumberToken& token, const char* reason)
{
    const char* const start = cursor_;
    if (cursor_ == end_ || (*cursor_ != '-' && !is_digit(*cursor_))) {
        return fail(reason);
    }
    accept('-');
    if (!accept('0') && !scan_digits()) {
        return false;
    }
    if (accept('.')) {
        token.integral = false;
        if (!scan_digits()) {
            return false;
        }
    }
    if (accept('e') || accept('E')) {
        token.integral = false;
        if (!accept('+')) {
            accept('-');
        }
        if (!scan_digits()) {
            return false;
        }
    }
    token.text = {start, cursor_};
    return true;
}

bool Reader::scan_integer(std::string_view& text)
{
    const auto start = offset();
    NumberToken token;
    if (!scan_number(token, "expected an integer")) {
        return false;
    }
    text = token.text;
    return token.integral || fail_at(start, "expected an integer");
}

bool Reader::integer(std::int64_t& out, std::int64_t min, std::int64_t max)
{
    const auto start = offset();
    std::string_view text;
    if (!scan_integer(text)) {
        return false;
    }
    const auto result = std::from_chars(text.data(), text.data() + text.size(), out);
    return (result.ec == std::errc() && out >= min && out <= max) || fail_at(start, "integer out of range");
}

bool Reader::natural(std::uint64_t& out, std::uint64_t max)
{
    const auto start = offset();
    std::string_view text;
    if (!scan_integer(text)) {
        return false;
    }
    // from_chars takes no sign here, so "-1" and "-0" fail too.
    const auto result = std::from_chars(text.data(), text.data() + text.size(), out);
    return (result.ec == std::errc() && out <= max) || fail_at(start, "integer out of range");
}

bool Reader::number(double& out)
{
    const auto start = offset();
    NumberToken token;
    if (!scan_number(token, "expected a number")) {
        return false;
    }
    const auto text = token.text;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), out);
    if (result.ec == std::errc::result_out_of_range) {
        // Too large is refused, too small is rounded. from_chars does not tell which; strtod does. It follows
        // the locale, but the process never leaves "C".
        out = std::strtod(std::string(text).c_str(), nullptr);
        if (std::isinf(out)) {
            return fail_at(start, "number out of range");
        }
    }
    return true;
}

bool Reader::scan_escape()
{
    if (cursor_ == end_) {
        return fail("unfinished string");
    }
    const char kind = *cursor_++;
    if (kind != 'u') {
        return std::string_view("\"\\/bfnrt").contains(kind) || fail("unknown escape");
    }
    const std::string_view digits(cursor_, std::min<std::ptrdiff_t>(4, end_ - cursor_));
    if (digits.size() < 4 || digits.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) {
        return fail("expected four hexadecimal digits");
    }
    if (digits == "0000") {
        return fail("U+0000 is not allowed");
    }
    cursor_ += 4;
    return true;
}

bool Reader::scan_string(StringToken& token, const char* reason)
{
    if (!accept('"')) {
        return fail(reason);
    }
    const char* const start = cursor_;
    cursor_ = find_end_of_ascii(cursor_, end_);
    while (!peek('"')) {
        if (cursor_ == end_) {
            return fail("unfinished string");
        }
        token.plain = false;
        if (accept('\\')) {
            if (!scan_escape()) {
                return false;
            }
        } else if (static_cast<unsigned char>(*cursor_) < 0x20) {
            return fail("control character in a string");
        }
        cursor_ = find_end_of_text(cursor_, end_);
    }
    token.raw = {start, cursor_};
    ++cursor_;
    return true;
}

bool Reader::keep(const StringToken& token, std::string& out)
{
    if (token.plain) {
        out.assign(token.raw);
    } else {
        out = unescape(token.raw);
    }
    return out.size() <= limits_.string_bytes_max || fail("string too long");
}

bool Reader::string(std::string& out)
{
    StringToken token;
    return scan_string(token, "expected a string") && keep(token, out);
}

bool Reader::timestamp(Timestamp& out)
{
    const auto start = offset();
    std::string text;
    if (!string(text)) {
        return false;
    }
    const auto time = parse_rfc3339(text);
    if (!time) {
        return fail_at(start, "expected a date and time of RFC 3339");
    }
    out = *time;
    return true;
}

bool Reader::name_of(std::span<const std::string_view> names, std::size_t& index)
{
    const auto start = offset();
    std::string text;
    if (!string(text)) {
        return false;
    }
    for (index = 0; index < names.size(); ++index) {
        if (names[index] == text) {
            return true;
        }
    }
    std::string reason = "expected one of";
    for (const auto& name : names) {
        reason.append(&name == names.data() ? " " : ", ").append(name);
    }
    return fail_at(start, std::move(reason));
}

bool Reader::raw(std::string& out)
{
    const char* const start = cursor_;
    if (!skip()) {
        return false;
    }
    // Outside strings all is ASCII, so replacing what is ill-formed changes strings only.
    const std::string_view text(start, cursor_);
    out = is_utf8(text) ? std::string(text) : to_valid_utf8(text);
    return true;
}

bool Reader::skip()
{
    if (peek('{')) {
        return each_member([this](const StringToken&) { return skip(); });
    }
    if (peek('[')) {
        return each_element([this] { return skip(); });
    }
    if (peek('"')) {
        StringToken token;
        return scan_string(token, "expected a string");
    }
    if (peek('t') || peek('f')) {
        bool ignored = false;
        return boolean(ignored);
    }
    if (accept_null()) {
        return true;
    }
    NumberToken token;
    return scan_number(token, "expected a value");
}

void Reader::prepend_to_pointer(const StringToken& name)
{
    std::string segment = "/";
    for (const char byte : name.plain ? std::string(name.raw) : unescape(name.raw)) {
        if (byte == '~') {
            segment.append("~0");
        } else if (byte == '/') {
            segment.append("~1");
        } else {
            segment.push_back(byte);
        }
    }
    error_.pointer.insert(0, segment);
}

void Reader::prepend_to_pointer(std::size_t index)
{
    error_.pointer.insert(0, "/" + std::to_string(index));
}

}  // namespace kit::json::detail
