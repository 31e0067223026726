#include "backup_folder.hpp"

#include "platform/config/files.hpp"
#include "platform/crypto/hash.hpp"
#include "platform/json/json.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <spawn.h>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace kit::db {

BOOST_DESCRIBE_STRUCT(TableDigest, (), (name, rows, digest))

}  // namespace kit::db

namespace kit::cmd {

BOOST_DESCRIBE_STRUCT(Manifest, (), (format, created_at, engine, database_sha256, tables, objects))

namespace {

constexpr std::size_t manifest_bytes_max = 1024UL * 1024;

}  // namespace

const char* database_file(const std::string& engine)
{
    return engine == "sqlite" ? "database.sqlite" : "database.dump";
}

void write_manifest(const fs::path& backup, const Manifest& manifest)
{
    std::string text;
    json::write(text, manifest);
    std::ofstream file(backup / manifest_file);
    file << text << '\n';
    if (!file.flush()) {
        throw std::runtime_error(fmt::format("{} cannot be written", manifest_file));
    }
}

Manifest read_manifest(const fs::path& backup)
{
    const auto text = config::read_file(backup / manifest_file, manifest_bytes_max);
    if (!text) {
        throw std::runtime_error(
            fmt::format("{} is no backup: {}: {}", backup.string(), manifest_file, text.error().reason())
        );
    }
    auto manifest = json::read<Manifest>(*text);
    if (!manifest || (manifest->engine != "sqlite" && manifest->engine != "postgres")) {
        throw std::runtime_error(fmt::format("{} is no backup: its manifest cannot be read", backup.string())
        );
    }
    if (manifest->format != manifest_format) {
        throw std::runtime_error(fmt::format(
            "{} has format {}, and this program knows {}", backup.string(), manifest->format, manifest_format
        ));
    }
    return std::move(*manifest);
}

std::string file_sha256(const fs::path& path)
{
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status{};
    if (file < 0 || ::fstat(file, &status) != 0) {
        throw std::runtime_error(fmt::format("{} cannot be read", path.string()));
    }
    const auto size = static_cast<std::size_t>(status.st_size);
    void* const mapped = size == 0 ? nullptr : ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    ::close(file);
    if (mapped == MAP_FAILED) {
        throw std::runtime_error(fmt::format("{} cannot be read", path.string()));
    }
    auto hash = sha256_hex({static_cast<const char*>(mapped), size});
    if (mapped != nullptr) {
        ::munmap(mapped, size);
    }
    return hash;
}

bool is_empty_or_missing(const fs::path& folder)
{
    return !fs::exists(folder) || (fs::is_directory(folder) && fs::is_empty(folder));
}

std::vector<std::string> object_keys(const fs::path& objects)
{
    std::vector<std::string> keys;
    if (!fs::exists(objects)) {
        return keys;
    }
    for (const auto& entry : fs::recursive_directory_iterator(objects)) {
        auto key = entry.path().lexically_relative(objects).string();
        if (entry.is_regular_file() && !key.starts_with('.')) {
            keys.push_back(std::move(key));
        }
    }
    return keys;
}

bool copy_object(const fs::path& from, const fs::path& to, const std::string& key)
{
    fs::create_directories((to / key).parent_path());
    std::error_code error;
    fs::copy_file(from / key, to / key, error);
    if (error == std::errc::no_such_file_or_directory) {
        return false;
    }
    if (error && error != std::errc::file_exists) {
        throw fs::filesystem_error("copying an object", from / key, error);
    }
    return true;
}

void replace_folder(const fs::path& fresh, const fs::path& folder)
{
    const auto old = folder.string() + ".old";
    fs::remove_all(old);
    if (fs::exists(folder)) {
        fs::rename(folder, old);
    }
    fs::rename(fresh, folder);
    fs::remove_all(old);
}

void run_program(
    const std::vector<std::string>& command, const std::vector<std::pair<std::string, std::string>>& variables
)
{
    std::vector<std::string> environment;
    for (const auto& [name, value] : variables) {
        environment.push_back(fmt::format("{}={}", name, value));
    }
    std::vector<char*> entries;
    for (auto& entry : environment) {
        entries.push_back(entry.data());  // the first of a name counts
    }
    for (char** entry = environ; *entry != nullptr; ++entry) {
        entries.push_back(*entry);
    }
    entries.push_back(nullptr);
    std::vector<std::string> words = command;
    std::vector<char*> arguments;
    for (auto& word : words) {
        arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    pid_t child = 0;
    if (const int code =
            ::posix_spawnp(&child, arguments[0], nullptr, nullptr, arguments.data(), entries.data());
        code != 0) {
        throw std::runtime_error(
            fmt::format("{} cannot be run: install PostgreSQL's client programs", command[0])
        );
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        throw std::runtime_error(fmt::format("{} failed", command[0]));
    }
}

}  // namespace kit::cmd
