// `backup`: the database and the local objects, at one moment, while the server runs.
#include "platform/db/sqlite/backup.hpp"

#include "backup_folder.hpp"
#include "command.hpp"
#include "platform/db/postgres/tools.hpp"
#include "platform/db/rows.hpp"
#include "tool.hpp"

#include <fmt/format.h>

#include <set>
#include <sys/stat.h>

namespace kit::cmd {

namespace {

constexpr const char* keys_sql = "SELECT object_key FROM avatars";
constexpr db::Query list_keys{"backup.object_keys", keys_sql};

// The copy of the database, and what may be said of it.
struct Copy {
    std::vector<db::TableDigest> tables;
    std::set<std::string> object_keys;
};

Copy copy_sqlite_database(const config::Config& config, const fs::path& file)
{
    db::copy_sqlite(config.database.sqlite_path, file);
    if (const auto fault = db::check_sqlite(file); !fault.empty()) {
        throw std::runtime_error("the copy is not sound: " + fault);
    }
    const auto keys = db::sqlite_texts(file, keys_sql);
    return {.tables = db::sqlite_digests(file), .object_keys = {keys.begin(), keys.end()}};
}

Copy dump_postgres_database(Tool& tool, const fs::path& file)
{
    const auto variables = db::libpq_environment(std::string(tool.config().database.url.reveal()));
    auto tables = tool.run(db::dump_postgres(tool.database(), [&](const std::string& snapshot) {
        run_program(
            {"pg_dump",
             "--format=custom",
             "--no-owner",
             "--no-privileges",
             "--snapshot=" + snapshot,
             "--file=" + file.string()},
            variables
        );
    }));
    run_program({"pg_restore", "--list", "--file=/dev/null", file.string()}, {});  // it can be read
    const auto keys = tool.run(tool.database().query<std::string>(list_keys));
    return {.tables = std::move(tables), .object_keys = {keys.begin(), keys.end()}};
}

// What was there before and after the database was copied, and belongs to it: nothing that the copy refers to
// is missing, but for what was removed meanwhile.
std::int64_t copy_objects(const fs::path& from, const fs::path& to, const std::set<std::string>& wanted)
{
    std::int64_t copied = 0;
    for (const auto& key : object_keys(to)) {
        if (!wanted.contains(key)) {
            fs::remove(to / key);
        }
    }
    for (const auto& key : wanted) {
        copied += copy_object(from, to, key) || fs::exists(to / key) ? 1 : 0;
    }
    return copied;
}

void back_up(Tool& tool, const fs::path& target, Report& report)
{
    const auto& config = tool.config();
    const bool sqlite = config.database.engine == config::Engine::sqlite;
    const auto draft = fs::path(target.string() + ".unfinished");
    fs::remove_all(draft);
    fs::create_directories(draft);
    const auto verified = tool.run(tool.audit().verify());
    if (!verified.fault.empty()) {
        report.details.push_back("warning: the audit trail of this database is not whole: " + verified.fault);
    }
    const auto objects = draft / objects_folder;
    const bool has_objects = !config.blob.configured();
    if (has_objects) {
        fs::create_directories(objects);
        for (const auto& key : object_keys(config.process.blob_dir())) {
            copy_object(config.process.blob_dir(), objects, key);
        }
    }
    Manifest manifest{
        .created_at = to_rfc3339(tool.clock().now()),
        .engine = sqlite ? "sqlite" : "postgres",
        .database_sha256 = {}
    };
    const auto file = draft / database_file(manifest.engine);
    auto copy = sqlite ? copy_sqlite_database(config, file) : dump_postgres_database(tool, file);
    if (has_objects) {
        manifest.objects = copy_objects(config.process.blob_dir(), objects, copy.object_keys);
    }
    manifest.database_sha256 = file_sha256(file);
    manifest.tables = std::move(copy.tables);
    write_manifest(draft, manifest);
    replace_folder(draft, target);
    std::int64_t rows = 0;
    for (const auto& table : manifest.tables) {
        rows += table.rows;
    }
    report.details.push_back("backup: " + target.string());
    report.details.push_back(fmt::format("tables: {}, rows: {}", manifest.tables.size(), rows));
    report.details.push_back(
        has_objects ? fmt::format("objects: {}", manifest.objects)
                    : "objects: not included, they are in the store of MINIO_ENDPOINT"
    );
}

}  // namespace

int run_backup(const Arguments& arguments)
{
    ::umask(077);  // a backup holds what the database does
    const auto to = arguments.value("to", "");
    if (to.empty()) {
        return print({.title = "backup", .details = {}, .error = "--to <folder> is required"}, arguments);
    }
    const auto target = fs::absolute(to).lexically_normal();
    return run_long_tool(arguments, "backup", [&](Tool& tool, Report& report) {
        if (!is_empty_or_missing(target) && !arguments.has("overwrite")) {
            report.error =
                fmt::format("{} is not empty: name another folder, or --overwrite", target.string());
            return;
        }
        back_up(tool, target, report);
    });
}

}  // namespace kit::cmd
