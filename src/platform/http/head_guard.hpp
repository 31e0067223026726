// The strict reading of a request's head. Beast's parser is lenient where request smuggling lives, so nothing
// reaches it that two HTTP implementations could understand differently. No I/O: bytes in, a judgement out.
#pragma once

#include "platform/core/error.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace kit::http {

struct Request;

// Why something was refused before it was a request. The connection ends after it. The code stands for
// exactly one status.
struct Refusal {
    ErrorCode code = ErrorCode::invalid_input;
    std::string_view message{};  // a string literal

    Error error() const { return {code, std::string(message)}; }
};

struct HeadLimits {
    std::size_t request_line_bytes_max;  // without its CRLF; beyond: 414
    std::size_t header_bytes_max;        // every line after it, with their CRLFs; beyond: 431
    std::size_t header_fields_max;       // beyond: 431
};

// Finds a head's end while its bytes arrive, and refuses at once what more bytes cannot mend.
class HeadScanner {
public:
    enum class Status : std::uint8_t { incomplete, complete };

    // `bytes` start where the previous request ended; between calls they only grow. Once complete, begin()
    // and end() delimit the head: request line to empty line, without the one empty line that may precede it
    // (RFC 9112 section 2.2).
    std::expected<Status, Refusal> scan(std::string_view bytes, const HeadLimits& limits);

    std::size_t begin() const { return begin_; }

    std::size_t end() const { return scanned_; }

private:
    enum class Line : std::uint8_t { blank, request, field };

    std::expected<Status, Refusal> check_line(std::size_t next, const HeadLimits& limits);
    std::expected<Status, Refusal> check_partial(std::string_view bytes, const HeadLimits& limits) const;

    std::size_t begin_ = 0;
    std::size_t line_begin_ = 0;
    std::size_t fields_begin_ = 0;
    std::size_t scanned_ = 0;
    std::size_t fields_ = 0;
    Line expected_ = Line::blank;
};

// What a sound head says about its target and about the message around it.
struct HeadFacts {
    std::string_view path;   // "*" for OPTIONS *
    std::string_view query;  // without '?'
    std::uint64_t content_length = 0;
    bool chunked = false;
    bool keep_alive = true;
    bool expects_continue = false;
};

// Judges a whole head as HeadScanner delimits it. 400 for everything malformed or ambiguous, 417 for an
// expectation other than 100-continue, 501 for a transfer coding other than chunked.
std::expected<HeadFacts, Refusal> check_head(std::string_view head);

// Fills in what can be understood of bytes that were refused, so that the refusal can be negotiated and
// logged: the request line if it is whole and sound, and sound header lines after it. Views point into
// `bytes`.
void salvage_head(std::string_view bytes, Request& request);

// RFC 9110 section 5.6.2.
bool is_token(std::string_view text);

// The text of a Host header: RFC 9110 section 7.2, RFC 3986 section 3.2.2. Not empty, no user information.
bool is_host(std::string_view text);

// No control character but the tab, as RFC 9110 section 5.5 demands of a field's value.
bool is_field_value(std::string_view text);

}  // namespace kit::http
