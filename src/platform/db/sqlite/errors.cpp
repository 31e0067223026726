#include "platform/db/sqlite/errors.hpp"

#include "platform/db/database.hpp"

#include <sqlite3.h>

#include <string>

namespace kit::db::sqlite {

namespace {

std::string describe(std::string_view name, const char* reason)
{
    return std::string(name).append(": ").append(reason);
}

ConstraintViolation::Kind constraint_kind(int code)
{
    switch (code) {
        case SQLITE_CONSTRAINT_FOREIGNKEY:
            return ConstraintViolation::Kind::foreign_key;
        case SQLITE_CONSTRAINT_CHECK:
        case SQLITE_CONSTRAINT_DATATYPE:
        case SQLITE_CONSTRAINT_TRIGGER:
            return ConstraintViolation::Kind::check;
        case SQLITE_CONSTRAINT_NOTNULL:
            return ConstraintViolation::Kind::not_null;
        default:
            return ConstraintViolation::Kind::unique;  // unique, primary key, row id
    }
}

}  // namespace

void throw_failure(sqlite3* handle, int code, std::string_view name)
{
    switch (code & 0xff) {
        case SQLITE_CONSTRAINT:
            // "UNIQUE constraint failed: users.email": tables and columns only.
            throw ConstraintViolation(constraint_kind(code), describe(name, sqlite3_errmsg(handle)));
        case SQLITE_INTERRUPT:
            throw DeadlineExceeded(describe(name, "deadline exceeded"));
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            throw Unavailable(describe(name, "another process holds the database"));
        case SQLITE_FULL:
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN:
        case SQLITE_READONLY:
        case SQLITE_NOMEM:
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
        case SQLITE_PROTOCOL:
        case SQLITE_PERM:
            throw Unavailable(describe(name, sqlite3_errstr(code)));
        default:
            throw QueryFailed(describe(name, sqlite3_errstr(code)));
    }
}

void throw_prepare_failure(sqlite3* handle, int code, std::string_view name)
{
    if ((code & 0xff) == SQLITE_ERROR) {
        throw QueryFailed(describe(name, sqlite3_errmsg(handle)));
    }
    throw_failure(handle, code, name);
}

}  // namespace kit::db::sqlite
