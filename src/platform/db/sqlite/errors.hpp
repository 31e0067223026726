// SQLite's result codes as the exceptions of platform/db.
#pragma once

#include <string_view>

struct sqlite3;

namespace kit::db::sqlite {

// Throws for `code`. Never with a value of a parameter: SQLite's own message is used only where it names
// schema, not data.
[[noreturn]] void throw_failure(sqlite3* handle, int code, std::string_view name);

// The same for a statement that could not be prepared; nothing is bound yet, so the whole message is shown.
[[noreturn]] void throw_prepare_failure(sqlite3* handle, int code, std::string_view name);

}  // namespace kit::db::sqlite
