// The embedded engine: a SQLite file in WAL mode, one writer thread, readers beside it.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/core/workers.hpp"
#include "platform/db/database.hpp"

#include <memory>
#include <string>

namespace kit::db {

// A database of its own that ends with the object, for tests: the same engine on a file in memory.
inline constexpr std::string_view sqlite_in_memory = ":memory:";

// Opens or creates the file (mode 0600). Throws Unavailable when that fails. `workers` and `clock` outlive
// the database. close() may be called while the loops run or not; the destructor does it otherwise.
std::unique_ptr<Database> open_sqlite(
    const std::string& path, Workers& workers, Clock& clock, const DatabaseOptions& options
);

}  // namespace kit::db
