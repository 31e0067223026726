#include "platform/core/unicode.hpp"

#include "platform/core/encoding.hpp"

#include <gtest/gtest.h>

namespace kit {
namespace {

std::string encode(char32_t letter)
{
    std::string out;
    if (letter < 0x80) {
        out += static_cast<char>(letter);
    } else if (letter < 0x800) {
        out += static_cast<char>(0xC0U | (letter >> 6U));
        out += static_cast<char>(0x80U | (letter & 0x3FU));
    } else if (letter < 0x10000) {
        out += static_cast<char>(0xE0U | (letter >> 12U));
        out += static_cast<char>(0x80U | ((letter >> 6U) & 0x3FU));
        out += static_cast<char>(0x80U | (letter & 0x3FU));
    } else {
        out += static_cast<char>(0xF0U | (letter >> 18U));
        out += static_cast<char>(0x80U | ((letter >> 12U) & 0x3FU));
        out += static_cast<char>(0x80U | ((letter >> 6U) & 0x3FU));
        out += static_cast<char>(0x80U | (letter & 0x3FU));
    }
    return out;
}

TEST(Unicode, NfkcIsOneSpelling)
{
    EXPECT_EQ(to_nfkc("Ada"), "Ada");
    EXPECT_EQ(to_nfkc("e\u0301"), "\u00e9") << "composed";
    EXPECT_EQ(to_nfkc("\uff21\uff44\uff41\uff20"), "Ada@") << "full-width forms";
    EXPECT_EQ(to_nfkc("\ufb01"), "fi") << "a ligature";
    EXPECT_EQ(to_nfkc("\u1100\u1161"), "\uac00") << "Hangul";
    EXPECT_EQ(to_nfkc("\U0001f600"), "\U0001f600");
    EXPECT_EQ(to_nfkc(""), "");
}

TEST(Unicode, LowerCase)
{
    EXPECT_EQ(to_nfkc_lower("ADA@Example.COM"), "ada@example.com");
    EXPECT_EQ(to_nfkc_lower("\u00c4\u00d6\u00dc"), "\u00e4\u00f6\u00fc");
    EXPECT_EQ(to_nfkc_lower("\u0391\u0398\u0397\u039d\u0391"), "\u03b1\u03b8\u03b7\u03bd\u03b1");
    EXPECT_EQ(to_nfkc_lower("\U0001d400"), "a") << "a capital behind a compatibility form";
    EXPECT_EQ(to_nfkc_lower("\u212a"), "k") << "the Kelvin sign";
    EXPECT_EQ(to_nfkc_lower("\u0131"), "\u0131") << "a dotless i is no i";
}

TEST(Unicode, IllFormedTextStaysAsItIs)
{
    EXPECT_EQ(to_nfkc("\xff"), "\xff");
    EXPECT_EQ(to_nfkc_lower("A\xc3"), "A\xc3");
}

// Of every letter but the tens of thousands of ideographs and syllables, which have no case.
TEST(Unicode, DoingItAgainChangesNothing)
{
    for (char32_t letter = 1; letter <= 0x1FFFF; ++letter) {
        if (letter >= 0x3400 && letter <= 0x9FFF) {
            letter = 0xA000;
        } else if (letter >= 0xAC00 && letter <= 0xDFFF) {
            letter = 0xE000;
        }
        const auto once = to_nfkc_lower(encode(letter));
        ASSERT_EQ(to_nfkc_lower(once), once) << "U+" << std::hex << static_cast<std::uint32_t>(letter);
        ASSERT_TRUE(is_utf8(once));
    }
}

}  // namespace
}  // namespace kit
