// What PostgreSQL's own programs need to reach the database of a DATABASE_URL, and what of it can be
// compared.
#pragma once

#include "platform/core/task.hpp"
#include "platform/db/digest.hpp"

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace kit::db {

class Database;
class Session;

// The URL as libpq's environment variables: a command line would show its password to everybody on the
// machine. Throws Unavailable where libpq does not understand it.
std::vector<std::pair<std::string, std::string>> libpq_environment(const std::string& url);

// Of every table of the current schema, by name.
Task<std::vector<TableDigest>> postgres_digests(Session& session);

// The digests of one moment, together with what `dump` makes of it, which is given the snapshot's name and
// blocks.
Task<std::vector<TableDigest>> dump_postgres(
    Database& database, std::function<void(const std::string&)> dump
);

}  // namespace kit::db
