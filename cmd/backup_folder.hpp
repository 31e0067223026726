// A backup as it lies on the disk: the manifest, the database, the objects of the local folder.
#pragma once

#include "platform/db/digest.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace kit::cmd {

namespace fs = std::filesystem;

// What a backup says of itself: manifest.json.
struct Manifest {
    std::int64_t format = 1;
    std::string created_at;
    std::string engine;           // sqlite or postgres
    std::string database_sha256;  // of the database's file
    std::vector<db::TableDigest> tables;
    std::int64_t objects = -1;  // files; -1: the objects are in a store elsewhere
};

inline constexpr std::int64_t manifest_format = 1;
inline constexpr const char* manifest_file = "manifest.json";
inline constexpr const char* objects_folder = "objects";

// The database's file in a backup.
const char* database_file(const std::string& engine);

void write_manifest(const fs::path& backup, const Manifest& manifest);

// Throws std::runtime_error where there is none that can be read.
Manifest read_manifest(const fs::path& backup);

// Lower-case hexadecimal SHA-256 of a file of any size.
std::string file_sha256(const fs::path& file);

bool is_empty_or_missing(const fs::path& folder);

// Every object's file, by its key.
std::vector<std::string> object_keys(const fs::path& objects);

// Copies one object; false where it is not there (any more).
bool copy_object(const fs::path& from, const fs::path& to, const std::string& key);

// `fresh` takes the place of `folder`, whose content is removed.
void replace_folder(const fs::path& fresh, const fs::path& folder);

// Runs a program of PostgreSQL with these variables added to the environment. Throws std::runtime_error where
// it is missing or fails; what it says goes to standard error.
void run_program(
    const std::vector<std::string>& command, const std::vector<std::pair<std::string, std::string>>& variables
);

}  // namespace kit::cmd
