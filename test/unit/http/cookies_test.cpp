#include "platform/http/cookies.hpp"

#include "platform/http/types.hpp"

#include <gtest/gtest.h>

namespace kit::http {
namespace {

TEST(SetCookie, AttributesInTheContractsOrder)
{
    const Cookie cookie{.name = "n", .value = "v", .path = "/p", .max_age = std::chrono::seconds(900)};
    EXPECT_EQ(
        set_cookie(cookie, {.domain = "example.com", .secure = true, .same_site = SameSite::none}),
        "n=v; Path=/p; Domain=example.com; Max-Age=900; HttpOnly; Secure; SameSite=None"
    );
    EXPECT_EQ(
        set_cookie(
            {.name = "n", .value = "", .path = "/", .http_only = false},
            {.secure = false, .same_site = SameSite::strict}
        ),
        "n=; Path=/; Max-Age=0; SameSite=Strict"
    );
}

TEST(RequestCookie, IsFoundByItsWholeName)
{
    Request request;
    request.headers = {{"Cookie", "xa=1; a=2;b=3;  c=\"4\"; a=5; =6; d"}, {"cookie", "e=7=8"}};
    EXPECT_EQ(request.cookie("a"), "2") << "the first one";
    EXPECT_EQ(request.cookie("xa"), "1");
    EXPECT_EQ(request.cookie("b"), "3");
    EXPECT_EQ(request.cookie("c"), "\"4\"");
    EXPECT_EQ(request.cookie("e"), "7=8");
    EXPECT_FALSE(request.cookie("d"));
    EXPECT_FALSE(request.cookie("A"));
    EXPECT_FALSE(request.cookie("x"));
}

}  // namespace
}  // namespace kit::http
