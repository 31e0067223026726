// The production engine: PostgreSQL through libpq in pipeline mode, each worker with its own connections.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/core/workers.hpp"
#include "platform/db/database.hpp"

#include <memory>
#include <string>

namespace kit::db {

// Connects with the first statement. Throws std::invalid_argument, without quoting it, when `url` is neither
// a PostgreSQL URL nor a key=value list. `workers` and `clock` outlive the database. close() is called while
// the workers' loops run, before the end.
std::unique_ptr<Database> open_postgres(
    const std::string& url, Workers& workers, Clock& clock, const DatabaseOptions& options
);

}  // namespace kit::db
