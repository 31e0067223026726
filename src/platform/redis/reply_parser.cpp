#include "platform/redis/reply_parser.hpp"

#include <algorithm>
#include <charconv>

namespace kit::redis {

namespace {

constexpr std::string_view line_end = "\r\n";
constexpr std::size_t reserve_max = 64;  // items; a header may promise more than ever comes

template <class Number>
std::optional<Number> parse_number(std::string_view digits)
{
    Number number = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) {
        return std::nullopt;
    }
    return number;
}

Reply text_reply(Reply::Kind kind, std::string_view text)
{
    return {.kind = kind, .text = std::string(text)};
}

// A value that fits into its line.
std::optional<Reply> parse_line(char type, std::string_view text)
{
    switch (type) {
        case '+':
            return text_reply(Reply::Kind::text, text);
        case '-':
            return text_reply(Reply::Kind::error, text);
        case ',':  // a double
        case '(':  // a big number
            return text.empty() ? std::nullopt : std::optional(text_reply(Reply::Kind::text, text));
        case ':': {
            const auto number = parse_number<std::int64_t>(text);
            return number ? std::optional(Reply{.kind = Reply::Kind::integer, .integer = *number})
                          : std::nullopt;
        }
        case '#':
            return text == "t" || text == "f"
                       ? std::optional(Reply{.kind = Reply::Kind::integer, .integer = text == "t" ? 1 : 0})
                       : std::nullopt;
        case '_':
            return text.empty() ? std::optional(Reply()) : std::nullopt;
        default:
            return std::nullopt;
    }
}

}  // namespace

void ReplyParser::feed(std::string_view bytes)
{
    if (malformed_) {
        return;
    }
    // What was consumed is dropped once it is at least half, so that each byte is moved once on average.
    if (position_ * 2 >= buffer_.size()) {
        buffer_.erase(0, position_);
        position_ = 0;
    }
    buffer_ += bytes;
}

ReplyParser::Outcome ReplyParser::next(Reply& reply)
{
    while (!malformed_) {
        Reply value;
        switch (read_element(value)) {
            case Step::incomplete:
                return Outcome::incomplete;
            case Step::malformed:
                malformed_ = true;
                buffer_.clear();
                frames_.clear();
                break;
            case Step::opened:
                break;
            case Step::value:
                if (complete(value)) {
                    reply = std::move(value);
                    return Outcome::reply;
                }
        }
    }
    return Outcome::malformed;
}

ReplyParser::Step ReplyParser::read_element(Reply& value)
{
    const auto rest = std::string_view(buffer_).substr(position_);
    const auto end = rest.substr(0, line_bytes_max).find(line_end);
    if (end == std::string_view::npos) {
        // An unknown type is malformed at once: its line may never end.
        const bool known =
            rest.empty() || std::string_view("+-:$*_#,(!=%~>|").find(rest[0]) != std::string_view::npos;
        return known && rest.size() < line_bytes_max ? Step::incomplete : Step::malformed;
    }
    if (end == 0 || ++elements_ > elements_max) {
        return Step::malformed;
    }
    const char type = rest[0];
    const auto text = rest.substr(1, end - 1);
    const auto line_size = end + line_end.size();
    switch (type) {
        case '$':
        case '!':
        case '=':
            return read_text(type, text, line_size, value);
        case '*':
        case '~':
        case '>':
        case '%':
        case '|': {
            const auto step = open(type, text, value);
            consume(line_size);
            return step;
        }
        default: {
            auto parsed = parse_line(type, text);
            if (!parsed) {
                return Step::malformed;
            }
            value = *std::move(parsed);
            consume(line_size);
            return reply_bytes_ > bytes_max ? Step::malformed : Step::value;
        }
    }
}

// A text with its length before it: '$', the error '!', and '=' with three letters and a colon before it.
ReplyParser::Step ReplyParser::read_text(
    char type, std::string_view digits, std::size_t line_size, Reply& value
)
{
    if (type == '$' && digits == "-1") {
        consume(line_size);
        return Step::value;
    }
    const auto size = parse_number<std::size_t>(digits);
    if (!size || *size > bytes_max || reply_bytes_ + line_size + *size > bytes_max) {
        return Step::malformed;
    }
    const auto whole = line_size + *size + line_end.size();
    const auto rest = std::string_view(buffer_).substr(position_);
    if (rest.size() < whole) {
        --elements_;  // read again when there is more
        return Step::incomplete;
    }
    auto text = rest.substr(line_size, *size);
    if (rest.substr(line_size + *size, line_end.size()) != line_end) {
        return Step::malformed;
    }
    if (type == '=') {
        constexpr std::size_t prefix_size = 4;
        if (text.size() < prefix_size || text[prefix_size - 1] != ':') {
            return Step::malformed;
        }
        text.remove_prefix(prefix_size);
    }
    value = text_reply(type == '!' ? Reply::Kind::error : Reply::Kind::text, text);
    consume(whole);
    return Step::value;
}

ReplyParser::Step ReplyParser::open(char type, std::string_view digits, Reply& value)
{
    if (type == '*' && digits == "-1") {
        return Step::value;
    }
    auto count = parse_number<std::size_t>(digits);
    // Nobody may open a push or an attribute but between two replies: for attributes the protocol would
    // allow it, yet no server sends them.
    const bool outermost_only = type == '>' || type == '|';
    if (!count || *count > elements_max || frames_.size() == depth_max ||
        (outermost_only && !frames_.empty()) || (type == '>' && *count == 0)) {
        return Step::malformed;
    }
    if (type == '%' || type == '|') {
        *count *= 2;
    }
    value.kind = Reply::Kind::array;
    if (*count == 0) {
        if (type == '|') {
            elements_ = 0;
            return Step::opened;  // an attribute without content
        }
        return Step::value;
    }
    Frame frame{.reply = std::move(value), .left = *count, .type = type};
    frame.reply.items.reserve(std::min(*count, reserve_max));
    frames_.push_back(std::move(frame));
    return Step::opened;
}

// Puts the value where it belongs. True when it is a whole reply.
bool ReplyParser::complete(Reply& value)
{
    while (!frames_.empty()) {
        auto& frame = frames_.back();
        frame.reply.items.push_back(std::move(value));
        if (--frame.left > 0) {
            return false;
        }
        value = std::move(frame.reply);
        const auto type = frame.type;
        frames_.pop_back();
        if (type == '>' || type == '|') {
            reply_bytes_ = 0;
            elements_ = 0;
            return false;
        }
    }
    reply_bytes_ = 0;
    elements_ = 0;
    return true;
}

void ReplyParser::consume(std::size_t size)
{
    position_ += size;
    reply_bytes_ += size;
}

}  // namespace kit::redis
