#include "platform/mail/page.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kit::mail {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(MailPage, SaysTheSameInTextAndHtml)
{
    const auto page =
        Page("Shop", "Confirm").paragraph("Is it you?").link("Yes", "https://a.example/?x=1&y=2");
    EXPECT_EQ(page.text(), "Confirm\n\nIs it you?\n\nYes:\nhttps://a.example/?x=1&y=2\n\n-- \nShop\n");
    EXPECT_THAT(page.html(), HasSubstr("<a href=\"https://a.example/?x=1&amp;y=2\""));
    EXPECT_THAT(page.html(), HasSubstr("Is it you?"));
}

TEST(MailPage, NoValueBecomesMarkupOrALine)
{
    const auto page =
        Page("<b>", "\"'&").fact("Device", "<script>\nalert(1)</script>").link("x", "https://a/\"><img>");
    EXPECT_THAT(page.html(), Not(HasSubstr("<script>")));
    EXPECT_THAT(page.html(), Not(HasSubstr("<img>")));
    EXPECT_THAT(page.html(), Not(HasSubstr("<b>")));
    EXPECT_THAT(page.html(), HasSubstr("<title>&quot;&#39;&amp;</title>"));
    EXPECT_THAT(page.text(), HasSubstr("Device: <script> alert(1)</script>\n"));
}

TEST(MailPage, OnlyWebLinksAreClickable)
{
    EXPECT_THAT(Page("p", "t").link("x", "javascript:alert(1)").html(), Not(HasSubstr("href")));
    EXPECT_THAT(Page("p", "t").link("x", "token=abc").html(), HasSubstr("<code>token=abc</code>"));
}

}  // namespace
}  // namespace kit::mail
