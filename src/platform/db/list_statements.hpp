// The statements behind a list: a page by its number or beside a row that was seen, in every order, with
// whatever conditions there are; and how many rows there are in all.
#pragma once

#include "platform/core/listing.hpp"
#include "platform/db/query_family.hpp"

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kit::db {

// What rows may be ordered by: a column, or an expression around one. Never null.
struct OrderColumn {
    std::string_view name;
    bool unique = false;  // then ties need no id
    std::string_view before{};
    std::string_view after{};
};

// The conditions of one list with their values. Which ones there are decides the statement: each has a bit of
// its own.
class Conditions {
public:
    explicit Conditions(Engine engine) : engine_(engine) {}

    Conditions(Conditions&&) = default;

    // "status = " and a value.
    void compare(std::string_view left, std::string_view value, std::size_t bit);
    void compare(std::string_view left, Timestamp value, std::size_t bit);

    // A join whose text ends before the value: "JOIN user_roles x ON x.user_id = u.id AND x.role_id = ".
    void join(std::string_view text, std::int64_t id, std::size_t bit);

    // By code points, whatever the database's collation is. On PostgreSQL an index needs text_pattern_ops.
    void begins_with(std::string_view expression, std::string_view prefix, std::size_t bit);

private:
    friend class ListStatements;

    void add(const std::string& condition);
    std::string parameter(Value value);
    std::string text_parameter(std::string_view text);

    Engine engine_;
    std::string joins_;
    std::string where_;
    std::vector<Value> values_;
    std::list<std::string> texts_;  // that values refer to
    std::size_t combination_ = 0;
};

// A join around the page: head, the page in brackets, tail; in the page's order, then by `then`.
struct ListFrame {
    std::string_view head;
    std::string_view tail;
    std::string_view alias;
    std::string_view then;
};

// What does not change of a list. The texts and the orders are of static storage.
struct ListShape {
    std::string_view name;  // of the statement; the count's is `count`
    std::string_view count;
    std::string_view columns;  // "u.*"
    std::string_view from;     // "users u"
    std::string_view alias;    // "u."
    std::span<const OrderColumn> order;
    std::size_t combinations = 1;  // of conditions: two to the power of their bits
    std::optional<ListFrame> frame{};
};

struct ListRows {
    const Query* query;  // for map_rows()
    Rows rows;
    std::optional<std::int64_t> total;
};

// Of static storage. Thread-safe.
class ListStatements {
public:
    // PostgreSQL's guess is taken from here on; below, counting is as cheap as guessing is wrong.
    static constexpr std::int64_t counted_max = 10'000;

    explicit ListStatements(const ListShape& shape);

    struct Wanted {
        Order order;
        Slice slice;
        Total total = Total::exact;
    };

    // One round trip, a second one where a guess turns out to be worth counting. One row more than the slice
    // asks for tells whether there are more; it is the last one in the direction of reading.
    Task<ListRows> read(Session& session, const Conditions& conditions, const Wanted& wanted);

private:
    enum class Start : std::uint8_t { offset, after, before };

    const Query& page(const Conditions& conditions, const Wanted& wanted);
    std::string page_sql(const Conditions& conditions, const Wanted& wanted, Start start) const;
    std::string order_by(std::string_view alias, const Order& order) const;
    std::string column(std::string_view alias, const Order& order) const;
    const Query& count(const Conditions& conditions);
    const Query& explain(const Conditions& conditions);
    std::vector<Value> page_values(const Conditions& conditions, const Wanted& wanted) const;

    ListShape shape_;
    QueryFamily pages_;
    QueryFamily counts_;
    QueryFamily guesses_;
};

// Takes the row away that only told whether there are more, once lines have become rows.
template <class Row>
void trim_to(PageOf<Row>& page, const Slice& slice)
{
    page.more = std::cmp_greater(page.rows.size(), slice.rows_max);
    if (page.more) {
        page.rows.erase(
            slice.cursor && slice.cursor->before ? page.rows.begin() : std::prev(page.rows.end())
        );
    }
}

}  // namespace kit::db
