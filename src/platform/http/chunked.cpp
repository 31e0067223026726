#include "platform/http/chunked.hpp"

#include <algorithm>

namespace kit::http {

namespace {

constexpr std::size_t size_digits_max = 16;  // 64 bits

constexpr Refusal bad_chunk{ErrorCode::invalid_input, "malformed chunked body"};

std::optional<std::uint64_t> hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return static_cast<std::uint64_t>(byte - '0');
    }
    if (byte >= 'a' && byte <= 'f') {
        return static_cast<std::uint64_t>(byte - 'a' + 10);
    }
    if (byte >= 'A' && byte <= 'F') {
        return static_cast<std::uint64_t>(byte - 'A' + 10);
    }
    return std::nullopt;
}

bool is_token_byte(char byte)
{
    return is_token(std::string_view(&byte, 1));
}

bool is_text_byte(char byte)
{
    return is_field_value(std::string_view(&byte, 1));
}

}  // namespace

std::expected<std::size_t, Refusal> ChunkedDecoder::feed(std::string_view bytes, std::string& body)
{
    std::size_t used = 0;
    while (used < bytes.size() && state_ != State::done) {
        if (state_ == State::data) {
            const auto piece = bytes.substr(used, std::min<std::uint64_t>(chunk_left_, bytes.size() - used));
            body.append(piece);
            used += piece.size();
            chunk_left_ -= piece.size();
            if (chunk_left_ == 0) {
                state_ = State::data_return;
            }
            continue;
        }
        if (const auto refusal = step(bytes[used], body.size())) {
            return std::unexpected(*refusal);
        }
        ++used;
    }
    return used;
}

std::optional<Refusal> ChunkedDecoder::step(char byte, std::size_t body_size)
{
    switch (state_) {
        case State::size_first:
        case State::size:
            return step_size(byte);
        case State::size_line_feed:
            return byte == '\n' ? begin_chunk(body_size) : bad_chunk;
        case State::data_return:
            return expect(byte, '\r', State::data_line_feed);
        case State::data_line_feed:
            size_digits_ = 0;
            return expect(byte, '\n', State::size_first);
        case State::extension_name_first:
        case State::extension_name:
        case State::extension_value_first:
        case State::extension_token:
        case State::extension_quoted:
        case State::extension_escaped:
        case State::extension_end:
            return step_extension(byte);
        case State::trailer_first:
        case State::trailer_name:
        case State::trailer_value:
        case State::trailer_line_feed:
        case State::end_line_feed:
            return step_trailer(byte);
        case State::data:
        case State::done:
            break;
    }
    return bad_chunk;
}

std::optional<Refusal> ChunkedDecoder::expect(char byte, char wanted, State next)
{
    if (byte != wanted) {
        return bad_chunk;
    }
    state_ = next;
    return std::nullopt;
}

std::optional<Refusal> ChunkedDecoder::step_size(char byte)
{
    if (const auto digit = hex_digit(byte)) {
        if (++size_digits_ > size_digits_max) {
            return bad_chunk;
        }
        chunk_left_ = chunk_left_ * 16 + *digit;
        state_ = State::size;
        return std::nullopt;
    }
    if (state_ != State::size) {
        return bad_chunk;
    }
    extension_bytes_ += byte == ';' ? 1 : 0;
    return after_extension(byte);
}

// After the size, or after a whole extension: another extension or the line's end.
std::optional<Refusal> ChunkedDecoder::after_extension(char byte)
{
    return byte == ';' ? expect(byte, ';', State::extension_name_first)
                       : expect(byte, '\r', State::size_line_feed);
}

std::optional<Refusal> ChunkedDecoder::begin_chunk(std::size_t body_size)
{
    if (chunk_left_ > limits_.body_bytes_max || body_size > limits_.body_bytes_max - chunk_left_) {
        return Refusal{ErrorCode::payload_too_large, "request body too large"};
    }
    state_ = chunk_left_ == 0 ? State::trailer_first : State::data;
    return std::nullopt;
}

std::optional<Refusal> ChunkedDecoder::step_extension(char byte)
{
    if (byte != '\r' && ++extension_bytes_ > limits_.extension_bytes_max) {
        return Refusal{ErrorCode::invalid_input, "chunk extensions too long"};
    }
    switch (state_) {
        case State::extension_name_first:
        case State::extension_name:
            if (is_token_byte(byte)) {
                state_ = State::extension_name;
                return std::nullopt;
            }
            if (state_ == State::extension_name_first) {
                return bad_chunk;
            }
            return byte == '=' ? expect(byte, '=', State::extension_value_first) : after_extension(byte);
        case State::extension_value_first:
            if (byte == '"') {
                return expect(byte, '"', State::extension_quoted);
            }
            state_ = State::extension_token;
            return is_token_byte(byte) ? std::nullopt : std::optional(bad_chunk);
        case State::extension_token:
            return is_token_byte(byte) ? std::nullopt : after_extension(byte);
        case State::extension_quoted:
            if (byte == '"') {
                return expect(byte, '"', State::extension_end);
            }
            state_ = byte == '\\' ? State::extension_escaped : State::extension_quoted;
            return is_text_byte(byte) ? std::nullopt : std::optional(bad_chunk);
        case State::extension_escaped:
            state_ = State::extension_quoted;
            return is_text_byte(byte) ? std::nullopt : std::optional(bad_chunk);
        default:
            return after_extension(byte);
    }
}

std::optional<Refusal> ChunkedDecoder::step_trailer(char byte)
{
    if (++trailer_bytes_ > limits_.trailer_bytes_max) {
        return Refusal{ErrorCode::headers_too_large, "trailers too large"};
    }
    switch (state_) {
        case State::trailer_first:
            if (byte == '\r') {
                return expect(byte, '\r', State::end_line_feed);
            }
            state_ = State::trailer_name;
            return is_token_byte(byte) ? std::nullopt : std::optional(bad_chunk);
        case State::trailer_name:
            if (byte == ':') {
                return expect(byte, ':', State::trailer_value);
            }
            return is_token_byte(byte) ? std::nullopt : std::optional(bad_chunk);
        case State::trailer_value:
            if (byte == '\r') {
                return expect(byte, '\r', State::trailer_line_feed);
            }
            return is_text_byte(byte) ? std::nullopt : std::optional(bad_chunk);
        case State::end_line_feed:
            return expect(byte, '\n', State::done);
        default:
            return expect(byte, '\n', State::trailer_first);
    }
}

}  // namespace kit::http
