// Every limit, at its bound and one beyond.
#include "unit/json/samples.hpp"

#include <gtest/gtest.h>

namespace kit::json {
namespace {

using samples::Everything;
using samples::Tree;

std::string repeat(std::string_view text, std::size_t times)
{
    std::string out;
    for (std::size_t i = 0; i < times; ++i) {
        out += text;
    }
    return out;
}

template <class T>
std::string reason_of(const std::string& text, const Limits& limits = {})
{
    const auto result = read_detailed<T>(text, limits);
    return result ? "" : result.error().reason;
}

TEST(JsonLimits, DepthOfWhatIsKept)
{
    // Each level of the tree is an object in an array.
    const auto tree = [](std::size_t levels) {
        return repeat(R"({"children":[)", levels) + "{}" + repeat("]}", levels);
    };
    EXPECT_EQ(reason_of<Tree>(tree(3), {.depth_max = 7}), "");
    EXPECT_EQ(reason_of<Tree>(tree(3), {.depth_max = 6}), "nested too deeply");
    EXPECT_EQ(reason_of<Tree>(repeat(R"({"children":[)", 16) + repeat("]}", 16)), "");
    EXPECT_EQ(reason_of<Tree>(tree(16)), "nested too deeply");
}

TEST(JsonLimits, DepthOfWhatIsSkipped)
{
    const auto arrays = [](std::size_t levels) {
        return R"({"x":)" + repeat("[", levels) + repeat("]", levels) + "}";
    };
    EXPECT_EQ(reason_of<Tree>(arrays(31)), "");
    EXPECT_EQ(reason_of<Tree>(arrays(32)), "nested too deeply");
    EXPECT_EQ(reason_of<Tree>(R"({"x":)" + repeat("[", 1'000'000)), "nested too deeply");
    EXPECT_EQ(reason_of<Tree>(R"({"x":)" + repeat(R"({"":)", 100'000)), "nested too deeply");
}

TEST(JsonLimits, DepthCountsNestingAndNotContainers)
{
    EXPECT_EQ(
        reason_of<Tree>(R"({"children":[{},{"children":[]},{}],"x":[[],[],{}]})", {.depth_max = 4}), ""
    );
}

TEST(JsonLimits, BytesOfAString)
{
    const auto text = [](std::string_view content) {
        return R"({"text":")" + std::string(content) + R"("})";
    };
    EXPECT_EQ(reason_of<Everything>(text(repeat("a", 65536))), "");
    EXPECT_EQ(reason_of<Everything>(text(repeat("a", 65537))), "string too long");
    const Limits four{.string_bytes_max = 4};
    EXPECT_EQ(reason_of<Everything>(text("abcd"), four), "");
    EXPECT_EQ(reason_of<Everything>(text("abcde"), four), "string too long");
    // Counted once unescaped and repaired.
    EXPECT_EQ(reason_of<Everything>(text(R"(\u0061\n\/\")"), four), "");
    EXPECT_EQ(reason_of<Everything>(text(R"(\ud83d\ude00)"), four), "");
    EXPECT_EQ(reason_of<Everything>(text(R"(\ud83d\ude00.)"), four), "string too long");
    EXPECT_EQ(reason_of<Everything>(text("a\xFF"), four), "");
    EXPECT_EQ(reason_of<Everything>(text("ab\xFF"), four), "string too long");
}

TEST(JsonLimits, BytesOfAMapsName)
{
    const Limits four{.string_bytes_max = 4};
    EXPECT_EQ(reason_of<Everything>(R"({"prices":{"abcd":1}})", four), "");
    EXPECT_EQ(reason_of<Everything>(R"({"prices":{"abcde":1}})", four), "string too long");
}

TEST(JsonLimits, WhatIsNotKeptMayBeLong)
{
    EXPECT_EQ(reason_of<Everything>(R"({"unknown":"abcdefgh"})", {.string_bytes_max = 4}), "");
}

TEST(JsonLimits, MembersOfAnObject)
{
    const auto object = [](std::size_t members) {
        return R"({"text":"")" + repeat(R"(,"x":1)", members - 1) + "}";
    };
    EXPECT_EQ(reason_of<Everything>(object(1000)), "");
    EXPECT_EQ(reason_of<Everything>(object(1001)), "too many members");
    const Limits two{.members_max = 2};
    EXPECT_EQ(reason_of<Everything>(R"({"item":{"name":"","price":1},"prices":{"a":1,"b":2}})", two), "");
    EXPECT_EQ(reason_of<Everything>(R"({"prices":{"a":1,"b":2,"c":3}})", two), "too many members");
    EXPECT_EQ(reason_of<Everything>(R"({"x":{"a":1,"b":2,"c":3}})", two), "too many members");
}

TEST(JsonLimits, ElementsOfAllArraysTogether)
{
    const auto ids = [](std::size_t elements) { return R"({"ids":[0)" + repeat(",1", elements - 1) + "]}"; };
    EXPECT_EQ(reason_of<Everything>(ids(10'000)), "");
    EXPECT_EQ(reason_of<Everything>(ids(10'001)), "too many elements");
    const Limits three{.elements_max = 3};
    EXPECT_EQ(reason_of<Everything>(R"({"ids":[1,2],"holes":[],"x":[3]})", three), "");
    EXPECT_EQ(reason_of<Everything>(R"({"ids":[1,2],"holes":[3,4]})", three), "too many elements");
    EXPECT_EQ(reason_of<Everything>(R"({"x":[[],[],[],[]]})", three), "too many elements");
}

}  // namespace
}  // namespace kit::json
