#include "platform/crypto/claims_reader.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace kit::jwt {
namespace {

bool well_formed(std::string_view text)
{
    ClaimsReader reader(text);
    for (std::string_view name; reader.next(name);) {
        reader.skip();
    }
    return reader.finished();
}

// The text of {"a":<value>} read as a string, or "FAULT".
std::string string_of(const std::string& value)
{
    const auto text = R"({"a":)" + value + "}";
    ClaimsReader reader(text);
    std::string_view name;
    std::string result;
    const bool read =
        reader.next(name) && reader.read_string(result) && !reader.next(name) && reader.finished();
    return read ? result : "FAULT";
}

std::optional<std::int64_t> integer_of(const std::string& value)
{
    const auto text = R"({"a":)" + value + "}";
    ClaimsReader reader(text);
    std::string_view name;
    std::int64_t result = 0;
    const bool read =
        reader.next(name) && reader.read_integer(result) && !reader.next(name) && reader.finished();
    return read ? std::optional(result) : std::nullopt;
}

TEST(ClaimsReader, AcceptsFlatObjects)
{
    for (const auto* text :
         {"{}",
          " {\t\r\n} ",
          R"({"a":"b"})",
          R"( { "a" : 1 , "b" : [ "x" , "y" ] } )",
          R"({"a":[],"b":true,"c":false,"d":null})",
          R"({"a":-0,"b":1.5,"c":1e9,"d":-1.5E-3,"e":0.0,"f":1E+2})",
          "{\"ä\":\"ö\"}"}) {
        EXPECT_TRUE(well_formed(text)) << text;
    }
}

TEST(ClaimsReader, RefusesEverythingElse)
{
    for (const auto* text :
         {"",
          " ",
          "{",
          "}",
          "[]",
          "1",
          "null",
          R"("a")",
          "{}x",
          "{}{}",
          "{,}",
          R"({"a"})",
          R"({"a":})",
          R"({"a":1,})",
          R"({"a":1 "b":2})",
          R"({a:1})",
          R"({'a':1})",
          R"({"a":1,"a":1})",
          R"({"\u0061":1})",
          R"({"a":{}})",
          R"({"a":[1]})",
          R"({"a":[["b"]]})",
          R"({"a":["b",]})",
          R"({"a":["b")",
          R"({"a":["b" "c"]})",
          R"({"a":01})",
          R"({"a":1.})",
          R"({"a":.5})",
          R"({"a":+1})",
          R"({"a":-})",
          R"({"a":1e})",
          R"({"a":0x1})",
          R"({"a":NaN})",
          R"({"a":tru})",
          R"({"a":nul})",
          R"({"a":"b)",
          R"({"a":"b\)",
          R"({"a":"\x"})",
          R"({"a":"\u12"})",
          R"({"a":"\u12g4"})",
          R"({"a":"\ud800"})",
          R"({"a":"\udc00"})",
          R"({"a":"\ud800\u0041"})",
          R"({"a":"\u+123"})",
          "{\"a\":\"\x01\"}",
          "{\"a\":\"\n\"}",
          "{\"a\":\"\xff\"}",
          "{\"a\":\"\xc0\xaf\"}",
          "\xef\xbb\xbf{}",
          R"({"a":1}//)"}) {
        EXPECT_FALSE(well_formed(text)) << text;
    }
    EXPECT_FALSE(well_formed(std::string_view("{}\0", 3)));
}

TEST(ClaimsReader, DecodesEscapes)
{
    EXPECT_EQ(string_of(R"("\"\\\/\b\f\n\r\t")"), "\"\\/\b\f\n\r\t");
    EXPECT_EQ(string_of(R"("\u0048S256")"), "HS256");
    EXPECT_EQ(string_of(R"("\u00e4\u20AC\ud83d\ude00!")"), "ä€😀!");
    EXPECT_EQ(string_of(R"("\u0000")"), std::string(1, '\0'));
    EXPECT_EQ(string_of(R"("")"), "");
    EXPECT_EQ(string_of("1"), "FAULT");
    EXPECT_EQ(string_of("null"), "FAULT");
    EXPECT_EQ(string_of(R"(["a"])"), "FAULT");
}

TEST(ClaimsReader, ReadsIntegersOf64Bits)
{
    EXPECT_EQ(integer_of("0"), 0);
    EXPECT_EQ(integer_of("-17"), -17);
    EXPECT_EQ(integer_of("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(integer_of("9223372036854775808"), std::nullopt);
    EXPECT_EQ(integer_of("1.0"), std::nullopt);
    EXPECT_EQ(integer_of("1e3"), std::nullopt);
    EXPECT_EQ(integer_of(R"("1")"), std::nullopt);
    EXPECT_EQ(integer_of("true"), std::nullopt);
}

TEST(ClaimsReader, LimitsTheNumberOfNames)
{
    const auto object = [](std::size_t names) {
        std::string text = "{";
        for (std::size_t i = 0; i < names; ++i) {
            text += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":0";
        }
        return text + "}";
    };
    EXPECT_TRUE(well_formed(object(ClaimsReader::names_max)));
    EXPECT_FALSE(well_formed(object(ClaimsReader::names_max + 1)));
}

TEST(ClaimsReader, StaysFailed)
{
    ClaimsReader reader(R"({"a":{},"b":"c"})");
    std::string_view name;
    std::string text;
    ASSERT_TRUE(reader.next(name));
    EXPECT_FALSE(reader.read_string(text));
    EXPECT_FALSE(reader.skip());
    EXPECT_FALSE(reader.next(name));
    EXPECT_FALSE(reader.finished());
}

}  // namespace
}  // namespace kit::jwt
