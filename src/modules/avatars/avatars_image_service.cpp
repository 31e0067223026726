#include "modules/avatars/avatars_image_service.hpp"

#include <algorithm>
#include <utility>

namespace kit::avatars {

namespace {

constexpr std::string_view jpeg_begin = "\xFF\xD8\xFF";
constexpr std::string_view png_begin = "\x89PNG\r\n\x1A\n";
constexpr std::uint32_t png_chunk_bytes_max = 0x7FFFFFFF;  // PNG 5.3
constexpr std::size_t png_header_bytes = 13;               // of IHDR's data
constexpr std::size_t png_checksum_bytes = 4;
constexpr std::size_t jpeg_frame_bytes = 6;  // of a frame header's data: precision, height, width, components

constexpr std::uint8_t start_of_image = 0xD8;
constexpr std::uint8_t end_of_image = 0xD9;
constexpr std::uint8_t start_of_scan = 0xDA;
constexpr std::uint8_t stuffing = 0x00;

bool is_restart(std::uint8_t marker)
{
    return marker >= 0xD0 && marker <= 0xD7;
}

// SOF0 to SOF15 without DHT, JPG and DAC, which stand between them: ITU-T T.81, table B.1.
bool is_frame(std::uint8_t marker)
{
    return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

bool is_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

}  // namespace

std::string_view content_type(ImageType type)
{
    return type == ImageType::png ? "image/png" : "image/jpeg";
}

std::string_view extension(ImageType type)
{
    return type == ImageType::png ? "png" : "jpg";
}

std::optional<ImageType> ImageReader::whole() const
{
    const bool complete = fault_ == Fault::none && state_ == State::end && header_.empty() && to_skip_ == 0;
    return complete ? type_ : std::nullopt;
}

void ImageReader::await(State state, std::size_t bytes)
{
    state_ = state;
    header_bytes_ = bytes;
}

std::uint32_t ImageReader::big_endian(std::size_t at, std::size_t bytes) const
{
    std::uint32_t number = 0;
    for (const char byte : std::string_view(header_).substr(at, bytes)) {
        number = number << 8U | static_cast<std::uint8_t>(byte);
    }
    return number;
}

void ImageReader::feed(std::string_view bytes)
{
    while (!bytes.empty() && fault_ == Fault::none) {
        if (to_skip_ > 0) {
            const auto skipped = std::min<std::uint64_t>(to_skip_, bytes.size());
            to_skip_ -= skipped;
            bytes.remove_prefix(skipped);
        } else if (state_ == State::jpeg_scan) {
            skip_scan(bytes);
        } else {
            const auto part = bytes.substr(0, header_bytes_ - header_.size());
            header_ += part;
            bytes.remove_prefix(part.size());
            if (header_.size() == header_bytes_) {
                step();
            }
        }
    }
}

// A header is complete.
void ImageReader::step()
{
    switch (state_) {
        case State::signature:
            read_signature();
            break;
        case State::png_chunk:
            read_png_chunk();
            break;
        case State::png_header:
            read_png_header();
            break;
        case State::jpeg_marker:
            read_jpeg_marker();
            break;
        case State::jpeg_length:
            read_jpeg_length();
            break;
        case State::jpeg_frame:
            read_jpeg_frame();
            break;
        case State::end:
            // What follows a picture is another one or does not belong to it. A JPEG's first three bytes
            // tell.
            if (type_ == ImageType::png || header_ != jpeg_begin) {
                fault_ = Fault::not_an_image;
                break;
            }
            framed_ = scanned_ = false;
            header_ = "\xFF";
            await(State::jpeg_marker, 2);
            return;
        case State::jpeg_scan:
            std::unreachable();
    }
}

void ImageReader::read_signature()
{
    if (header_ == jpeg_begin) {
        type_ = ImageType::jpeg;
        // The third byte begins a marker.
        header_ = "\xFF";
        await(State::jpeg_marker, 2);
        return;
    }
    if (header_ == png_begin) {
        type_ = ImageType::png;
        header_.clear();
        await(State::png_chunk, 8);
        return;
    }
    if (png_begin.starts_with(header_)) {
        header_bytes_ = png_begin.size();
        return;
    }
    fault_ = Fault::not_an_image;
}

// Length and type; behind them its data and a checksum. PNG, third edition, section 5.3.
void ImageReader::read_png_chunk()
{
    const auto length = big_endian(0, 4);
    const auto type = header_.substr(4);
    const bool sound = length <= png_chunk_bytes_max && std::ranges::all_of(type, is_letter);
    const bool expected = framed_ ? type != "IHDR" : type == "IHDR" && length == png_header_bytes;
    const bool last = type == "IEND";
    if (!sound || !expected || (last && (length != 0 || !scanned_))) {
        fault_ = Fault::not_an_image;
        return;
    }
    scanned_ = scanned_ || type == "IDAT";
    header_.clear();
    if (!framed_) {
        await(State::png_header, png_header_bytes);
        return;
    }
    skip(std::uint64_t{length} + png_checksum_bytes);
    await(last ? State::end : State::png_chunk, last ? 1 : 8);
}

void ImageReader::read_png_header()
{
    framed_ = true;
    check_size(big_endian(0, 4), big_endian(4, 4));
    header_.clear();
    skip(png_checksum_bytes);
    await(State::png_chunk, 8);
}

// 0xFF, any number of times, and the marker's code: ITU-T T.81, B.1.1.2.
void ImageReader::read_jpeg_marker()
{
    marker_ = static_cast<std::uint8_t>(header_[1]);
    if (header_[0] != '\xFF' || marker_ == stuffing || marker_ == start_of_image || is_restart(marker_)) {
        fault_ = Fault::not_an_image;
        return;
    }
    if (marker_ == 0xFF) {
        header_ = "\xFF";
        return;
    }
    header_.clear();
    if (marker_ != end_of_image) {
        await(State::jpeg_length, 2);
    } else if (scanned_) {
        await(State::end, jpeg_begin.size());
    } else {
        fault_ = Fault::not_an_image;
    }
}

void ImageReader::read_jpeg_length()
{
    const auto length = big_endian(0, 2);  // its own two bytes included
    const bool frame = is_frame(marker_);
    if (length < 2 + (frame ? jpeg_frame_bytes : 0) || (marker_ == start_of_scan && !framed_)) {
        fault_ = Fault::not_an_image;
        return;
    }
    header_.clear();
    if (frame) {
        await(State::jpeg_frame, jpeg_frame_bytes);
        to_skip_after_ = length - 2 - jpeg_frame_bytes;
        return;
    }
    skip(length - 2);
    if (marker_ == start_of_scan) {
        scanned_ = true;
        state_ = State::jpeg_scan;
    } else {
        await(State::jpeg_marker, 2);
    }
}

void ImageReader::read_jpeg_frame()
{
    framed_ = true;
    check_size(big_endian(3, 2), big_endian(1, 2));
    header_.clear();
    skip(to_skip_after_);
    await(State::jpeg_marker, 2);
}

// Compressed data, up to a marker that is neither a stuffed 0xFF nor a restart.
void ImageReader::skip_scan(std::string_view& bytes)
{
    if (header_.empty()) {
        const auto at = std::min(bytes.find('\xFF'), bytes.size());
        bytes.remove_prefix(at);
        if (!bytes.empty()) {
            header_ = "\xFF";
            bytes.remove_prefix(1);
        }
        return;
    }
    const auto code = static_cast<std::uint8_t>(bytes.front());
    if (code == stuffing || is_restart(code)) {
        header_.clear();
        bytes.remove_prefix(1);
        return;
    }
    await(State::jpeg_marker, 2);  // with the 0xFF that is there already
}

void ImageReader::check_size(std::uint64_t width, std::uint64_t height)
{
    if (width == 0 || height == 0) {
        fault_ = Fault::not_an_image;
    } else if (width * height > pixels_max) {
        fault_ = Fault::too_many_pixels;
    }
}

}  // namespace kit::avatars
