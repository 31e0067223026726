#include "platform/db/open.hpp"

#include "platform/db/postgres/postgres.hpp"
#include "platform/db/sqlite/sqlite.hpp"

#include <stdexcept>

namespace kit::db {

std::unique_ptr<Database> open_database(
    const std::string& url, Workers& workers, Clock& clock, const DatabaseOptions& options
)
{
    constexpr std::string_view sqlite_scheme = "sqlite:";
    if (!url.starts_with(sqlite_scheme)) {
        const bool is_postgres = url.starts_with("postgres://") || url.starts_with("postgresql://") ||
                                 (url.find("://") == std::string::npos && url.find('=') != std::string::npos);
        if (!is_postgres) {
            throw std::invalid_argument(
                "the database URL starts with postgres://, postgresql:// or sqlite:, or is a key=value list"
            );
        }
        return open_postgres(url, workers, clock, options);
    }
    std::string_view path = url;
    path.remove_prefix(sqlite_scheme.size());
    if (path.starts_with("///")) {
        path.remove_prefix(2);
    } else if (path.starts_with("//")) {
        throw std::invalid_argument("a SQLite URL has three slashes before an absolute path: sqlite:///path");
    }
    if (path.empty() || path.ends_with('/')) {
        throw std::invalid_argument("the SQLite URL names no file");
    }
    return open_sqlite(std::string(path), workers, clock, options);
}

}  // namespace kit::db
