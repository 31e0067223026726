#include "modules/auth/auth.hpp"

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
}

}  // namespace
}  // namespace kit::auth
