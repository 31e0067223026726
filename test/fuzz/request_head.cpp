// The guard and the parser over arbitrary bytes, cut arbitrarily. What holds: cuts change nothing; guard and
// Beast read the same; a head that was accepted and is written out again is accepted with the same meaning;
// chunked bodies decode alike however they are cut.
#include "platform/http/chunked.hpp"
#include "platform/http/parser.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace kit::http {

namespace {

constexpr HeadLimits head_limits{
    .request_line_bytes_max = 256, .header_bytes_max = 512, .header_fields_max = 10
};
constexpr ChunkedLimits chunked_limits{
    .body_bytes_max = 256, .extension_bytes_max = 32, .trailer_bytes_max = 64
};

void require(bool condition)
{
    if (!condition) {
        std::abort();
    }
}

struct Accepted {
    std::string_view head;
    std::string_view rest;
    HeadFacts facts;
};

std::optional<Accepted> accept(std::string_view bytes, std::size_t step)
{
    HeadScanner scanner;
    std::size_t given = 0;
    while (true) {
        given = std::min(bytes.size(), given + step);
        const auto scanned = scanner.scan(bytes.substr(0, given), head_limits);
        if (!scanned) {
            return std::nullopt;
        }
        if (*scanned == HeadScanner::Status::complete) {
            break;
        }
        if (given == bytes.size()) {
            return std::nullopt;
        }
    }
    const auto head = bytes.substr(scanner.begin(), scanner.end() - scanner.begin());
    const auto facts = check_head(head);
    if (!facts) {
        return std::nullopt;
    }
    return Accepted{.head = head, .rest = bytes.substr(scanner.end()), .facts = *facts};
}

void require_same(const Request& left, const Request& right)
{
    require(
        left.method_text == right.method_text && left.target == right.target &&
        left.http_1_0 == right.http_1_0
    );
    require(
        left.path == right.path && left.query == right.query && left.headers.size() == right.headers.size()
    );
    for (std::size_t index = 0; index < left.headers.size(); ++index) {
        require(left.headers[index].name == right.headers[index].name);
        require(left.headers[index].value == right.headers[index].value);
    }
}

std::string write_out(const Request& request)
{
    std::string text(request.method_text);
    text.append(" ").append(request.target).append(request.http_1_0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
    for (const auto& header : request.headers) {
        text.append(header.name).append(": ").append(header.value).append("\r\n");
    }
    return text.append("\r\n");
}

void check_rewritten(const Accepted& accepted, const Request& request)
{
    const auto text = write_out(request);
    const auto facts = check_head(text);
    require(facts.has_value());
    require(
        facts->content_length == accepted.facts.content_length && facts->chunked == accepted.facts.chunked
    );
    require(facts->keep_alive == accepted.facts.keep_alive);
    require(facts->expects_continue == accepted.facts.expects_continue);
    Request again;
    require(parse_head(text, *facts, again).has_value());
    require_same(request, again);
}

struct Decoded {
    std::string body;
    std::size_t used = 0;
    bool done = false;
    bool refused = false;

    bool operator==(const Decoded&) const = default;
};

Decoded decode(std::string_view bytes, std::size_t step)
{
    ChunkedDecoder decoder(chunked_limits);
    Decoded decoded;
    for (std::size_t at = 0; at < bytes.size() && !decoder.done(); at += step) {
        const auto used = decoder.feed(bytes.substr(at, step), decoded.body);
        if (!used) {
            return {.body = {}, .used = 0, .done = false, .refused = true};
        }
        decoded.used += *used;
    }
    decoded.done = decoder.done();
    require(decoded.body.size() <= chunked_limits.body_bytes_max);
    return decoded;
}

void check(std::string_view bytes, std::size_t step)
{
    require(decode(bytes, step) == decode(bytes, bytes.size() + 1));
    Request salvaged;
    salvage_head(bytes, salvaged);
    const auto accepted = accept(bytes, bytes.size() + 1);
    const auto piecewise = accept(bytes, step);
    require(accepted.has_value() == piecewise.has_value());
    if (!accepted) {
        return;
    }
    require(accepted->head == piecewise->head);
    Request request;
    if (!parse_head(accepted->head, accepted->facts, request)) {
        return;  // Beast is stricter about a few fields, such as what a Connection header lists
    }
    require_same(request, salvaged);
    check_rewritten(*accepted, request);
    if (accepted->facts.chunked) {
        require(!request.http_1_0 && accepted->facts.content_length == 0);
        require(decode(accepted->rest, step) == decode(accepted->rest, accepted->rest.size() + 1));
    }
}

}  // namespace

}  // namespace kit::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size > 0) {
        kit::http::check({reinterpret_cast<const char*>(data) + 1, size - 1}, data[0] % 16 + 1);
    }
    return 0;
}
