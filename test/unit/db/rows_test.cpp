#include "platform/db/rows.hpp"

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <gtest/gtest.h>

namespace kit::db {

namespace {

enum class Status : std::uint8_t { active, locked };
BOOST_DESCRIBE_ENUM(Status, active, locked)

enum class Id : std::int64_t {};

struct User {
    Id id;
    Status status;
    std::optional<std::int16_t> age;
};

BOOST_DESCRIBE_STRUCT(User, (), (id, status, age))

constexpr Query query{"test.query", "SELECT 1"};

Columns names(std::vector<std::string> list)
{
    return std::make_shared<const std::vector<std::string>>(std::move(list));
}

Cell integer(std::int64_t value)
{
    return {.kind = Cell::Kind::integer, .integer = value};
}

Cell text(std::string_view value)
{
    return {.kind = Cell::Kind::text, .text = value};
}

std::vector<User> map(std::vector<std::string> columns, std::vector<Cell> cells)
{
    return map_rows<User>(query, Rows(names(std::move(columns)), std::move(cells), nullptr, 0));
}

TEST(Rows, ColumnsAreFoundByName)
{
    const auto users =
        map({"age", "id", "status"},
            {integer(7), integer(1), text("locked"), Cell{}, integer(2), text("active")});
    ASSERT_EQ(2U, users.size());
    EXPECT_EQ(Id{1}, users[0].id);
    EXPECT_EQ(Status::locked, users[0].status);
    EXPECT_EQ(7, users[0].age);
    EXPECT_FALSE(users[1].age);
}

TEST(Rows, AnotherOrderWithTheNextStatement)
{
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(Id{1}, map({"id", "status", "age"}, {integer(1), text("active"), Cell{}})[0].id);
        EXPECT_EQ(Id{2}, map({"status", "id", "age"}, {text("active"), integer(2), Cell{}})[0].id);
    }
}

TEST(Rows, MissingExtraOrDoubleColumnsAreRefused)
{
    EXPECT_THROW(map({"id", "status"}, {}), QueryFailed);
    EXPECT_THROW(map({"id", "status", "age", "more"}, {}), QueryFailed);
    EXPECT_THROW(map({"id", "status", "age", "age"}, {}), QueryFailed);
    EXPECT_THROW(map_rows<User>(query, Rows()), QueryFailed);
    EXPECT_TRUE(map({"id", "status", "age"}, {}).empty());
}

TEST(Rows, ValuesMustFit)
{
    const std::vector<std::string> columns{"id", "status", "age"};
    EXPECT_THROW(map(columns, {Cell{}, text("active"), Cell{}}), QueryFailed);
    EXPECT_THROW(map(columns, {text("1"), text("active"), Cell{}}), QueryFailed);
    EXPECT_THROW(map(columns, {integer(1), text("unknown"), Cell{}}), QueryFailed);
    EXPECT_THROW(map(columns, {integer(1), integer(0), Cell{}}), QueryFailed);
    EXPECT_THROW(map(columns, {integer(1), text("active"), integer(40'000)}), QueryFailed);
}

template <class T>
T single(Cell cell)
{
    return map_rows<T>(query, Rows(names({"value"}), {cell}, nullptr, 0)).front();
}

TEST(Rows, SingleValues)
{
    EXPECT_TRUE(single<bool>(integer(1)));
    EXPECT_THROW(single<bool>(integer(2)), QueryFailed);
    EXPECT_EQ(3.0, single<double>(integer(3)));
    EXPECT_EQ("x", single<std::string>(text("x")));
    EXPECT_EQ(std::nullopt, single<std::optional<int>>(Cell{}));
    EXPECT_THROW(map_rows<int>(query, Rows(names({"a", "b"}), {}, nullptr, 0)), QueryFailed);
}

TEST(Rows, TimesComeInBothForms)
{
    constexpr Timestamp moment{std::chrono::microseconds(1'500'000)};
    EXPECT_EQ(moment, single<Timestamp>({.kind = Cell::Kind::timestamp, .integer = 1'500'000}));
    EXPECT_EQ(moment, single<Timestamp>(text("1970-01-01T00:00:01.500000Z")));
    EXPECT_THROW(single<Timestamp>(text("yesterday")), QueryFailed);
    EXPECT_THROW(single<Timestamp>(integer(1)), QueryFailed);
}

}  // namespace

}  // namespace kit::db
