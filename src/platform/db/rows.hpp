// Rows into structs described with BOOST_DESCRIBE_STRUCT, or into single values, by column name.
//
// Every member needs its column and every column its member: otherwise QueryFailed. Members may be integers,
// bool, double, std::string, Timestamp, std::vector<std::byte>, enums and std::optional of these; NULL only
// fits an optional. An enum described with BOOST_DESCRIBE_ENUM is read from its name, any other from its
// number.
#pragma once

#include "platform/db/database.hpp"

#include <boost/describe/enumerators.hpp>
#include <boost/describe/members.hpp>
#include <boost/mp11/algorithm.hpp>
#include <boost/mp11/list.hpp>

#include <array>
#include <cstring>

namespace kit::db {

namespace detail {

template <class T>
concept Described = boost::describe::has_describe_members<T>::value && !std::is_enum_v<T>;

template <class T>
constexpr bool is_optional = false;
template <class T>
constexpr bool is_optional<std::optional<T>> = true;

// False: text that is not a time.
bool read_timestamp(const Cell& cell, Timestamp& out);

// `order[i]` becomes the index of `members[i]` among the columns. Throws QueryFailed unless both are the same
// set of names.
void match_columns(
    const Query& query,
    const Columns& columns,
    std::span<const char* const> members,
    std::span<std::size_t> order
);

[[noreturn]] void refuse_cell(const Query& query, std::string_view column, const Cell& cell);

template <class E>
bool read_enum_name(std::string_view name, E& out)
{
    bool found = false;
    boost::mp11::mp_for_each<boost::describe::describe_enumerators<E>>([&](auto enumerator) {
        if (name == enumerator.name) {
            out = enumerator.value;
            found = true;
        }
    });
    return found;
}

// False when the cell does not hold a T.
template <class T>
bool read_cell(const Cell& cell, T& out)
{
    if constexpr (is_optional<T>) {
        if (cell.kind == Cell::Kind::null) {
            out.reset();
            return true;
        }
        return read_cell(cell, out.emplace());
    } else if constexpr (std::same_as<T, bool>) {
        out = cell.integer != 0;
        return cell.kind == Cell::Kind::integer && (cell.integer == 0 || cell.integer == 1);
    } else if constexpr (std::is_enum_v<T> && boost::describe::has_describe_enumerators<T>::value) {
        return cell.kind == Cell::Kind::text && read_enum_name(cell.text, out);
    } else if constexpr (std::is_enum_v<T>) {
        std::underlying_type_t<T> number{};
        const bool fits = read_cell(cell, number);
        out = static_cast<T>(number);
        return fits;
    } else if constexpr (std::integral<T>) {
        out = static_cast<T>(cell.integer);
        return cell.kind == Cell::Kind::integer && std::in_range<T>(cell.integer);
    } else if constexpr (std::floating_point<T>) {
        out =
            static_cast<T>(cell.kind == Cell::Kind::integer ? static_cast<double>(cell.integer) : cell.real);
        return cell.kind == Cell::Kind::real || cell.kind == Cell::Kind::integer;
    } else if constexpr (std::same_as<T, Timestamp>) {
        return read_timestamp(cell, out);
    } else if constexpr (std::same_as<T, std::string>) {
        out = cell.text;
        return cell.kind == Cell::Kind::text || cell.kind == Cell::Kind::blob;
    } else {
        static_assert(std::same_as<T, std::vector<std::byte>>, "no column holds this type");
        out.resize(cell.text.size());
        std::memcpy(out.data(), cell.text.data(), cell.text.size());
        return cell.kind == Cell::Kind::blob;
    }
}

template <class T>
void fill(const Query& query, const Rows& rows, std::size_t row, std::size_t column, T& out)
{
    if (!read_cell(rows.cell(row, column), out)) [[unlikely]] {
        refuse_cell(query, (*rows.columns())[column], rows.cell(row, column));
    }
}

template <class Row>
using MembersOf =
    boost::describe::describe_members<Row, boost::describe::mod_public | boost::describe::mod_inherited>;

template <class Row>
constexpr auto member_names = []<class... Members>(boost::mp11::mp_list<Members...>) {
    return std::array<const char*, sizeof...(Members)>{Members::name...};
}(boost::mp11::mp_rename<MembersOf<Row>, boost::mp11::mp_list>());

// The order of a struct's columns, found once per statement: `columns` keeps the names alive, so its address
// identifies them.
template <class Row>
struct ColumnOrder {
    Columns columns;
    std::array<std::size_t, member_names<Row>.size()> indexes{};
};

template <class Row>
const ColumnOrder<Row>& column_order(const Query& query, const Rows& rows)
{
    thread_local ColumnOrder<Row> order;
    if (order.columns != rows.columns() || !order.columns) {
        order.columns.reset();
        match_columns(query, rows.columns(), member_names<Row>, order.indexes);
        order.columns = rows.columns();
    }
    return order;
}

void require_one_column(const Query& query, const Columns& columns);

}  // namespace detail

// A Row may also be a single value, for a statement with one column.
template <class Row>
std::vector<Row> map_rows(const Query& query, const Rows& rows)
{
    std::vector<Row> mapped;
    mapped.reserve(rows.size());
    if constexpr (detail::Described<Row>) {
        const auto& order = detail::column_order<Row>(query, rows);
        for (std::size_t row = 0; row < rows.size(); ++row) {
            Row& out = mapped.emplace_back();
            const std::size_t* column = order.indexes.data();
            boost::mp11::mp_for_each<detail::MembersOf<Row>>([&](auto member) {
                detail::fill(query, rows, row, *column++, out.*member.pointer);
            });
        }
    } else {
        detail::require_one_column(query, rows.columns());
        for (std::size_t row = 0; row < rows.size(); ++row) {
            Row value{};
            detail::fill(query, rows, row, 0, value);
            mapped.push_back(std::move(value));
        }
    }
    return mapped;
}

namespace detail {

// The values are the coroutine's own, so that only texts and bytes must outlive the call.
template <class Row, std::size_t N>
Task<std::vector<Row>> query_rows(Session& session, const Query& query, std::array<Value, N> values)
{
    const auto rows = co_await session.run({.query = &query, .values = values});
    co_return map_rows<Row>(query, rows);
}

template <std::size_t N>
Task<std::int64_t> count_affected(Session& session, const Query& query, std::array<Value, N> values)
{
    const auto rows = co_await session.run({.query = &query, .values = values});
    co_return rows.affected();
}

}  // namespace detail

template <class Row, class... Parameters>
Task<std::vector<Row>> Session::query(const Query& query, Parameters&&... parameters)
{
    return detail::query_rows<Row>(
        *this, query, std::array<Value, sizeof...(Parameters)>{Value(parameters)...}
    );
}

template <class... Parameters>
Task<std::int64_t> Session::execute(const Query& query, Parameters&&... parameters)
{
    return detail::count_affected(
        *this, query, std::array<Value, sizeof...(Parameters)>{Value(parameters)...}
    );
}

}  // namespace kit::db
