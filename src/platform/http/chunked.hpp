// The chunked transfer coding, RFC 9112 section 7.1, read strictly: no white space, no bare line ends, at
// most 16 digits a size.
#pragma once

#include "platform/http/head_guard.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace kit::http {

struct ChunkedLimits {
    std::size_t body_bytes_max;       // beyond: 413
    std::size_t extension_bytes_max;  // of all chunks together; beyond: 400
    std::size_t trailer_bytes_max;    // beyond: 431
};

// A machine fed with the bytes as they arrive, however they are cut. Extensions and trailers are checked and
// dropped: a trailer must never pass for a header.
class ChunkedDecoder {
public:
    explicit ChunkedDecoder(const ChunkedLimits& limits) : limits_(limits) {}

    // Appends the decoded bytes to `body` and returns how many of `bytes` were used: all of them until
    // done(), and then none beyond the body's end.
    std::expected<std::size_t, Refusal> feed(std::string_view bytes, std::string& body);

    bool done() const { return state_ == State::done; }

private:
    enum class State : std::uint8_t {
        size_first,
        size,
        extension_name_first,
        extension_name,
        extension_value_first,
        extension_token,
        extension_quoted,
        extension_escaped,
        extension_end,
        size_line_feed,
        data,
        data_return,
        data_line_feed,
        trailer_first,
        trailer_name,
        trailer_value,
        trailer_line_feed,
        end_line_feed,
        done,
    };

    std::optional<Refusal> step(char byte, std::size_t body_size);
    std::optional<Refusal> step_size(char byte);
    std::optional<Refusal> step_extension(char byte);
    std::optional<Refusal> step_trailer(char byte);
    std::optional<Refusal> after_extension(char byte);
    std::optional<Refusal> begin_chunk(std::size_t body_size);
    std::optional<Refusal> expect(char byte, char wanted, State next);

    ChunkedLimits limits_;
    std::uint64_t chunk_left_ = 0;
    std::size_t size_digits_ = 0;
    std::size_t extension_bytes_ = 0;
    std::size_t trailer_bytes_ = 0;
    State state_ = State::size_first;
};

}  // namespace kit::http
