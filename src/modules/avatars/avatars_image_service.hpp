// Whether bytes are a whole picture of an allowed type and size, from its structure alone: nothing is
// decoded, so a picture that only decoders find broken passes, and none costs more than its bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kit::avatars {

enum class ImageType : std::uint8_t { jpeg, png };

std::string_view content_type(ImageType type);
std::string_view extension(ImageType type);

// Fed while the bytes arrive, however they are cut. Keeps no more than a header of them.
class ImageReader {
public:
    // A browser that shows it needs four bytes for each.
    static constexpr std::uint64_t pixels_max = 40'000'000;

    enum class Fault : std::uint8_t {
        none,
        not_an_image,  // neither type, or broken, or followed by something else
        too_many_pixels,
    };

    void feed(std::string_view bytes);

    // Of what was fed so far; no more bytes can mend it.
    Fault fault() const { return fault_; }

    // The type, once the bytes are a whole picture and nothing but it. Or several JPEG pictures in a row, as
    // cameras write them (CIPA DC-007).
    std::optional<ImageType> whole() const;

private:
    enum class State : std::uint8_t {
        signature,
        png_chunk,
        png_header,
        jpeg_marker,
        jpeg_length,
        jpeg_frame,
        jpeg_scan,
        end,  // of a picture
    };

    void step();
    void read_signature();
    void read_png_chunk();
    void read_png_header();
    void read_jpeg_marker();
    void read_jpeg_length();
    void read_jpeg_frame();
    void skip_scan(std::string_view& bytes);
    void check_size(std::uint64_t width, std::uint64_t height);
    void await(State state, std::size_t bytes);

    void skip(std::uint64_t bytes) { to_skip_ = bytes; }

    std::uint32_t big_endian(std::size_t at, std::size_t bytes) const;

    State state_ = State::signature;
    Fault fault_ = Fault::none;
    std::optional<ImageType> type_;
    std::string header_;            // of the piece that is being read
    std::size_t header_bytes_ = 3;  // that it has when it is complete
    std::uint64_t to_skip_ = 0;
    std::uint64_t to_skip_after_ = 0;  // of a frame header, behind what is looked at
    std::uint8_t marker_ = 0;
    bool framed_ = false;   // the size is known
    bool scanned_ = false;  // there is something to see
};

}  // namespace kit::avatars
