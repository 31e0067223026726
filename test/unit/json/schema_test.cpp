#include "unit/json/samples.hpp"

#include <gtest/gtest.h>

namespace kit::json {
namespace {

TEST(JsonSchema, OfPlainTypes)
{
    EXPECT_EQ(schema<bool>(), R"({"type":"boolean"})");
    EXPECT_EQ(schema<std::int64_t>(), R"({"type":"integer"})");
    EXPECT_EQ(schema<std::uint32_t>(), R"({"type":"integer","minimum":0})");
    EXPECT_EQ(schema<double>(), R"({"type":"number"})");
    EXPECT_EQ(schema<std::string>(), R"({"type":"string"})");
    EXPECT_EQ(schema<Timestamp>(), R"({"type":"string","format":"date-time"})");
    EXPECT_EQ(schema<Raw>(), "{}");
    EXPECT_EQ(schema<samples::Color>(), R"({"type":"string","enum":["red","green","blue"]})");
}

TEST(JsonSchema, OfContainers)
{
    EXPECT_EQ(schema<std::vector<std::string>>(), R"({"type":"array","items":{"type":"string"}})");
    EXPECT_EQ(schema<std::span<const double>>(), R"({"type":"array","items":{"type":"number"}})");
    EXPECT_EQ(
        (schema<std::map<std::string, std::optional<bool>>>()),
        R"({"type":"object","additionalProperties":{"anyOf":[{"type":"boolean"},{"type":"null"}]}})"
    );
}

struct Patch {
    std::optional<std::string> name;
    std::optional<std::vector<double>> prices;
};
BOOST_DESCRIBE_STRUCT(Patch, (), (name, prices))

struct Order : samples::Base {
    samples::Item item;
    std::optional<std::string> note;
};
BOOST_DESCRIBE_STRUCT(Order, (samples::Base), (item, note))

TEST(JsonSchema, OfStructs)
{
    EXPECT_EQ(
        schema<Patch>(),
        R"({"type":"object","properties":{"name":{"type":"string"},"prices":{"type":"array","items":{"type":"number"}}}})"
    );
    EXPECT_EQ(
        schema<Order>(),
        R"({"type":"object","properties":{"id":{"type":"integer"},"item":{"type":"object","properties":)"
        R"({"name":{"type":"string"},"price":{"type":"number"}},"required":["name","price"]},"note":{"type":"string"}},)"
        R"("required":["id","item"]})"
    );
}

}  // namespace
}  // namespace kit::json
