#include "platform/http/head_guard.hpp"

namespace kit::http {

namespace {

constexpr Refusal bad_request_line{ErrorCode::invalid_input, "malformed request line"};
constexpr Refusal bare_line_feed{ErrorCode::invalid_input, "bare line feed"};
constexpr Refusal uri_too_long{ErrorCode::uri_too_long, "request line too long"};
constexpr Refusal headers_too_large{ErrorCode::headers_too_large, "request header section too large"};

}  // namespace

std::expected<HeadScanner::Status, Refusal> HeadScanner::scan(
    std::string_view bytes, const HeadLimits& limits
)
{
    while (true) {
        const auto line_feed = bytes.find('\n', scanned_);
        if (line_feed == std::string_view::npos) {
            scanned_ = bytes.size();
            return check_partial(bytes, limits);
        }
        if (line_feed == line_begin_ || bytes[line_feed - 1] != '\r') {
            return std::unexpected(bare_line_feed);
        }
        scanned_ = line_feed + 1;
        const auto status = check_line(scanned_, limits);
        if (!status || *status == Status::complete) {
            return status;
        }
        line_begin_ = scanned_;
    }
}

// The line from line_begin_ to `next`, CRLF included.
std::expected<HeadScanner::Status, Refusal> HeadScanner::check_line(
    std::size_t next, const HeadLimits& limits
)
{
    const auto length = next - line_begin_ - 2;
    if (expected_ != Line::field) {
        if (length == 0) {
            if (expected_ == Line::request) {
                return std::unexpected(bad_request_line);
            }
            expected_ = Line::request;
            return Status::incomplete;
        }
        if (length > limits.request_line_bytes_max) {
            return std::unexpected(uri_too_long);
        }
        begin_ = line_begin_;
        fields_begin_ = next;
        expected_ = Line::field;
        return Status::incomplete;
    }
    if (next - fields_begin_ > limits.header_bytes_max) {
        return std::unexpected(headers_too_large);
    }
    if (length == 0) {
        return Status::complete;
    }
    if (++fields_ > limits.header_fields_max) {
        return std::unexpected(headers_too_large);
    }
    return Status::incomplete;
}

std::expected<HeadScanner::Status, Refusal> HeadScanner::check_partial(
    std::string_view bytes, const HeadLimits& limits
) const
{
    const auto partial = bytes.substr(line_begin_);
    if (expected_ == Line::field) {
        if (bytes.size() - fields_begin_ > limits.header_bytes_max) {
            return std::unexpected(headers_too_large);
        }
    } else if (!partial.empty()) {
        // Something else than HTTP, TLS for instance, need not wait for the header deadline.
        const bool blank_line = partial == "\r" && expected_ == Line::blank;
        if (!blank_line && !is_token(partial.substr(0, 1))) {
            return std::unexpected(bad_request_line);
        }
        const auto length = partial.ends_with('\r') ? partial.size() - 1 : partial.size();
        if (length > limits.request_line_bytes_max) {
            return std::unexpected(uri_too_long);
        }
    }
    return Status::incomplete;
}

}  // namespace kit::http
