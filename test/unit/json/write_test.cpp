#include "unit/json/samples.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace kit::json {
namespace {

using namespace std::chrono_literals;
using samples::Color;
using samples::Everything;
using samples::Item;

TEST(JsonWrite, DoubleIsShortestAndHasAnExponentOnlyAtTheEnds)
{
    const std::pair<double, std::string_view> cases[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-1.5, "-1.5"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {19.99, "19.99"},
        {100, "100"},
        {1e6, "1000000"},
        {1e-6, "0.000001"},
        {0.0000012345678901234567, "0.0000012345678901234567"},
        {9.99e-7, "9.99e-7"},
        {1e-7, "1e-7"},
        {-1.25e-10, "-1.25e-10"},
        {9007199254740991, "9007199254740991"},
        {9007199254740994, "9007199254740994"},
        {1e20, "100000000000000000000"},
        {-123456789012345680000.0, "-123456789012345680000"},
        {999999999999999900000.0, "999999999999999900000"},
        {1e21, "1e+21"},
        {1.5e300, "1.5e+300"},
        {5e-324, "5e-324"},
        {std::numeric_limits<double>::max(), "1.7976931348623157e+308"},
        {std::numeric_limits<double>::infinity(), "null"},
        {std::numeric_limits<double>::quiet_NaN(), "null"},
    };
    for (const auto& [value, expected] : cases) {
        EXPECT_EQ(to_text(value), expected);
    }
}

TEST(JsonWrite, IntegersAreWhole)
{
    EXPECT_EQ(to_text(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
    EXPECT_EQ(to_text(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
    EXPECT_EQ(to_text(std::int8_t{-128}), "-128");
    EXPECT_EQ(to_text(std::uint8_t{65}), "65");
}

TEST(JsonWrite, StringsAreSafeInHtmlAndJavaScript)
{
    using namespace std::string_view_literals;
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"", R"("")"},
        {"plain text of more than eight bytes", R"("plain text of more than eight bytes")"},
        {"<a href='x'>&", R"("\u003ca href='x'\u003e\u0026")"},
        {R"(say "hi" \ bye/)", R"("say \"hi\" \\ bye/")"},
        {"\b\f\n\r\t", R"("\b\f\n\r\t")"},
        {"\0\x01\x1f\x7f"sv, "\"\\u0000\\u0001\\u001f\x7f\""},
        {"\u2028\u2029\u2027\u2026", "\"\\u2028\\u2029\u2027\u2026\""},
        {"Grüße, Жук, 漢字, 😀", "\"Grüße, Жук, 漢字, 😀\""},
        {"\uFFFD", "\"\uFFFD\""},
        {"\xFF", R"("\ufffd")"},
        {"a\x80z", R"("a\ufffdz")"},
        {"\xC3", R"("\ufffd")"},
        {"\xC3(", R"("\ufffd(")"},
        {"\xE2\x80", R"("\ufffd")"},
        {"\xE2\x80\xE2\x80\xA8", R"("\ufffd\u2028")"},
        {"\xC0\xAF", R"("\ufffd\ufffd")"},
        {"\xED\xA0\x80", R"("\ufffd\ufffd\ufffd")"},
        {"\xE0\x9F\x80", R"("\ufffd\ufffd\ufffd")"},
        {"\xF0\x8F\x80\x80", R"("\ufffd\ufffd\ufffd\ufffd")"},
        {"\xF4\x90\x80\x80", R"("\ufffd\ufffd\ufffd\ufffd")"},
        {"\xF0\x9F\x98", R"("\ufffd")"},
        {"\xF5", R"("\ufffd")"},
    };
    for (const auto& [text, expected] : cases) {
        EXPECT_EQ(to_text(text), expected);
    }
}

TEST(JsonWrite, WhatNeedsAnEscapeIsFoundAtEveryPlace)
{
    for (const char special : {'"', '\\', '<', '>', '&', '\n', '\x1f', '\x01'}) {
        for (std::size_t at = 0; at < 24; ++at) {
            std::string text(24, '~');
            text[at] = special;
            const auto alone = to_text(std::string(1, special));
            const auto escape = alone.substr(1, alone.size() - 2);
            EXPECT_EQ(to_text(text), '"' + std::string(at, '~') + escape + std::string(23 - at, '~') + '"');
        }
    }
}

TEST(JsonWrite, MembersComeInTheDescribedOrderAndEmptyOptionalsAreAbsent)
{
    EXPECT_EQ(
        to_text(Everything{}),
        R"({"id":0,"flag":false,"count":0,"tiny":0,"ratio":0,"text":"","at":"1970-01-01T00:00:00Z","color":"red",)"
        R"("item":{"name":"","price":0},"items":[],"holes":[],"prices":{},"votes":{},"extra":null})"
    );
    Everything value;
    value.id = -7;
    value.flag = true;
    value.at = std::chrono::sys_days(std::chrono::year(2026) / 11 / 24) + 15h + 4min + 5s + 120ms;
    value.color = Color::blue;
    value.items = {{.name = "Lamp", .price = 9.5}, {.name = "Desk", .price = 120}};
    value.note = "";
    value.ids.emplace();
    value.holes = {1, std::nullopt, -3};
    value.prices = {{"b<", 2}, {"a", 1}};
    value.votes = {{"x", true}, {"y", std::nullopt}};
    value.extra.text = R"([1,{"k":null}])";
    EXPECT_EQ(
        to_text(value),
        R"({"id":-7,"flag":true,"count":0,"tiny":0,"ratio":0,"text":"","at":"2026-11-24T15:04:05.12Z","color":"blue",)"
        R"("item":{"name":"","price":0},"items":[{"name":"Lamp","price":9.5},{"name":"Desk","price":120}],"note":"",)"
        R"("ids":[],"holes":[1,null,-3],"prices":{"a":1,"b\u003c":2},"votes":{"x":true,"y":null},"extra":[1,{"k":null}]})"
    );
}

TEST(JsonWrite, NeverIsTheYearOne)
{
    EXPECT_EQ(to_text(never), R"("0001-01-01T00:00:00Z")");
}

TEST(JsonWrite, AppendsToWhatIsThere)
{
    std::string out = "[";
    write(out, std::vector<std::string>{"a", "b"});
    out += ",";
    write(out, std::map<std::string, std::uint32_t>());
    EXPECT_EQ(out, R"([["a","b"],{})");
}

enum class Shade : std::uint8_t { light, secret };
BOOST_DESCRIBE_ENUM(Shade, light)

TEST(JsonWrite, AnEnumeratorThatIsNotDescribedIsNull)
{
    EXPECT_EQ(to_text(Shade::light), R"("light")");
    EXPECT_EQ(to_text(Shade::secret), "null");
}

TEST(JsonWrite, ObjectTakesFieldsOneByOne)
{
    std::string out = "data:";
    auto object = json::object(out);
    EXPECT_EQ(out, "data:{}");
    object.field("status", "ok")
        .field("n", 3)
        .field("absent", std::optional<int>())
        .field("role_ids", nullptr);
    EXPECT_EQ(out, R"(data:{"status":"ok","n":3,"role_ids":null})");
    object.field("a\"b", Item{.name = "x", .price = 1});
    EXPECT_EQ(out, R"(data:{"status":"ok","n":3,"role_ids":null,"a\"b":{"name":"x","price":1}})");
}

}  // namespace
}  // namespace kit::json
