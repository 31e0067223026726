#include "platform/http/html.hpp"

#include <gtest/gtest.h>

#include <type_traits>

namespace kit::http {

namespace {

// Markup is made from literals alone: text that came in at run time does not compile where markup is wanted.
static_assert(!std::is_constructible_v<Markup, std::string>);
static_assert(!std::is_constructible_v<Markup, std::string_view>);
static_assert(!std::is_constructible_v<Markup, const char*>);

TEST(Html, WritesADocument)
{
    Html html;
    html.open("html", {{"lang", "en"}}).open("body");
    html.element("h1", "Hello").single("input", {{"name", "a"}, {"required"}});
    EXPECT_EQ(
        std::move(html).finish(),
        "<!doctype html>\n<html lang=\"en\"><body><h1>Hello</h1>\n<input name=\"a\" "
        "required=\"\">\n</body>\n</html>\n"
    );
}

TEST(Html, TextCannotBecomeMarkup)
{
    Html html;
    html.element("p", "<script>alert('1')</script> & \"more\"");
    EXPECT_EQ(
        std::move(html).finish(),
        "<!doctype html>\n<p>&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;more&quot;</p>\n"
    );
}

TEST(Html, AValueCannotLeaveItsAttribute)
{
    Html html;
    html.single("input", {{"value", R"("><img src=x onerror='alert(1)'>)"}});
    EXPECT_EQ(
        std::move(html).finish(),
        "<!doctype html>\n<input value=\"&quot;&gt;&lt;img src=x onerror=&#39;alert(1)&#39;&gt;\">\n"
    );
}

TEST(Html, WhatIsAbsentIsLeftOut)
{
    Html html;
    html.single("input", {{"value", "x", false}, {"autofocus", "", true}});
    EXPECT_EQ(std::move(html).finish(), "<!doctype html>\n<input autofocus=\"\">\n");
}

}  // namespace

}  // namespace kit::http
