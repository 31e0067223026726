#include "platform/core/encoding.hpp"

#include <gtest/gtest.h>

#include <random>

namespace kit {
namespace {

TEST(Base64Url, Rfc4648Vectors)
{
    const std::vector<std::pair<std::string, std::string>> vectors{
        {"", ""},
        {"f", "Zg"},
        {"fo", "Zm8"},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg"},
        {"fooba", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy"},
        {"\xfb\xff", "-_8"},
    };
    for (const auto& [bytes, text] : vectors) {
        EXPECT_EQ(base64url_encode(bytes), text);
        EXPECT_EQ(base64url_decode(text), bytes);
    }
    EXPECT_EQ(base64_encode("fo"), "Zm8=");
    EXPECT_EQ(base64_encode("f"), "Zg==");
    EXPECT_EQ(base64_encode("\xfb\xff\xfe"), "+//+");
    for (const std::string_view bytes : {"", "f", "fo", "foo", "\xfb\xff\xfe"}) {
        EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
    }
    for (const auto* text : {"Zg", "Zg=", "Zg===", "====", "Zh==", "-__-", "Z=g="}) {
        EXPECT_FALSE(base64_decode(text)) << text;
    }
}

TEST(Base64Url, RefusesWhatIsNotCanonical)
{
    for (const auto* text : {"Zg==", "Z", "Zh", "Zm9", "Zm+v", "Zm/v", "Zm v", "Zm9v\n", "Zg=", "====="}) {
        EXPECT_FALSE(base64url_decode(text)) << text;
    }
}

TEST(Hex, RoundTrip)
{
    EXPECT_EQ(hex_encode(std::string_view("\x00\x7f\xff", 3)), "007fff");
    EXPECT_EQ(hex_decode("007fFF"), std::string("\x00\x7f\xff", 3));
    EXPECT_FALSE(hex_decode("0"));
    EXPECT_FALSE(hex_decode("0g"));
}

TEST(Percent, Decoding)
{
    EXPECT_EQ(percent_decode("a%20b+c"), "a b+c");
    EXPECT_EQ(percent_decode("a+b%2B", true), "a b+");
    EXPECT_EQ(percent_decode("%31%2f"), "1/");
    for (const auto* text : {"%", "%1", "%g1", "%1g", "a%"}) {
        EXPECT_FALSE(percent_decode(text)) << text;
    }
    EXPECT_EQ(percent_encode("a b/~\xff"), "a%20b%2F~%FF");
}

TEST(Form, Pairs)
{
    const auto pairs = parse_form("a=1&b=x+y&&c&d=%zz&e=1;f=2&a=2&=v");
    ASSERT_EQ(pairs.size(), 5);
    EXPECT_EQ(pairs[0], std::pair(std::string("a"), std::string("1")));
    EXPECT_EQ(pairs[1].second, "x y");
    EXPECT_EQ(pairs[2], std::pair(std::string("c"), std::string("")));
    EXPECT_EQ(pairs[3].second, "2");
    EXPECT_EQ(pairs[4].first, "");
}

TEST(Utf8, Validity)
{
    for (const auto* text :
         {"",
          "a",
          "\xc2\x80",
          "\xdf\xbf",
          "\xe0\xa0\x80",
          "\xed\x9f\xbf",
          "\xef\xbf\xbf",
          "\xf0\x90\x80\x80",
          "\xf4\x8f\xbf\xbf"}) {
        EXPECT_TRUE(is_utf8(text)) << hex_encode(text);
        EXPECT_EQ(to_valid_utf8(text), text);
    }
    for (const auto* text :
         {"\x80",
          "\xc0\x80",
          "\xc1\xbf",
          "\xc2",
          "\xe0\x9f\xbf",
          "\xed\xa0\x80",
          "\xf0\x8f\xbf\xbf",
          "\xf4\x90\x80\x80",
          "\xf5",
          "\xff",
          "a\xe2\x82"}) {
        EXPECT_FALSE(is_utf8(text)) << hex_encode(text);
        EXPECT_TRUE(is_utf8(to_valid_utf8(text)));
    }
    EXPECT_EQ(to_valid_utf8("a\xe2\x82z\xff"), "a\xef\xbf\xbdz\xef\xbf\xbd");
}

TEST(Utf8, AnyBytesBecomeValid)
{
    std::mt19937 random(7);
    for (int round = 0; round < 5000; ++round) {
        std::string bytes(random() % 12, '\0');
        for (auto& byte : bytes) {
            byte = static_cast<char>(random());
        }
        const auto text = to_valid_utf8(bytes);
        ASSERT_TRUE(is_utf8(text)) << hex_encode(bytes);
        ASSERT_EQ(text == bytes, is_utf8(bytes)) << hex_encode(bytes);
    }
}

TEST(Utf8, CountAndTruncate)
{
    EXPECT_EQ(count_characters("a\xc3\xa4\xf0\x9f\x98\x80"), 3);
    EXPECT_EQ(truncate_characters("a\xc3\xa4\xf0\x9f\x98\x80z", 2), "a\xc3\xa4");
    EXPECT_EQ(truncate_characters("ab", 5), "ab");
    EXPECT_EQ(truncate_characters("ab", 0), "");
}

TEST(Trim, UnicodeWhiteSpace)
{
    EXPECT_EQ(trim(" \t\n\xc2\xa0\xe3\x80\x80 a b \xe2\x80\xa8\r"), "a b");
    EXPECT_EQ(trim(" \xe3\x80\x80"), "");
    EXPECT_EQ(trim(""), "");
    EXPECT_EQ(trim("\xc3\xa4"), "\xc3\xa4");
    EXPECT_EQ(trim("x\x80"), "x\x80") << "ill-formed bytes are no white space";
}

TEST(Ascii, Case)
{
    EXPECT_EQ(to_lower("AbZ\xc3\x84"), "abz\xc3\x84");
    EXPECT_TRUE(equal_ignoring_case("X-Csrf", "x-cSRF"));
    EXPECT_FALSE(equal_ignoring_case("a", "ab"));
    EXPECT_FALSE(equal_ignoring_case("[", "{"));
}

}  // namespace
}  // namespace kit
