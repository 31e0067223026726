#include "unit/json/samples.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace kit::json {
namespace {

using namespace std::string_view_literals;
using samples::Color;
using samples::Everything;
using samples::Item;

// Both read a document whose member "x" is skipped and whose member "extra" is kept as text: the grammar is
// the same.
bool accepts(std::string_view value)
{
    const auto skipped = read<Everything>(R"({"x":)" + std::string(value) + "}").has_value();
    const auto kept = read<Everything>(R"({"extra":)" + std::string(value) + "}").has_value();
    EXPECT_EQ(skipped, kept) << value;
    return skipped;
}

TEST(JsonGrammar, AcceptsValues)
{
    const std::string_view values[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "7",
        "-12",
        "1234567890123456789012345678901234567890",
        "0.5",
        "-0.0",
        "1.50",
        "1e5",
        "1E5",
        "1e+5",
        "1e-05",
        "0e0",
        "-1.5e+10",
        "1e400",
        R"("")",
        R"("a")",
        R"("\"\\\/\b\f\n\r\t")",
        R"("\u0001\uABCD\uabcd")",
        R"("\ud800")",
        "\"\x7f\"",
        "\"\u2028\"",
        "\"\xFF\"",
        "[]",
        "[ ]",
        "[\t\n\r 1 , 2 ]",
        "[[[]],{}]",
        "[null,true,1,\"\",{}]",
        "{}",
        "{ }",
        R"({"":0})",
        R"({ "a" : 1 , "b" : [ ] })",
        R"({"a":1,"a":2})",
        R"({"\u0061":1})",
    };
    for (const auto value : values) {
        EXPECT_TRUE(accepts(value)) << value;
    }
}

TEST(JsonGrammar, RefusesWhatIsNoValue)
{
    const std::string_view values[] = {
        "",
        "nul",
        "nulll",
        "Null",
        "NULL",
        "tru",
        "True",
        "falsey",
        "undefined",
        "NaN",
        "Infinity",
        "-Infinity",
        "-",
        "+1",
        "01",
        "-01",
        "00",
        ".5",
        "1.",
        "1.e5",
        "1e",
        "1e+",
        "1e5.5",
        "0x10",
        "1_000",
        "1 2",
        "--1",
        "'a'",
        "\"",
        "\"a",
        R"("\)",
        R"("\")",
        R"("\x41")",
        R"("\a")",
        R"("\U0041")",
        R"("\u12")",
        R"("\u12G4")",
        R"("\u 123")",
        R"("\u+123")",
        R"("\u0000")",
        R"("a\u0000b")",
        "\"\n\"",
        "\"\t\"",
        "\"\x1f\"",
        "\"\0\""sv,
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[,]",
        "[1,,2]",
        "[1 2]",
        "[1;2]",
        "[1}",
        "[\"a\":1]",
        "{",
        "{]",
        R"({"a"})",
        R"({"a":})",
        R"({"a":1,})",
        R"({,"a":1})",
        R"({"a":1,,"b":2})",
        R"({"a" 1})",
        R"({"a"::1})",
        R"({"a":1 "b":2})",
        R"({"a":1;"b":2})",
        "{a:1}",
        "{1:1}",
        "{null:1}",
        R"({'a':1})",
        R"({"a":1]})",
        R"({"a\u0000":1})",
        "// comment\n1",
        "/* comment */1",
        "\xFF",
        "\u00A0 1",
        "\f1",
        "\v1",
    };
    for (const auto value : values) {
        EXPECT_FALSE(accepts(value)) << value;
    }
}

TEST(JsonDocument, IsAnObjectOrNullWithWhiteSpaceAround)
{
    const std::pair<std::string_view, bool> cases[] = {
        {"{}", true},
        {" \t\r\n{} \t\r\n", true},
        {"null", true},
        {" null\n", true},
        {"", false},
        {" ", false},
        {"nul", false},
        {"null null", false},
        {"nullx", false},
        {"[]", false},
        {R"("a")", false},
        {"1", false},
        {"true", false},
        {"{", false},
        {"}", false},
        {"{} {}", false},
        {"{} garbage", false},
        {"{},", false},
        {"{}}", false},
        {"{}\0"sv, false},
        {"\xEF\xBB\xBF{}", false},
        {"\0{}"sv, false},
    };
    for (const auto& [text, accepted] : cases) {
        EXPECT_EQ(read<Everything>(text).has_value(), accepted) << text;
    }
    EXPECT_EQ(*read<Everything>("null"), Everything{});
}

TEST(JsonDocument, EveryPrefixOfADocumentIsRefused)
{
    const auto text =
        R"({"id":-1,"flag":true,"ratio":1.5e3,"text":"\u00e9\ud83d\ude00","items":[{"name":"a","price":0.5}],"x":[{"y":null}]})"sv;
    ASSERT_TRUE(read<Everything>(text));
    for (std::size_t length = 0; length < text.size(); ++length) {
        EXPECT_FALSE(read<Everything>(text.substr(0, length))) << text.substr(0, length);
    }
}

TEST(JsonRead, AllMembers)
{
    const auto value = read<Everything>(R"({
        "id": -9223372036854775808, "flag": true, "count": 18446744073709551615, "tiny": -128, "ratio": 1.25,
        "text": "a", "at": "2026-11-24T16:04:05.12+01:00", "color": "blue", "item": {"name": "i", "price": 1},
        "items": [{"name": "j"}, {}], "note": "", "ids": [], "holes": [1, null], "prices": {"b": 2, "a": 1},
        "votes": {"x": null, "y": true}, "extra": {"k": [1, 2]}
    })");
    ASSERT_TRUE(value);
    EXPECT_EQ(value->id, std::numeric_limits<std::int64_t>::min());
    EXPECT_TRUE(value->flag);
    EXPECT_EQ(value->count, std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(value->tiny, -128);
    EXPECT_EQ(value->ratio, 1.25);
    EXPECT_EQ(value->text, "a");
    EXPECT_EQ(to_rfc3339(value->at), "2026-11-24T15:04:05.12Z");
    EXPECT_EQ(value->color, Color::blue);
    EXPECT_EQ(value->item, (Item{.name = "i", .price = 1}));
    EXPECT_EQ(value->items, (std::vector<Item>{{.name = "j", .price = 0}, {}}));
    EXPECT_EQ(value->note, "");
    EXPECT_EQ(value->ids, std::vector<std::uint32_t>());
    EXPECT_EQ(value->holes, (std::vector<std::optional<std::int32_t>>{1, std::nullopt}));
    EXPECT_EQ(value->prices, (std::map<std::string, double>{{"a", 1}, {"b", 2}}));
    EXPECT_EQ(value->votes, (std::map<std::string, std::optional<bool>>{{"x", std::nullopt}, {"y", true}}));
    EXPECT_EQ(value->extra.text, R"({"k": [1, 2]})");
}

struct Settings {
    int size = 10;
    std::optional<int> limit = 5;
};
BOOST_DESCRIBE_STRUCT(Settings, (), (size, limit))

TEST(JsonRead, NullIsAsAbsentAndAbsentKeepsTheDefault)
{
    for (const auto text :
         {"{}"sv, R"({"size":null,"limit":null})"sv, R"({"size":3,"size":null,"LIMIT":3,"limit":null})"sv}) {
        const auto value = read<Settings>(text);
        ASSERT_TRUE(value) << text;
        EXPECT_EQ(value->size, 10);
        EXPECT_EQ(value->limit, 5);
    }
    EXPECT_FALSE(read<Everything>(R"({"items":[null]})"));
    EXPECT_EQ(read<Everything>(R"({"prices":{"a":1,"b":null,"a":null}})")->prices.size(), 0);
    EXPECT_EQ(read<Everything>(R"({"extra":null})")->extra, Raw{});
}

struct Cased {
    int id = 0;
    int ID = 0;  // NOLINT(readability-identifier-naming)
    std::string email;
};
BOOST_DESCRIBE_STRUCT(Cased, (), (id, ID, email))

TEST(JsonRead, NamesMatchIgnoringCaseAndExactlyFirst)
{
    const auto exact = read<Cased>(R"({"ID":2,"id":1,"eMail":"a"})");
    ASSERT_TRUE(exact);
    EXPECT_EQ(exact->id, 1);
    EXPECT_EQ(exact->ID, 2);
    EXPECT_EQ(exact->email, "a");
    EXPECT_EQ(read<Cased>(R"({"iD":3})")->id, 3);
    EXPECT_EQ(read<Cased>(R"({"\u0065MAI\u006c":"b"})")->email, "b");
    EXPECT_EQ(read<Cased>(R"({"emai":"b","emails":"c","e_mail":"d","":"e"})")->email, "");
}

TEST(JsonRead, TheLastOfRepeatedMembersCounts)
{
    EXPECT_EQ(read<Cased>(R"({"email":"a","EMAIL":"b"})")->email, "b");
    EXPECT_EQ(read<Cased>(R"({"EMAIL":"b","email":"a","x":1,"x":2})")->email, "a");
    const auto value = read<Everything>(
        R"({"items":[{},{}],"items":[{"name":"n"}],"item":{"name":"a"},"item":{"price":2},"prices":{"a":1},"prices":{"b":1,"b":2}})"
    );
    ASSERT_TRUE(value);
    EXPECT_EQ(value->items.size(), 1);
    EXPECT_EQ(value->item, (Item{.name = "", .price = 2}));
    EXPECT_EQ(value->prices, (std::map<std::string, double>{{"b", 2}}));
}

TEST(JsonRead, Strings)
{
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"", ""},
        {"plain text of more than eight bytes", "plain text of more than eight bytes"},
        {R"(\"\\\/\b\f\n\r\t)", "\"\\/\b\f\n\r\t"},
        {R"(\u0041\u00e9\u20AC\uFFFF)", "Aé€\uFFFF"},
        {R"(\ud83d\ude00)", "😀"},
        {R"(\uD83D\uDE00!)", "😀!"},
        {R"(\udbff\udfff)", "\U0010FFFF"},
        {R"(\ud83d)", "\uFFFD"},
        {R"(\ude00)", "\uFFFD"},
        {R"(\ud83dx)", "\uFFFDx"},
        {R"(\ud83d\n)", "\uFFFD\n"},
        {R"(\ud83d\u0041)", "\uFFFDA"},
        {R"(\ud83d\ud83d\ude00)", "\uFFFD😀"},
        {R"(\ude00\ud83d)", "\uFFFD\uFFFD"},
        {R"(\u2028)", "\u2028"},
        {R"(\u00000)", ""},  // refused, below
        {"Grüße 漢字 😀", "Grüße 漢字 😀"},
        {"a\xFFz", "a\uFFFDz"},
        {"\xE2\x80", "\uFFFD"},
        {"\xE2\\u0080", "\uFFFD\u0080"},
        {"\xC0\xAF", "\uFFFD\uFFFD"},
        {"\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"},
    };
    for (const auto& [content, expected] : cases) {
        const auto value = read<Everything>(R"({"text":")" + std::string(content) + R"("})");
        if (content.starts_with("\\u0000")) {
            EXPECT_FALSE(value);
            continue;
        }
        ASSERT_TRUE(value) << content;
        EXPECT_EQ(value->text, expected) << content;
    }
    EXPECT_EQ(
        read<Everything>(R"({"extra":[")"
                         "\xFF"
                         R"("]})")
            ->extra.text,
        "[\"\uFFFD\"]"
    );
    EXPECT_EQ(read<Everything>("{\"prices\":{\"\xFF\\n\":1}}")->prices.begin()->first, "\uFFFD\n");
}

TEST(JsonRead, Numbers)
{
    const std::pair<std::string_view, double> cases[] = {
        {"0", 0},
        {"-0", -0.0},
        {"1.5", 1.5},
        {"1E3", 1000},
        {"1e-7", 1e-7},
        {"19.99", 19.99},
        {"1.7976931348623157e308", 1.7976931348623157e308},
        {"5e-324", 5e-324},
        {"1e-400", 0},
        {"0e999999999999", 0},
        {"123456789012345678901234567890", 123456789012345678901234567890.0},
    };
    for (const auto& [text, expected] : cases) {
        const auto value = read_detailed<double>(text);
        ASSERT_TRUE(value) << text;
        EXPECT_EQ(*value, expected) << text;
        EXPECT_EQ(std::signbit(*value), std::signbit(expected)) << text;
    }
    EXPECT_EQ(read_detailed<double>("1e400").error().reason, "number out of range");
    EXPECT_EQ(read_detailed<double>("-1e999999999999999999999").error().reason, "number out of range");
}

TEST(JsonRead, IntegersKeepTheirRange)
{
    EXPECT_EQ(read_detailed<std::int8_t>("127"), 127);
    EXPECT_EQ(read_detailed<std::int8_t>("-0"), 0);
    EXPECT_EQ(read_detailed<std::uint8_t>("255"), 255);
    for (const auto text : {"128"sv, "-129"sv, "9223372036854775808"sv}) {
        EXPECT_EQ(read_detailed<std::int8_t>(text).error().reason, "integer out of range") << text;
    }
    for (const auto text : {"256"sv, "-1"sv, "-0"sv, "18446744073709551616"sv}) {
        EXPECT_EQ(read_detailed<std::uint8_t>(text).error().reason, "integer out of range") << text;
    }
    EXPECT_FALSE(read_detailed<std::int64_t>("9223372036854775808"));
    EXPECT_FALSE(read_detailed<std::int64_t>("-9223372036854775809"));
    EXPECT_FALSE(read_detailed<std::uint64_t>("18446744073709551616"));
    for (const auto text : {"1.0"sv, "1.5"sv, "1e2"sv, R"("1")"sv, "true"sv, "[]"sv, "{}"sv}) {
        EXPECT_EQ(read_detailed<std::int64_t>(text).error().reason, "expected an integer") << text;
        EXPECT_EQ(read_detailed<std::uint64_t>(text).error().reason, "expected an integer") << text;
    }
}

TEST(JsonError, TellsWhereAndWhy)
{
    struct Case {
        std::string_view text;
        ReadError error;
    };

    const Case cases[] = {
        {"", {"", "expected an object", 0}},
        {"[]", {"", "expected an object", 0}},
        {"{} x", {"", "unexpected text after the document", 3}},
        {"{x", {"", "expected a member's name", 1}},
        {R"({"id" 1})", {"", "expected ':'", 6}},
        {R"({"id":1)", {"", "expected ',' or '}'", 7}},
        {R"({"id":"1"})", {"/id", "expected an integer", 6}},
        {R"({"ID":1.5})", {"/ID", "expected an integer", 6}},
        {R"({"flag":1})", {"/flag", "expected true or false", 8}},
        {R"({"text":1})", {"/text", "expected a string", 8}},
        {R"({"ratio":"1"})", {"/ratio", "expected a number", 9}},
        {R"({"ratio":-})", {"/ratio", "expected a digit", 10}},
        {R"({"at":"yesterday"})", {"/at", "expected a date and time of RFC 3339", 6}},
        {R"({"color":"Red"})", {"/color", "expected one of red, green, blue", 9}},
        {R"({"item":[]})", {"/item", "expected an object", 8}},
        {R"({"items":{}})", {"/items", "expected an array", 9}},
        {R"({"items":[{},{"price":"1"}]})", {"/items/1/price", "expected a number", 22}},
        {R"({"holes":[1 2]})", {"/holes", "expected ',' or ']'", 12}},
        {R"({"votes":{"a/b~\u0063":1}})", {"/votes/a~1b~0c", "expected true or false", 23}},
        {R"({"x":{"y":[0,tru]}})", {"/x/y/1", "expected true or false", 13}},
        {R"({"x":?})", {"/x", "expected a value", 5}},
        {R"({"text":"\q"})", {"/text", "unknown escape", 11}},
        {R"({"text":"\u12"})", {"/text", "expected four hexadecimal digits", 11}},
        {R"({"text":"\u0000"})", {"/text", "U+0000 is not allowed", 11}},
        {"{\"text\":\"a\nb\"}", {"/text", "control character in a string", 10}},
        {R"({"text":"abc)", {"/text", "unfinished string", 12}},
        {R"({"text":"abc\)", {"/text", "unfinished string", 13}},
    };
    for (const auto& [text, expected] : cases) {
        const auto result = read_detailed<Everything>(text);
        ASSERT_FALSE(result) << text;
        EXPECT_EQ(result.error().pointer, expected.pointer) << text;
        EXPECT_EQ(result.error().reason, expected.reason) << text;
        EXPECT_EQ(result.error().offset, expected.offset) << text;
    }
}

TEST(JsonError, TheClientLearnsOneMessage)
{
    const auto result = read<Everything>(R"({"id":"1"})");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::invalid_input);
    EXPECT_EQ(result.error().message(), "invalid payload");
    EXPECT_EQ(result.error().details_json(), "");
}

}  // namespace
}  // namespace kit::json
