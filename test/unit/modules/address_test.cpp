#include "modules/auth/auth.hpp"
#include "platform/core/encoding.hpp"

#include <gtest/gtest.h>

namespace kit::auth {
namespace {

TEST(Address, AcceptsBareAddrSpecs)
{
    for (const auto* email :
         {"ada@example.com",
          "a.b+c@x-y.example",
          "ada@localhost",
          "!#$%&'*+-/=?^_`{|}~@x",
          "\"a b\"@example.com",
          "\"a\\\"b@c\"@example.com",
          "ada@[192.0.2.1]",
          "\xc3\xa4@b\xc3\xbc.example"}) {
        EXPECT_TRUE(is_address(email)) << email;
    }
    EXPECT_TRUE(is_address(std::string(243, 'a') + "@example.com")) << "255 characters";
}

TEST(Address, RefusesEverythingElse)
{
    for (const auto* email :
         {"",
          "ada",
          "@example.com",
          "ada@",
          "a b@example.com",
          "a..b@example.com",
          ".a@example.com",
          "a.@example.com",
          "ada@example..com",
          "ada@.com",
          "bob <bob@x.y>",
          "<a@b.c>",
          "a@b.c,",
          "a@b.c, d@e.f",
          "a@b@c",
          "\"a@example.com",
          "\"a\\\"@example.com",
          "ada@[1.2.3.4",
          "ada@[]",
          "ada@exa mple.com",
          "ada@example.com\n",
          "a\xff@b.c",
          "(comment)a@b.c"}) {
        EXPECT_FALSE(is_address(email)) << email;
    }
    EXPECT_FALSE(is_address(std::string(244, 'a') + "@example.com")) << "256 characters";
}

TEST(Address, Normalising)
{
    EXPECT_EQ(normalise_email("  Ada@Example.COM\n"), "ada@example.com");
    EXPECT_EQ(normalise_email(" \xc2\xa0 "), "");
    EXPECT_EQ(normalise_email("\u3000\uff21DA\uff20\u00c4.example"), "ada@\u00e4.example");
    EXPECT_EQ(normalise_name(" A\u030a\u2003"), "\u00c5");
    EXPECT_FALSE(is_address(normalise_email(std::string(5'000, 'a') + "@b.c")));
    EXPECT_GT(count_characters(normalise_name(std::string(5'000, 'a'))), name_characters_max);
}

TEST(OneTimeLink, SetsTokenInTheBasesQuery)
{
    const std::vector<std::pair<const char*, const char*>> cases{
        {"", "token=T-_"},
        {"http://localhost:3000/verify-email", "http://localhost:3000/verify-email?token=T-_"},
        {"http://a/b?", "http://a/b?token=T-_"},
        {"http://a/b?z=1&a=2", "http://a/b?a=2&token=T-_&z=1"},
        {"http://a/b?token=old&token=older", "http://a/b?token=T-_"},
        {"http://a/b?q=x%20y+z%2B%c3%a4", "http://a/b?q=x+y+z%2B%C3%A4&token=T-_"},
        {"http://a/b?x#page?y", "http://a/b?token=T-_&x=#page?y"},
    };
    for (const auto& [base, link] : cases) {
        EXPECT_EQ(one_time_link(base, "T-_"), link) << base;
    }
}

}  // namespace
}  // namespace kit::auth
