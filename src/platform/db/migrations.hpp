// Numbered SQL files, compiled into the binary, applied once each and in order.
//
// What was applied stands in `schema_migrations` with its checksum: a file that changes afterwards is an
// error, never a repair. Each migration is one transaction together with its row there. They only expand the
// schema, so that the previous version of the program still runs beside the new one; hence one that this
// binary does not know is no error.
#pragma once

#include "platform/db/database.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kit::db {

struct Migration {
    int version;
    std::string_view name;  // "0001_accounts"
    std::string_view sql;
    std::string_view checksum;  // SHA-256 of the file, hexadecimal
};

// Those of migrations/<engine>, ascending.
std::span<const Migration> embedded_migrations(Engine engine);

enum class MigrationState : std::uint8_t {
    applied,
    pending,
    changed,  // applied, but with another content
    unknown,  // applied by a newer version of the program
};

struct MigrationStatus {
    int version;
    std::string name;
    MigrationState state;
};

// The state of each, ascending. Changes nothing.
Task<std::vector<MigrationStatus>> migration_status(
    Database& database, std::span<const Migration> migrations
);

// Applies what is pending and returns the names. Nodes that start together wait for each other. Throws
// QueryFailed, with nothing of the failed migration applied, when one fails or an applied one has changed.
Task<std::vector<std::string>> migrate_up(
    Database& database, std::span<const Migration> migrations, Timestamp now
);

}  // namespace kit::db
