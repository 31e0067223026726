// multipart/form-data (RFC 7578, RFC 2046 section 5.1), read while it arrives: never more than a part's head
// or a delimiter's length of it is kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kit::http {

// What a part's head says of it.
struct PartHead {
    std::string name;      // of the form's field
    bool is_file = false;  // it has a filename; which one is nobody's business
    std::string content_type;
};

// The boundary that a Content-Type of multipart/form-data names; nothing for any other type, or where it
// names none that RFC 2046 allows.
std::optional<std::string> multipart_boundary(std::string_view content_type);

class MultipartReader {
public:
    static constexpr std::size_t head_bytes_max = 8UL * 1024;  // of one part
    static constexpr std::size_t parts_max = 32;
    static constexpr std::size_t padding_bytes_max = 64;  // white space behind a delimiter

    // Told of the parts, in order.
    class Sink {
    public:
        Sink() = default;
        Sink(const Sink&) = delete;
        Sink& operator=(const Sink&) = delete;
        virtual ~Sink() = default;

        virtual void on_part(PartHead head) = 0;
        virtual void on_data(std::string_view bytes) = 0;  // of the part that began last
    };

    explicit MultipartReader(std::string_view boundary);

    // The next bytes of the body, however they are cut. False: malformed, or beyond a limit; so is the rest.
    bool feed(std::string_view bytes, Sink& sink);

    // Whether the last delimiter has been read. What comes after it is dropped.
    bool done() const { return state_ == State::epilogue; }

private:
    enum class State : std::uint8_t { preamble, delimiter, head, data, epilogue, broken };
    // What a step found: it may go on at once, needs more bytes, or cannot go on.
    enum class Step : std::uint8_t { again, starved, broken };

    Step step(Sink& sink);
    Step read_content(Sink& sink);
    Step read_delimiter();
    Step read_head(Sink& sink);

    std::string delimiter_;  // CRLF "--" boundary
    std::string pending_;    // not yet understood
    State state_ = State::preamble;
    std::size_t parts_ = 0;
};

}  // namespace kit::http
