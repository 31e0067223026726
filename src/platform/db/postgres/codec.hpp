// Parameters to the wire, results from it.
#pragma once

#include "platform/db/database.hpp"
#include "platform/db/postgres/handles.hpp"

#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kit::db::postgres {

// Throws QueryFailed for what PostgreSQL cannot take: a text with a NUL, more than 65,535 parameters.
void check_parameters(const Statement& statement);

// Parameters as libpq wants them. All but bytes go as text, so that the server infers each one's type from
// the statement, just as SQLite does. One object is used for many statements: its buffers are kept.
class Parameters {
public:
    // Of a checked statement. Valid until the next call.
    void encode(const Statement& statement);

    int count() const { return static_cast<int>(values_.size()); }

    const char* const* values() const { return values_.data(); }

    const int* lengths() const { return lengths_.data(); }

    const int* formats() const { return formats_.data(); }

private:
    void text(std::string_view text);

    std::vector<const char*> values_;
    std::vector<int> lengths_;
    std::vector<int> formats_;
    std::string buffer_;
    std::vector<std::size_t> offsets_;
};

Columns column_names(const pg_result* result);

// Binary results only. The rows keep the result. Throws QueryFailed for a type that has no Cell.
Rows decode(ResultHandle result, const Columns& columns, std::string_view name);

}  // namespace kit::db::postgres
