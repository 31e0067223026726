#include "modules/auth/auth_mails_service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kit::auth {
namespace {

using testing::HasSubstr;

const Mails mails("Shop");
constexpr Timestamp noon = std::chrono::sys_days(std::chrono::year(2026) / 11 / 24) + std::chrono::hours(12);
const std::string link = "https://shop.example/verify?token=abc";

TEST(Mails, LinksAreSecretAndEndWithTheirTokens)
{
    const Mails::OneTimeLink one_time{.to = "ada@example.com", .link = link, .expires_at = noon};
    for (const auto& message : {mails.verification(one_time), mails.password_reset(one_time)}) {
        EXPECT_TRUE(message.secret) << message.kind;
        EXPECT_EQ(message.useless_after, noon);
        EXPECT_EQ(message.to, "ada@example.com");
        EXPECT_THAT(message.subject, HasSubstr("Shop"));
        EXPECT_THAT(message.text, HasSubstr("\n" + link + "\n"));
        EXPECT_THAT(message.text, HasSubstr("until Tue, 24 Nov 2026 12:00 UTC"));
        EXPECT_THAT(message.html, HasSubstr("href=\"" + link + "\""));
    }
}

TEST(Mails, NoticesHoldNoSecret)
{
    const Mails::Notice notice{.to = "ada@example.com", .at = noon};
    const auto device = mails.new_device(notice, {.name = "Firefox on <Linux>", .address = "192.0.2.1"});
    EXPECT_THAT(device.text, HasSubstr("Firefox on <Linux>"));
    EXPECT_THAT(device.html, HasSubstr("Firefox on &lt;Linux&gt;"));
    EXPECT_THAT(mails.sign_in_linked(notice, "Google").subject, HasSubstr("Google"));
    for (const auto& message :
         {device, mails.password_changed(notice), mails.sign_in_linked(notice, "Google")}) {
        EXPECT_FALSE(message.secret) << message.kind;
        EXPECT_FALSE(message.useless_after);
        EXPECT_THAT(message.text, HasSubstr("Tue, 24 Nov 2026 12:00 UTC"));
    }
}

}  // namespace
}  // namespace kit::auth
