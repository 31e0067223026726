// The described types that the JSON tests share.
#pragma once

#include "platform/json/json.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace kit::json::samples {

enum class Color : std::uint8_t { red, green, blue };
BOOST_DESCRIBE_ENUM(Color, red, green, blue)

struct Item {
    std::string name;
    double price = 0;

    bool operator==(const Item&) const = default;
};
BOOST_DESCRIBE_STRUCT(Item, (), (name, price))

struct Base {
    std::int64_t id = 0;

    bool operator==(const Base&) const = default;
};
BOOST_DESCRIBE_STRUCT(Base, (), (id))

// One member of every kind.
struct Everything : Base {
    bool flag = false;
    std::uint64_t count = 0;
    std::int8_t tiny = 0;
    double ratio = 0;
    std::string text;
    Timestamp at{};
    Color color = Color::red;
    Item item;
    std::vector<Item> items;
    std::optional<std::string> note;
    std::optional<std::vector<std::uint32_t>> ids;
    std::vector<std::optional<std::int32_t>> holes;
    std::map<std::string, double> prices;
    std::map<std::string, std::optional<bool>> votes;
    Raw extra;

    bool operator==(const Everything&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    Everything,
    (Base),
    (flag, count, tiny, ratio, text, at, color, item, items, note, ids, holes, prices, votes, extra)
)

// A tree, so that depth is the document's choice.
struct Tree {
    std::vector<Tree> children;

    bool operator==(const Tree&) const = default;
};
BOOST_DESCRIBE_STRUCT(Tree, (), (children))

}  // namespace kit::json::samples
