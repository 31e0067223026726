#include "platform/mail/mime.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace kit::mail {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(QuotedPrintable, EncodesWhatMailServersChange)
{
    EXPECT_EQ(quoted_printable("a=b"), "a=3Db");
    EXPECT_EQ(quoted_printable("a \nb\t"), "a=20\r\nb=09");
    EXPECT_EQ(quoted_printable("one\ntwo\r\nthree"), "one\r\ntwo\r\nthree");
    EXPECT_EQ(quoted_printable(".\n.x\na."), "=2E\r\n=2Ex\r\na.");
    EXPECT_EQ(quoted_printable("é\r"), "=C3=A9=0D");
    EXPECT_EQ(quoted_printable(""), "");
}

TEST(QuotedPrintable, KeepsLinesShort)
{
    for (std::size_t lead = 0; lead < 80; ++lead) {
        const auto encoded = quoted_printable(std::string(lead, 'x') + "é.. =" + std::string(200, '.'));
        std::size_t start = 0;
        while (start < encoded.size()) {
            const auto end = std::min(encoded.find("\r\n", start), encoded.size());
            EXPECT_LE(end - start, 76U) << encoded;
            EXPECT_NE(encoded[start], '.') << encoded;
            start = end + 2;
        }
    }
}

TEST(MailHeader, EncodesWhatIsNotPlain)
{
    EXPECT_EQ(encode_header("Confirm your address"), "Confirm your address");
    EXPECT_EQ(encode_header("Grüße"), "=?UTF-8?B?R3LDvMOfZQ==?=");
    EXPECT_THAT(encode_header("=?UTF-8?Q?x?="), StartsWith("=?UTF-8?B?"));
    EXPECT_EQ(encode_header("a\r\nBcc: b"), "a  Bcc: b");
}

TEST(MailHeader, FoldsBetweenWholeCharacters)
{
    std::string text;
    for (int count = 0; count < 40; ++count) {
        text += "€";
    }
    // 13 of three bytes each fit into a word.
    EXPECT_THAT(encode_header(text), HasSubstr("4oKs?=\r\n =?UTF-8?B?4oKs"));
}

TEST(Mime, IsAMessage)
{
    const auto message = to_mime(
        {.address = "no-reply@example.com", .name = "The \"Shop\"", .reply_to = "help@example.com"},
        {.message_id = "abc@example.com",
         .to = "ada@example.com",
         .subject = "Hi",
         .text = "Hello\n",
         .html = "<p>Hello</p>\n",
         .created_at = std::chrono::sys_days(std::chrono::year(2026) / 11 / 24)}
    );
    EXPECT_THAT(
        message,
        StartsWith("Date: Tue, 24 Nov 2026 00:00:00 +0000\r\n"
                   "From: \"The \\\"Shop\\\"\" <no-reply@example.com>\r\n"
                   "To: ada@example.com\r\nReply-To: help@example.com\r\nSubject: Hi\r\n"
                   "Message-ID: <abc@example.com>\r\n")
    );
    EXPECT_THAT(message, HasSubstr("Content-Type: text/plain; charset=utf-8\r\n"));
    EXPECT_THAT(message, HasSubstr("\r\n\r\n<p>Hello</p>\r\n"));
    for (std::size_t at = message.find('\n'); at != std::string::npos; at = message.find('\n', at + 1)) {
        EXPECT_EQ(message[at - 1], '\r');
    }
}

TEST(Mime, NoValueAddsAHeader)
{
    const auto message = to_mime(
        {.address = "a@b.c", .name = "x\r\nBcc: evil@example.com", .reply_to = {}},
        {.message_id = "m@b.c", .to = "d@e.f", .subject = "s\r\nBcc: evil@example.com", .text = {}, .html = {}
        }
    );
    EXPECT_THAT(message, Not(HasSubstr("\nBcc:")));
}

}  // namespace
}  // namespace kit::mail
