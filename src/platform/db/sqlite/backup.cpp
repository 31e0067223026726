#include "platform/db/sqlite/backup.hpp"

#include "platform/crypto/hash.hpp"
#include "platform/db/sqlite/errors.hpp"

#include <sqlite3.h>

#include <fcntl.h>
#include <memory>
#include <unistd.h>

namespace kit::db {

namespace {

constexpr int busy_wait_ms_max = 30'000;  // for the server's writer, and for readers to leave
constexpr int all_pages = -1;  // of one step: one moment's state, however much is written meanwhile

struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }

    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

using Handle = std::unique_ptr<sqlite3, Close>;
using Prepared = std::unique_ptr<sqlite3_stmt, Close>;

Handle open(const std::filesystem::path& path, int flags)
{
    sqlite3* raw = nullptr;
    const int code =
        sqlite3_open_v2(path.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
    Handle handle(raw);
    if (code != SQLITE_OK) {
        sqlite::throw_failure(raw, code, "opening " + path.string());
    }
    sqlite3_busy_timeout(raw, busy_wait_ms_max);
    return handle;
}

Prepared prepare(sqlite3* handle, const std::string& sql)
{
    sqlite3_stmt* raw = nullptr;
    const int code = sqlite3_prepare_v2(handle, sql.c_str(), static_cast<int>(sql.size()), &raw, nullptr);
    if (code != SQLITE_OK) {
        sqlite::throw_prepare_failure(handle, code, "backup");
    }
    return Prepared(raw);
}

// True while there is a row.
bool step(sqlite3* handle, sqlite3_stmt* statement)
{
    const int code = sqlite3_step(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        sqlite::throw_failure(handle, code, "backup");
    }
    return code == SQLITE_ROW;
}

std::string text_of(sqlite3_stmt* statement, int column)
{
    const auto* const bytes = static_cast<const char*>(sqlite3_column_blob(statement, column));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
    return size == 0 ? std::string() : std::string(bytes, size);
}

// Each value with its type and length before it, so that no two rows give the same bytes.
std::uint64_t row_digest(sqlite3_stmt* statement)
{
    std::string row;
    for (int column = 0; column < sqlite3_column_count(statement); ++column) {
        const auto type = sqlite3_column_type(statement, column);
        const auto value = text_of(statement, column);
        row += std::to_string(type) + ':' + std::to_string(value.size()) + ':' + value + ',';
    }
    const auto digest = sha256(row);
    std::uint64_t number = 0;
    for (std::size_t byte = 0; byte < sizeof number; ++byte) {
        number = number << 8U | std::to_integer<std::uint64_t>(digest.at(byte));
    }
    return number;
}

std::string quoted_name(const std::string& name)
{
    std::string text = "\"";
    for (const char byte : name) {
        text += byte;
        text += byte == '"' ? "\"" : "";
    }
    return text + '"';
}

void execute(sqlite3* handle, const char* sql)
{
    if (const int code = sqlite3_exec(handle, sql, nullptr, nullptr, nullptr); code != SQLITE_OK) {
        sqlite::throw_failure(handle, code, "backup");
    }
}

}  // namespace

void copy_sqlite(const std::filesystem::path& from, const std::filesystem::path& to)
{
    const int created = ::open(to.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);  // for its owner alone
    if (created >= 0) {
        ::close(created);
    }
    const auto source = open(from, SQLITE_OPEN_READWRITE);  // a log's index may have to be made
    const auto target = open(to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    auto* const backup = sqlite3_backup_init(target.get(), "main", source.get(), "main");
    if (backup == nullptr) {
        sqlite::throw_failure(target.get(), sqlite3_errcode(target.get()), "backup");
    }
    int code = SQLITE_OK;
    for (int waited = 0; waited <= busy_wait_ms_max; waited += 10) {
        code = sqlite3_backup_step(backup, all_pages);
        if (code != SQLITE_BUSY && code != SQLITE_LOCKED) {
            break;
        }
        sqlite3_sleep(10);
    }
    sqlite3_backup_finish(backup);
    if (code != SQLITE_DONE) {
        sqlite::throw_failure(target.get(), code, "backup");
    }
}

std::string check_sqlite(const std::filesystem::path& path)
{
    const auto handle = open(path, SQLITE_OPEN_READWRITE);
    const auto integrity = prepare(handle.get(), "PRAGMA integrity_check(1)");
    if (step(handle.get(), integrity.get())) {
        if (auto found = text_of(integrity.get(), 0); found != "ok") {
            return found;
        }
    }
    const auto references = prepare(handle.get(), "PRAGMA foreign_key_check");
    if (step(handle.get(), references.get())) {
        return "a reference of table " + text_of(references.get(), 0) + " leads nowhere";
    }
    return {};
}

std::vector<std::string> sqlite_texts(const std::filesystem::path& path, const std::string& sql)
{
    const auto handle = open(path, SQLITE_OPEN_READWRITE);
    const auto statement = prepare(handle.get(), sql);
    std::vector<std::string> texts;
    while (step(handle.get(), statement.get())) {
        texts.push_back(text_of(statement.get(), 0));
    }
    return texts;
}

std::vector<TableDigest> sqlite_digests(const std::filesystem::path& path)
{
    std::vector<TableDigest> digests;
    std::error_code error;
    if (!std::filesystem::exists(path, error)) {
        return digests;
    }
    const auto handle = open(path, SQLITE_OPEN_READWRITE);
    execute(handle.get(), "BEGIN");  // all of one moment
    const auto tables =
        prepare(handle.get(), "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name");
    while (step(handle.get(), tables.get())) {
        TableDigest table{.name = text_of(tables.get(), 0)};
        std::uint64_t sum = 0;
        const auto rows = prepare(handle.get(), "SELECT * FROM " + quoted_name(table.name));
        while (step(handle.get(), rows.get())) {
            ++table.rows;
            sum += row_digest(rows.get());
        }
        table.digest = std::to_string(sum);
        digests.push_back(std::move(table));
    }
    return digests;
}

}  // namespace kit::db
