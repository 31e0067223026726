#include "support/http_response.hpp"

#include "platform/core/encoding.hpp"

#include <charconv>
#include <stdexcept>

namespace kit::test {
namespace {

[[noreturn]] void malformed(std::string_view what, std::string_view text)
{
    throw std::runtime_error(
        "malformed response: " + std::string(what) + ": " + std::string(text.substr(0, 200))
    );
}

std::size_t number(std::string_view text, int base)
{
    std::size_t value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc{} || stop != text.data() + text.size()) {
        malformed("not a number", text);
    }
    return value;
}

HttpResponse parse_head(std::string_view head)
{
    HttpResponse response;
    auto line_end = head.find("\r\n");
    const auto status_line = head.substr(0, line_end);
    // RFC 9112 section 4: the space before an empty reason stays.
    if (!status_line.starts_with("HTTP/1.") || status_line.size() < 13 || status_line[8] != ' ' ||
        status_line[12] != ' ') {
        malformed("status line", status_line);
    }
    response.status = static_cast<int>(number(status_line.substr(9, 3), 10));
    while (line_end != std::string_view::npos) {
        head.remove_prefix(line_end + 2);
        line_end = head.find("\r\n");
        const auto line = head.substr(0, line_end);
        const auto colon = line.find(':');
        if (colon == std::string_view::npos || colon == 0) {
            malformed("header", line);
        }
        response.headers.emplace_back(line.substr(0, colon), trim(line.substr(colon + 1)));
    }
    return response;
}

// The bytes of a chunked body at the front of `stream`, decoded into `body`; nothing until complete. RFC 9112
// section 7.1.
std::optional<std::size_t> take_chunks(std::string_view stream, std::string& body)
{
    std::size_t at = 0;
    while (true) {
        const auto line_end = stream.find("\r\n", at);
        if (line_end == std::string_view::npos) {
            return std::nullopt;
        }
        const auto size = number(stream.substr(at, line_end - at), 16);
        const auto data = line_end + 2;
        if (stream.size() < data + size + 2) {
            return std::nullopt;
        }
        if (stream.substr(data + size, 2) != "\r\n") {
            malformed("chunk", stream.substr(at));
        }
        body.append(stream.substr(data, size));
        at = data + size + 2;
        if (size == 0) {
            return at;
        }
    }
}

}  // namespace

std::optional<std::string> HttpResponse::header(std::string_view name) const
{
    for (const auto& [key, value] : headers) {
        if (equal_ignoring_case(key, name)) {
            return value;
        }
    }
    return std::nullopt;
}

std::vector<std::string> HttpResponse::all(std::string_view name) const
{
    std::vector<std::string> values;
    for (const auto& [key, value] : headers) {
        if (equal_ignoring_case(key, name)) {
            values.push_back(value);
        }
    }
    return values;
}

bool HttpResponse::closes() const
{
    return equal_ignoring_case(header("Connection").value_or(""), "close");
}

std::optional<TakenResponse> take_response(std::string_view stream, bool to_head, bool ended)
{
    const auto head_end = stream.find("\r\n\r\n");
    if (head_end == std::string_view::npos) {
        if (!std::string_view("HTTP/1.").starts_with(stream.substr(0, 7))) {
            malformed("status line", stream);
        }
        return std::nullopt;
    }
    TakenResponse taken{parse_head(stream.substr(0, head_end)), head_end + 4};
    auto& [response, bytes] = taken;
    const bool no_body =
        to_head || response.status / 100 == 1 || response.status == 204 || response.status == 304;
    if (no_body) {
        return taken;
    }
    const auto body = stream.substr(bytes);
    if (equal_ignoring_case(response.header("Transfer-Encoding").value_or(""), "chunked")) {
        const auto length = take_chunks(body, response.body);
        if (!length) {
            return std::nullopt;
        }
        bytes += *length;
    } else if (const auto length = response.header("Content-Length")) {
        const auto size = number(*length, 10);
        if (body.size() < size) {
            return std::nullopt;
        }
        response.body = body.substr(0, size);
        bytes += size;
    } else if (ended) {
        response.body = body;
        bytes = stream.size();
    } else {
        return std::nullopt;
    }
    return taken;
}

Conversation parse_conversation(std::string_view stream)
{
    Conversation result;
    while (auto taken = stream.empty() ? std::nullopt : take_response(stream, false, true)) {
        result.responses.push_back(std::move(taken->response));
        stream.remove_prefix(taken->bytes);
    }
    result.rest = stream;
    return result;
}

}  // namespace kit::test
