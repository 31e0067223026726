#include "modules/avatars/avatars_image_service.hpp"
#include "support/images.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace kit::avatars {
namespace {

using Fault = ImageReader::Fault;
using test::jpeg;
using test::png;

ImageReader read(std::string_view bytes, std::size_t step)
{
    ImageReader reader;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        reader.feed(bytes.substr(at, step));
    }
    return reader;
}

std::optional<ImageType> type_of(std::string_view bytes)
{
    const auto whole = read(bytes, bytes.size() + 1).whole();
    EXPECT_EQ(read(bytes, 1).whole(), whole) << "however it is cut";
    EXPECT_EQ(read(bytes, 3).whole(), whole) << "however it is cut";
    return whole;
}

TEST(Images, WholePicturesOfBothTypes)
{
    EXPECT_EQ(type_of(png()), ImageType::png);
    EXPECT_EQ(type_of(png({.padding_bytes = 100'000})), ImageType::png);
    EXPECT_EQ(type_of(jpeg()), ImageType::jpeg);
    EXPECT_EQ(type_of(jpeg({.padding_bytes = 100'000})), ImageType::jpeg);
    EXPECT_EQ(type_of(jpeg() + jpeg()), ImageType::jpeg) << "as cameras write them";
    const auto filled = "\xFF\xD8\xFF\xFF" + jpeg().substr(3);
    EXPECT_EQ(type_of(filled), ImageType::jpeg) << "markers may be filled up";
}

TEST(Images, EveryPrefixIsTruncated)
{
    for (const auto& image : {png(), jpeg()}) {
        for (std::size_t size = 0; size < image.size(); ++size) {
            EXPECT_FALSE(type_of(std::string_view(image).substr(0, size))) << size;
        }
    }
}

TEST(Images, NothingMayFollow)
{
    for (const std::string tail : {"x", "PK\x3\x4", "\xFF", "\xFF\xD8", "<script>", "\xFF\xD9"}) {
        EXPECT_FALSE(type_of(png() + tail)) << tail;
        EXPECT_FALSE(type_of(jpeg() + tail)) << tail;
    }
    EXPECT_FALSE(type_of(png() + png()));
    EXPECT_FALSE(type_of(png() + jpeg()));
    EXPECT_FALSE(type_of(jpeg() + png()));
}

TEST(Images, PixelsAreCountedFromTheHeaderAlone)
{
    for (const auto& large :
         {png({.width = 50'000, .height = 50'000}),
          png({.width = 0x7FFFFFFF, .height = 0x7FFFFFFF}),
          png({.width = 8'000, .height = 5'001}),
          jpeg({.width = 65'535, .height = 65'535})}) {
        EXPECT_EQ(read(large, 16).fault(), Fault::too_many_pixels);
        EXPECT_FALSE(type_of(large));
    }
    EXPECT_EQ(
        read(png({.width = 50'000, .height = 50'000}).substr(0, 29), 64).fault(), Fault::too_many_pixels
    );
    EXPECT_EQ(type_of(png({.width = 8'000, .height = 5'000})), ImageType::png);
    EXPECT_EQ(read(png({.width = 0, .height = 1}), 64).fault(), Fault::not_an_image);
    EXPECT_EQ(read(jpeg({.width = 1, .height = 0}), 64).fault(), Fault::not_an_image);
    EXPECT_FALSE(type_of(jpeg() + jpeg({.width = 50'000, .height = 50'000}))) << "each picture of several";
}

TEST(Images, BrokenStructures)
{
    using test::jpeg_frame;
    using test::jpeg_segment;
    using test::png_chunk;
    const auto head = test::png_signature() + test::png_header({});
    const std::string begin = "\xFF\xD8";
    const std::string end = "\xFF\xD9";
    const std::vector<std::string> broken{
        "",
        "GIF89a",
        "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>",
        "RIFF\x10\0\0\0WEBPVP8 ",
        "\x89PNG\r\n\x1A\r",
        test::png_signature() + png_chunk("IDAT", "x") + png_chunk("IEND", ""),
        test::png_signature() + png_chunk("IHDR", "short") + png_chunk("IDAT", "x") + png_chunk("IEND", ""),
        head + png_chunk("IEND", ""),
        head + test::png_header({}) + png_chunk("IDAT", "x") + png_chunk("IEND", ""),
        head + png_chunk("ID4T", "x") + png_chunk("IEND", ""),
        head + png_chunk("IDAT", "x") + png_chunk("IEND", "x"),
        head + "\xFF\xFF\xFF\xFFIDAT",
        begin + end,
        begin + jpeg_frame({}) + end,
        begin + jpeg_segment('\xDA', "scan") + "x" + end,
        begin + jpeg_segment('\xC0', "x") + jpeg_segment('\xDA', "scan") + end,
        begin + "\xFF\xE0" + std::string("\0\1", 2) + jpeg_frame({}) + jpeg_segment('\xDA', "scan") + end,
        begin + begin + jpeg().substr(2),
        begin + "x",
    };
    for (const auto& bytes : broken) {
        EXPECT_FALSE(type_of(bytes)) << bytes.substr(0, 40);
    }
}

}  // namespace
}  // namespace kit::avatars
