// Pictures for tests, made of their formats' parts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kit::test {

inline std::string big_endian(std::uint64_t number, std::size_t bytes)
{
    std::string text;
    for (auto byte = bytes; byte-- > 0;) {
        text += static_cast<char>(number >> (8 * byte) & 0xFFU);
    }
    return text;
}

// A chunk of a PNG; nobody here looks at its checksum.
inline std::string png_chunk(const std::string& type, const std::string& data)
{
    return big_endian(data.size(), 4) + type + data + "crc!";
}

struct PictureSize {
    std::uint32_t width = 64;
    std::uint32_t height = 64;
    std::size_t padding_bytes = 0;  // to make it larger
};

inline std::string png_signature()
{
    return "\x89PNG\r\n\x1A\n";
}

inline std::string png_header(PictureSize size)
{
    return png_chunk(
        "IHDR", big_endian(size.width, 4) + big_endian(size.height, 4) + std::string("\x8\x6\0\0\0", 5)
    );
}

inline std::string png(PictureSize size = {})
{
    return png_signature() + png_header(size) + png_chunk("IDAT", std::string(32 + size.padding_bytes, 'd')) +
           png_chunk("IEND", "");
}

inline std::string jpeg_segment(char marker, const std::string& data)
{
    return std::string("\xFF") + marker + big_endian(data.size() + 2, 2) + data;
}

inline std::string jpeg_frame(PictureSize size)
{
    const auto dimensions = big_endian(size.height, 2) + big_endian(size.width, 2);
    return jpeg_segment('\xC0', "\x8" + dimensions + std::string("\x1\x1\x11\0", 4));
}

// Compressed data holds stuffed 0xFFs and restart markers.
inline std::string jpeg(PictureSize size = {})
{
    const auto scan = jpeg_segment('\xDA', std::string("\x1\x1\0\0\x3F\0", 6)) + "scan" +
                      std::string("\xFF\0", 2) + "more\xFF\xD0" + std::string(16 + size.padding_bytes, 's');
    return "\xFF\xD8" + jpeg_segment('\xE0', std::string("JFIF\0\x1\x1\0\0\x1\0\x1\0\0", 14)) +
           jpeg_segment('\xFE', "a comment with \xFF\xD9 in it") + jpeg_frame(size) +
           jpeg_segment('\xC4', "tables") + scan + "\xFF\xD9";
}

inline constexpr std::string_view form_boundary = "----form-boundary-of-a-test";

inline std::string form_type()
{
    return "multipart/form-data; boundary=" + std::string(form_boundary);
}

// One part of a form, without the delimiter after it.
inline std::string form_part(
    const std::string& disposition, const std::string& content, const std::string& type = ""
)
{
    return "--" + std::string(form_boundary) + "\r\nContent-Disposition: form-data; " + disposition +
           (type.empty() ? "" : "\r\nContent-Type: " + type) + "\r\n\r\n" + content + "\r\n";
}

inline std::string form_end()
{
    return "--" + std::string(form_boundary) + "--\r\n";
}

// What a browser sends for a file input named `avatar`.
inline std::string avatar_form(const std::string& content, const std::string& type = "image/png")
{
    return form_part("name=\"avatar\"; filename=\"me.png\"", content, type) + form_end();
}

}  // namespace kit::test
