// The database that a DATABASE_URL names.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/core/workers.hpp"
#include "platform/db/database.hpp"

#include <memory>
#include <string>

namespace kit::db {

// `sqlite:///absolute/path`, `sqlite:relative/path`, `sqlite::memory:` (tests); anything else is
// PostgreSQL's: a `postgres://` or `postgresql://` URL or a key=value list. Throws std::invalid_argument for
// what is neither, never quoting it, and Unavailable when a SQLite file cannot be opened. PostgreSQL is
// reached with the first statement.
std::unique_ptr<Database> open_database(
    const std::string& url, Workers& workers, Clock& clock, const DatabaseOptions& options
);

}  // namespace kit::db
