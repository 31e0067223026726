// SQLSTATEs as the exceptions of platform/db.
#pragma once

#include "platform/db/postgres/handles.hpp"

#include <exception>
#include <string_view>

namespace kit::db::postgres {

// What the driver itself does about a failure.
enum class Remedy : unsigned char {
    none,
    repeat_transaction,  // serialisation failure, deadlock
    repeat_statement,    // cancelled on behalf of a neighbour
    reconnect,  // the prepared statement no longer fits the schema: a new connection prepares it anew
};

struct Failure {
    std::exception_ptr exception;
    Remedy remedy = Remedy::none;
};

// Never with DETAIL, nor with a primary message that may quote a parameter: SQLSTATE, schema names and the
// statement's name.
Failure failure_of(const pg_result* result, std::string_view name);

std::exception_ptr lost_connection();

}  // namespace kit::db::postgres
