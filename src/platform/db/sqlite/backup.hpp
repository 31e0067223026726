// Whole copies of SQLite databases, also of one that a server is using. Everything here blocks, and throws
// Unavailable or QueryFailed.
#pragma once

#include "platform/db/digest.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace kit::db {

// The state at one moment of `from` becomes that of `to`, which is made where it does not exist, by SQLite's
// backup interface: servers go on reading and writing `from`, and those that use `to` go on with its new
// content. The copy is one file, without a log beside it.
void copy_sqlite(const std::filesystem::path& from, const std::filesystem::path& to);

// What is wrong with the file's structure or its references; empty: nothing.
std::string check_sqlite(const std::filesystem::path& path);

// Of every table, by name. None where there is no such file.
std::vector<TableDigest> sqlite_digests(const std::filesystem::path& path);

// The first column of a query's rows, as text.
std::vector<std::string> sqlite_texts(const std::filesystem::path& path, const std::string& sql);

}  // namespace kit::db
