#include "platform/db/rows.hpp"

#include <algorithm>

namespace kit::db::detail {

namespace {

std::string_view kind_name(Cell::Kind kind)
{
    switch (kind) {
        case Cell::Kind::null:
            return "NULL";
        case Cell::Kind::integer:
            return "an integer";
        case Cell::Kind::real:
            return "a real number";
        case Cell::Kind::text:
            return "a text";
        case Cell::Kind::blob:
            return "bytes";
        case Cell::Kind::timestamp:
            return "a timestamp";
    }
    return "a value";
}

std::string describe(const Query& query, std::string_view what, std::string_view column)
{
    return std::string(query.name).append(": ").append(what).append(" '").append(column).append("'");
}

}  // namespace

bool read_timestamp(const Cell& cell, Timestamp& out)
{
    if (cell.kind == Cell::Kind::timestamp) {
        out = Timestamp(std::chrono::microseconds(cell.integer));
        return true;
    }
    if (cell.kind != Cell::Kind::text) {
        return false;
    }
    const auto parsed = parse_rfc3339(cell.text);
    out = parsed.value_or(Timestamp());
    return parsed.has_value();
}

void match_columns(
    const Query& query,
    const Columns& columns,
    std::span<const char* const> members,
    std::span<std::size_t> order
)
{
    if (!columns) {
        throw QueryFailed(std::string(query.name) + ": the statement returns no columns");
    }
    for (std::size_t index = 0; index < members.size(); ++index) {
        const auto found = std::ranges::find(*columns, members[index]);
        if (found == columns->end()) {
            throw QueryFailed(describe(query, "no column for the member", members[index]));
        }
        order[index] = static_cast<std::size_t>(found - columns->begin());
    }
    for (const auto& column : *columns) {
        if (std::ranges::find(members, std::string_view(column)) == members.end()) {
            throw QueryFailed(describe(query, "no member for the column", column));
        }
    }
    if (columns->size() != members.size()) {
        throw QueryFailed(std::string(query.name) + ": two columns have the same name");
    }
}

void require_one_column(const Query& query, const Columns& columns)
{
    if (!columns || columns->size() != 1) {
        throw QueryFailed(std::string(query.name) + ": a single value needs exactly one column");
    }
}

void refuse_cell(const Query& query, std::string_view column, const Cell& cell)
{
    throw QueryFailed(describe(query, std::string(kind_name(cell.kind)) + " does not fit the column", column)
    );
}

}  // namespace kit::db::detail
