#include "platform/http/head_guard.hpp"

#include "platform/core/encoding.hpp"
#include "platform/http/types.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace kit::http {

namespace {

// What a byte may be part of.
enum Class : std::uint8_t {
    token = 1,        // tchar, RFC 9110 section 5.6.2
    target = 2,       // visible ASCII but '#': a request target
    field_value = 4,  // VCHAR, SP, HTAB and obs-text: a field's value
    host = 8,         // unreserved and sub-delims, RFC 3986: a registered name
    hex = 16,
};

constexpr std::array<std::uint8_t, 256> make_classes()
{
    constexpr std::string_view token_marks = "!#$%&'*+-.^_`|~";
    constexpr std::string_view host_marks = "-._~!$&'()*+,;=";
    std::array<std::uint8_t, 256> classes{};
    for (unsigned byte = 0; byte < 256; ++byte) {
        const char character = static_cast<char>(byte);
        const bool digit = character >= '0' && character <= '9';
        const bool upper = character >= 'A' && character <= 'Z';
        const bool lower = character >= 'a' && character <= 'z';
        const bool visible = byte > 0x20 && byte < 0x7F;
        std::uint8_t set = 0;
        set |= digit || upper || lower || (visible && token_marks.contains(character)) ? Class::token : 0;
        set |= visible && character != '#' ? Class::target : 0;
        set |= visible || byte >= 0x80 || character == ' ' || character == '\t' ? Class::field_value : 0;
        set |= digit || upper || lower || (visible && host_marks.contains(character)) ? Class::host : 0;
        set |= digit || (character >= 'A' && character <= 'F') || (character >= 'a' && character <= 'f')
                   ? Class::hex
                   : 0;
        classes[byte] = set;
    }
    return classes;
}

constexpr auto classes = make_classes();

bool is(char character, Class wanted)
{
    return (classes[static_cast<unsigned char>(character)] & wanted) != 0;
}

bool all(std::string_view text, Class wanted)
{
    // One pass without a branch per byte: heads are short and nearly always sound.
    unsigned common = 0xFF;
    for (const char character : text) {
        common &= classes[static_cast<unsigned char>(character)];
    }
    return (common & wanted) != 0;
}

constexpr Refusal malformed(std::string_view message)
{
    return {ErrorCode::invalid_input, message};
}

constexpr Refusal bad_request_line = malformed("malformed request line");
constexpr Refusal bad_field = malformed("malformed header line");
constexpr Refusal bad_length = malformed("malformed Content-Length");
constexpr Refusal bad_host = malformed("malformed Host header");

std::string_view trim_blanks(std::string_view text)
{
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
        text.remove_prefix(1);
    }
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
        text.remove_suffix(1);
    }
    return text;
}

// Calls `use(item)` for each non-empty item of a comma-separated list without quoted strings.
template <class Use>
void for_each_item(std::string_view list, Use use)
{
    while (!list.empty()) {
        const auto comma = list.find(',');
        const auto item = trim_blanks(list.substr(0, comma));
        if (!item.empty()) {
            use(item);
        }
        list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    }
}

// Takes the next line, without its CRLF, off `rest`; nothing if there is no line end or the LF stands without
// its CR.
std::optional<std::string_view> take_line(std::string_view& rest)
{
    const auto line_feed = rest.find('\n');
    if (line_feed == std::string_view::npos || line_feed == 0 || rest[line_feed - 1] != '\r') {
        return std::nullopt;
    }
    const auto line = rest.substr(0, line_feed - 1);
    rest.remove_prefix(line_feed + 1);
    return line;
}

struct RequestLine {
    std::string_view method;
    std::string_view target;
    bool http_1_0 = false;
};

std::expected<RequestLine, Refusal> parse_request_line(std::string_view line)
{
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == std::string_view::npos || last == first) {
        return std::unexpected(bad_request_line);
    }
    RequestLine parsed{.method = line.substr(0, first), .target = line.substr(first + 1, last - first - 1)};
    if (!is_token(parsed.method) || parsed.target.empty() || !all(parsed.target, Class::target)) {
        return std::unexpected(bad_request_line);
    }
    const auto version = line.substr(last + 1);
    parsed.http_1_0 = version == "HTTP/1.0";
    if (!parsed.http_1_0 && version != "HTTP/1.1") {
        return std::unexpected(malformed("unsupported HTTP version"));
    }
    return parsed;
}

bool escapes_are_sound(std::string_view path)
{
    for (auto at = path.find('%'); at != std::string_view::npos; at = path.find('%', at + 1)) {
        if (at + 2 >= path.size() || !is(path[at + 1], Class::hex) || !is(path[at + 2], Class::hex)) {
            return false;
        }
    }
    return true;
}

struct Target {
    std::string_view path;
    std::string_view query;
    std::optional<std::string_view> authority;  // of the absolute form
};

// RFC 9112 section 3.2: origin form, absolute form, and the asterisk of OPTIONS. Nothing for other forms.
std::optional<Target> parse_target(const RequestLine& line)
{
    Target parsed;
    auto rest = line.target;
    if (line.method == "CONNECT") {
        return std::nullopt;  // its target is an authority; we are no proxy
    }
    if (rest == "*" && line.method == "OPTIONS") {
        parsed.path = rest;
        return parsed;
    }
    if (rest.front() != '/') {
        const auto scheme_end = rest.find("://");
        if (scheme_end == std::string_view::npos ||
            (!equal_ignoring_case(rest.substr(0, scheme_end), "http") &&
             !equal_ignoring_case(rest.substr(0, scheme_end), "https"))) {
            return std::nullopt;
        }
        rest.remove_prefix(scheme_end + 3);
        parsed.authority = rest.substr(0, rest.find_first_of("/?"));
        if (!is_host(*parsed.authority)) {
            return std::nullopt;
        }
        rest.remove_prefix(parsed.authority->size());
    }
    const auto question = rest.find('?');
    parsed.path = rest.substr(0, question);
    if (question != std::string_view::npos) {
        parsed.query = rest.substr(question + 1);
    }
    if (!escapes_are_sound(parsed.path)) {
        return std::nullopt;
    }
    if (parsed.path.empty()) {
        parsed.path = "/";
    }
    return parsed;
}

// A field line without its CRLF. Nothing if it is folded, has no colon, no name, blanks around the name, or
// an unsound value.
std::optional<Header> parse_field(std::string_view line)
{
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    const auto name = line.substr(0, colon);
    const auto value = line.substr(colon + 1);
    if (!is_token(name) || !is_field_value(value)) {
        return std::nullopt;
    }
    return Header{.name = name, .value = trim_blanks(value)};
}

// Collects the fields that decide where a message ends and what becomes of the connection.
class Framing {
public:
    std::optional<Refusal> take(const Header& field)
    {
        // The name's length first: most fields are none of these.
        switch (field.name.size()) {
            case 4:
                return equal_ignoring_case(field.name, "host") ? take_host(field.value) : std::nullopt;
            case 6:
                return equal_ignoring_case(field.name, "expect") ? take_expect(field.value) : std::nullopt;
            case 10:
                return equal_ignoring_case(field.name, "connection") ? take_connection(field.value)
                                                                     : std::nullopt;
            case 14:
                return equal_ignoring_case(field.name, "content-length") ? take_length(field.value)
                                                                         : std::nullopt;
            case 17:
                return equal_ignoring_case(field.name, "transfer-encoding") ? take_coding(field.value)
                                                                            : std::nullopt;
            default:
                return std::nullopt;
        }
    }

    std::expected<HeadFacts, Refusal> conclude(const RequestLine& line, const Target& target) const
    {
        if (!host_ && !line.http_1_0) {
            return std::unexpected(malformed("missing required Host header"));
        }
        // RFC 9112 section 3.2.2 would have us believe the target; a client that names two hosts is not one
        // we need to serve.
        if (host_ && target.authority && !equal_ignoring_case(*host_, *target.authority)) {
            return std::unexpected(malformed("Host header differs from the target's authority"));
        }
        if (chunked_ && (line.http_1_0 || length_)) {
            return std::unexpected(malformed("Transfer-Encoding with HTTP/1.0 or Content-Length"));
        }
        // RFC 9110 section 10.1.1: an expectation in HTTP/1.0 is ignored.
        if (other_expectation_ && !line.http_1_0) {
            return std::unexpected(Refusal{ErrorCode::expectation_failed, "unsupported expectation"});
        }
        return HeadFacts{
            .path = target.path,
            .query = target.query,
            .content_length = length_.value_or(0),
            .chunked = chunked_,
            .keep_alive = !close_ && (keep_alive_ || !line.http_1_0),
            .expects_continue = continue_ && !line.http_1_0,
        };
    }

private:
    std::optional<Refusal> take_host(std::string_view value)
    {
        if (host_ || !is_host(value)) {
            return bad_host;
        }
        host_ = value;
        return std::nullopt;
    }

    std::optional<Refusal> take_expect(std::string_view value)
    {
        (equal_ignoring_case(value, "100-continue") ? continue_ : other_expectation_) = true;
        return std::nullopt;
    }

    std::optional<Refusal> take_connection(std::string_view value)
    {
        for_each_item(value, [this](std::string_view option) {
            close_ = close_ || equal_ignoring_case(option, "close");
            keep_alive_ = keep_alive_ || equal_ignoring_case(option, "keep-alive");
        });
        return std::nullopt;
    }

    // Digits and nothing else, once. RFC 9110 section 8.6 allows a recipient to refuse the repeated form "5,
    // 5".
    std::optional<Refusal> take_length(std::string_view value)
    {
        std::uint64_t length = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
        if (length_ || error != std::errc() || end != value.data() + value.size()) {
            return bad_length;
        }
        length_ = length;
        return std::nullopt;
    }

    std::optional<Refusal> take_coding(std::string_view value)
    {
        if (!chunked_ && equal_ignoring_case(value, "chunked")) {
            chunked_ = true;
            return std::nullopt;
        }
        bool tokens = !value.empty();
        bool unknown = false;
        for_each_item(value, [&](std::string_view coding) {
            tokens = tokens && is_token(coding);
            unknown = unknown || !equal_ignoring_case(coding, "chunked");
        });
        // RFC 9112 section 6.1: 501 for a coding that is not understood; what is no list of codings at all is
        // malformed.
        if (tokens && unknown) {
            return Refusal{ErrorCode::unsupported, "unsupported transfer coding"};
        }
        return malformed("malformed Transfer-Encoding");
    }

    std::optional<std::string_view> host_;
    std::optional<std::uint64_t> length_;
    bool chunked_ = false;
    bool close_ = false;
    bool keep_alive_ = false;
    bool continue_ = false;
    bool other_expectation_ = false;
};

bool is_port(std::string_view text)
{
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    return text.empty() || (error == std::errc() && end == text.data() + text.size());
}

}  // namespace

bool is_token(std::string_view text)
{
    return !text.empty() && all(text, Class::token);
}

bool is_field_value(std::string_view text)
{
    return all(text, Class::field_value);
}

bool is_host(std::string_view text)
{
    const auto colon = text.starts_with('[') ? text.find(':', text.find(']')) : text.find(':');
    const auto name = text.substr(0, colon);
    if (colon != std::string_view::npos && !is_port(text.substr(colon + 1))) {
        return false;
    }
    if (name.starts_with('[')) {
        // Hexadecimal digits, colons and dots: an IPv6 address as far as it matters here.
        return name.size() > 2 && name.ends_with(']') &&
               name.find_first_not_of("0123456789abcdefABCDEF:.", 1) == name.size() - 1;
    }
    const bool plain = !name.contains('%');
    return !name.empty() && (plain ? all(name, Class::host)
                                   : escapes_are_sound(name) && std::ranges::all_of(name, [](char character) {
                                         return character == '%' || is(character, Class::host);
                                     }));
}

std::expected<HeadFacts, Refusal> check_head(std::string_view head)
{
    auto rest = head;
    const auto first_line = take_line(rest);
    if (!first_line) {
        return std::unexpected(bad_request_line);
    }
    const auto line = parse_request_line(*first_line);
    if (!line) {
        return std::unexpected(line.error());
    }
    const auto target = parse_target(*line);
    if (!target) {
        return std::unexpected(malformed("malformed request target"));
    }
    Framing framing;
    while (true) {
        const auto text = take_line(rest);
        if (!text) {
            return std::unexpected(bad_field);
        }
        if (text->empty()) {
            break;
        }
        const auto field = parse_field(*text);
        if (!field) {
            return std::unexpected(bad_field);
        }
        if (const auto refusal = framing.take(*field)) {
            return std::unexpected(*refusal);
        }
    }
    if (!rest.empty()) {
        return std::unexpected(bad_field);
    }
    return framing.conclude(*line, *target);
}

void salvage_head(std::string_view bytes, Request& request)
{
    if (bytes.starts_with("\r\n")) {
        bytes.remove_prefix(2);
    }
    const auto first_line = take_line(bytes);
    if (!first_line) {
        return;
    }
    if (const auto line = parse_request_line(*first_line)) {
        request.method_text = line->method;
        request.target = line->target;
        request.http_1_0 = line->http_1_0;
        if (const auto target = parse_target(*line)) {
            request.path = target->path;
            request.query = target->query;
        }
    }
    while (const auto text = take_line(bytes)) {
        if (text->empty()) {
            break;
        }
        if (const auto field = parse_field(*text)) {
            request.headers.push_back(*field);
        }
    }
}

}  // namespace kit::http
