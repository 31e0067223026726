#include "platform/db/list_statements.hpp"

#include "platform/core/encoding.hpp"
#include "platform/db/rows.hpp"

#include <array>
#include <charconv>

namespace kit::db {

namespace {

constexpr char32_t last_code_point = 0x10FFFF;

std::string utf8(char32_t character)
{
    const auto byte = [](char32_t bits) { return static_cast<char>(bits); };
    if (character < 0x80) {
        return {byte(character)};
    }
    if (character < 0x800) {
        return {byte(0xC0 | character >> 6), byte(0x80 | (character & 0x3F))};
    }
    if (character < 0x10000) {
        return {
            byte(0xE0 | character >> 12),
            byte(0x80 | (character >> 6 & 0x3F)),
            byte(0x80 | (character & 0x3F))
        };
    }
    return {
        byte(0xF0 | character >> 18),
        byte(0x80 | (character >> 12 & 0x3F)),
        byte(0x80 | (character >> 6 & 0x3F)),
        byte(0x80 | (character & 0x3F))
    };
}

// The first text, by code points, after all that begin with this valid UTF-8; where there is none, one that
// nobody writes.
std::string end_of_prefix(std::string_view prefix)
{
    while (!prefix.empty()) {
        auto start = prefix.size() - 1;
        while (start > 0 && (static_cast<unsigned char>(prefix[start]) & 0xC0) == 0x80) {
            --start;
        }
        const auto last = decode_utf8(prefix.substr(start)).character;
        prefix = prefix.substr(0, start);
        if (last < last_code_point) {
            constexpr char32_t before_surrogates = 0xD7FF;
            constexpr char32_t after_surrogates = 0xE000;
            return std::string(prefix) + utf8(last == before_surrogates ? after_surrogates : last + 1);
        }
    }
    return utf8(last_code_point) + utf8(last_code_point);
}

// "… (cost=0.00..22739.00 rows=1000000 width=4)" of a plan's first line.
std::int64_t planned_rows(std::string_view line)
{
    constexpr std::string_view label = " rows=";
    std::int64_t rows = 0;
    if (const auto at = line.find(label); at != std::string_view::npos) {
        const auto number = line.substr(at + label.size());
        std::from_chars(number.data(), number.data() + number.size(), rows);
    }
    return rows;
}

// Nothing where the order is that of the ids.
std::optional<Value> value_of(const Place& place)
{
    if (const auto* const time = std::get_if<Timestamp>(&place.value)) {
        return Value(*time);
    }
    if (const auto* const text = std::get_if<std::string>(&place.value)) {
        return Value(*text);
    }
    return std::nullopt;
}

}  // namespace

void Conditions::add(const std::string& condition)
{
    where_ += where_.empty() ? "WHERE " : "AND ";
    where_ += condition + ' ';
}

std::string Conditions::parameter(Value value)
{
    values_.push_back(value);
    return '$' + std::to_string(values_.size());
}

std::string Conditions::text_parameter(std::string_view text)
{
    return parameter(texts_.emplace_back(text));
}

void Conditions::compare(std::string_view left, std::string_view value, std::size_t bit)
{
    combination_ |= bit;
    add(std::string(left) + text_parameter(value));
}

void Conditions::compare(std::string_view left, Timestamp value, std::size_t bit)
{
    combination_ |= bit;
    add(std::string(left) + parameter(value));
}

void Conditions::join(std::string_view text, std::int64_t id, std::size_t bit)
{
    combination_ |= bit;
    joins_ += std::string(text) + parameter(id) + ' ';
}

void Conditions::begins_with(std::string_view expression, std::string_view prefix, std::size_t bit)
{
    combination_ |= bit;
    const bool postgres = engine_ == Engine::postgres;
    const std::string left(expression);
    add(left + (postgres ? " ~>=~ " : " >= ") + text_parameter(prefix));
    add(left + (postgres ? " ~<~ " : " < ") + text_parameter(end_of_prefix(prefix)));
}

ListStatements::ListStatements(const ListShape& shape)
    : shape_(shape),
      pages_(shape.name, shape.combinations * shape.order.size() * 2 * 3, true),
      counts_(shape.count, shape.combinations, true),
      guesses_(shape.count, shape.combinations, true)
{
}

std::string ListStatements::column(std::string_view alias, const Order& order) const
{
    const auto& column = shape_.order[order.field];
    return std::string(column.before) + std::string(alias) + std::string(column.name) +
           std::string(column.after);
}

std::string ListStatements::order_by(std::string_view alias, const Order& order) const
{
    const std::string direction = order.descending ? " DESC" : " ASC";
    auto text = column(alias, order) + direction;
    if (!shape_.order[order.field].unique) {
        text += ", " + std::string(alias) + "id" + direction;
    }
    return text;
}

// A page before a row is read backwards from it; the frame, or a second ORDER BY, turns it round.
std::string ListStatements::page_sql(const Conditions& conditions, const Wanted& wanted, Start start) const
{
    const std::string alias(shape_.alias);
    const bool backwards = start == Start::before;
    const Order direction{.field = wanted.order.field, .descending = wanted.order.descending != backwards};
    auto next = conditions.values_.size();
    const auto parameter = [&next] { return '$' + std::to_string(++next); };
    auto sql = "SELECT " + std::string(shape_.columns) + " FROM " + std::string(shape_.from) + ' ' +
               conditions.joins_ + conditions.where_;
    if (start != Start::offset) {
        const auto& column = shape_.order[wanted.order.field];
        const std::string compare = direction.descending ? " < " : " > ";
        sql += conditions.where_.empty() ? "WHERE " : "AND ";
        if (column.unique) {
            sql += this->column(alias, wanted.order) + compare + parameter() + ' ';
        } else {
            sql += '(' + this->column(alias, wanted.order) + ", " + alias + "id)" + compare + '(';
            sql += parameter() + ", ";
            sql += parameter() + ") ";
        }
    }
    sql += "ORDER BY " + order_by(alias, direction) + " LIMIT " + parameter();
    if (start == Start::offset) {
        sql += " OFFSET " + parameter();
    }
    if (shape_.frame) {
        const auto& frame = *shape_.frame;
        return std::string(frame.head) + '(' + sql + ')' + std::string(frame.tail) + "ORDER BY " +
               order_by(frame.alias, wanted.order) + std::string(frame.then);
    }
    return backwards ? "SELECT * FROM (" + sql + ") page ORDER BY " + order_by("page.", wanted.order) : sql;
}

const Query& ListStatements::page(const Conditions& conditions, const Wanted& wanted)
{
    const auto& cursor = wanted.slice.cursor;
    const auto start = !cursor ? Start::offset : (cursor->before ? Start::before : Start::after);
    const auto direction = wanted.order.descending ? 1U : 0U;
    const auto order = (conditions.combination_ * shape_.order.size() + wanted.order.field) * 2 + direction;
    return pages_.variant(order * 3 + static_cast<std::size_t>(start), [&] {
        return page_sql(conditions, wanted, start);
    });
}

const Query& ListStatements::count(const Conditions& conditions)
{
    return counts_.variant(conditions.combination_, [&] {
        return "SELECT count(*) AS total FROM " + std::string(shape_.from) + ' ' + conditions.joins_ +
               conditions.where_;
    });
}

const Query& ListStatements::explain(const Conditions& conditions)
{
    return guesses_.variant(conditions.combination_, [&] {
        return "EXPLAIN SELECT 1 FROM " + std::string(shape_.from) + ' ' + conditions.joins_ +
               conditions.where_;
    });
}

std::vector<Value> ListStatements::page_values(const Conditions& conditions, const Wanted& wanted) const
{
    auto values = conditions.values_;
    const auto& slice = wanted.slice;
    if (slice.cursor) {
        const auto& place = slice.cursor->place;
        if (const auto value = value_of(place)) {
            values.push_back(*value);
        }
        if (!value_of(place) || !shape_.order[wanted.order.field].unique) {
            values.emplace_back(place.id);
        }
    }
    values.emplace_back(slice.rows_max + 1);
    if (!slice.cursor) {
        values.emplace_back(slice.offset);
    }
    return values;
}

Task<ListRows> ListStatements::read(Session& session, const Conditions& conditions, const Wanted& wanted)
{
    const bool guess = wanted.total == Total::estimate && session.engine() == Engine::postgres;
    const auto& query = page(conditions, wanted);
    const auto values = page_values(conditions, wanted);
    const auto& totals = guess ? explain(conditions) : count(conditions);
    const std::array<Statement, 2> statements{{{&query, values}, {&totals, conditions.values_}}};
    auto results = co_await session.run_all(std::span(statements).first(wanted.total == Total::none ? 1 : 2));
    ListRows read{.query = &query, .rows = std::move(results[0]), .total = std::nullopt};
    if (wanted.total == Total::none) {
        co_return read;
    }
    if (guess) {
        read.total = planned_rows(results[1].cell(0, 0).text);
    } else {
        read.total = map_rows<std::int64_t>(totals, results[1]).at(0);
    }
    if (guess && *read.total <= counted_max) {
        const auto& counted = count(conditions);
        const auto rows = co_await session.run({&counted, conditions.values_});
        read.total = map_rows<std::int64_t>(counted, rows).at(0);
    }
    co_return read;
}

}  // namespace kit::db
