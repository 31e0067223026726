#include "platform/db/postgres/errors.hpp"

#include "platform/db/database.hpp"

#include <libpq-fe.h>

#include <string>

namespace kit::db::postgres {

namespace {

std::string_view field(const pg_result* result, int code)
{
    const char* text = PQresultErrorField(result, code);
    return text == nullptr ? std::string_view() : std::string_view(text);
}

std::string describe(const pg_result* result, std::string_view name, std::string_view state)
{
    std::string text(name);
    text.append(": SQLSTATE ").append(state.empty() ? "unknown" : state);
    // Class 42 is about the statement's own text: names that do not exist, syntax. Other messages may quote
    // data.
    if (state.starts_with("42")) {
        text.append(", ").append(field(result, PG_DIAG_MESSAGE_PRIMARY));
    }
    for (const auto& [label, code] :
         {std::pair{", table ", PG_DIAG_TABLE_NAME},
          std::pair{", column ", PG_DIAG_COLUMN_NAME},
          std::pair{", constraint ", PG_DIAG_CONSTRAINT_NAME}}) {
        if (const auto value = field(result, code); !value.empty()) {
            text.append(label).append(value);
        }
    }
    return text;
}

bool is_outage(std::string_view state)
{
    if (state == "08P01") {
        return false;  // a bind with the wrong number of parameters
    }
    // Connection lost, resources (too many connections, disk full), shutdown, read-only server, system error.
    return state.starts_with("08") || state.starts_with("53") || state.starts_with("57P") ||
           state == "25006" || state.starts_with("58");
}

}  // namespace

void CloseConnection::operator()(pg_conn* connection) const noexcept
{
    PQfinish(connection);
}

void ClearResult::operator()(pg_result* result) const noexcept
{
    PQclear(result);
}

Failure failure_of(const pg_result* result, std::string_view name)
{
    using Kind = ConstraintViolation::Kind;
    const auto state = field(result, PG_DIAG_SQLSTATE);
    const auto text = describe(result, name, state);
    for (const auto& [code, kind] :
         {std::pair{"23505", Kind::unique},
          std::pair{"23503", Kind::foreign_key},
          std::pair{"23514", Kind::check},
          std::pair{"23502", Kind::not_null}}) {
        if (state == code) {
            return {.exception = std::make_exception_ptr(ConstraintViolation(kind, text))};
        }
    }
    if (state == "40001" || state == "40P01") {
        return {
            .exception = std::make_exception_ptr(Unavailable(text)), .remedy = Remedy::repeat_transaction
        };
    }
    if (state == "57014") {
        return {
            .exception = std::make_exception_ptr(DeadlineExceeded(text)), .remedy = Remedy::repeat_statement
        };
    }
    if (state == "26000" || state == "0A000") {
        return {.exception = std::make_exception_ptr(QueryFailed(text)), .remedy = Remedy::reconnect};
    }
    if (is_outage(state) || state.empty()) {
        return {.exception = std::make_exception_ptr(Unavailable(text))};
    }
    return {.exception = std::make_exception_ptr(QueryFailed(text))};
}

std::exception_ptr lost_connection()
{
    return std::make_exception_ptr(Unavailable("the connection to the database was lost"));
}

}  // namespace kit::db::postgres
