// `restore`: a backup becomes the database and the local objects of the settings.
#include "backup_folder.hpp"
#include "command.hpp"
#include "platform/db/postgres/tools.hpp"
#include "platform/db/sqlite/backup.hpp"
#include "tool.hpp"

#include <fmt/format.h>

#include <sys/stat.h>

namespace kit::cmd {

namespace {

using Digests = std::vector<db::TableDigest>;

void require_same(const Digests& restored, const Digests& saved)
{
    for (const auto& table : saved) {
        const auto found = std::ranges::find(restored, table.name, &db::TableDigest::name);
        if (found == restored.end() || *found != table) {
            throw std::runtime_error(fmt::format("table {} is not what was saved", table.name));
        }
    }
}

void refuse_full_database(const Digests& tables, bool overwrite)
{
    if (!tables.empty() && !overwrite) {
        throw std::runtime_error("the database is not empty: name another one, or --overwrite");
    }
}

void restore_sqlite(
    const config::Config& config, const fs::path& file, const Manifest& manifest, bool overwrite
)
{
    const auto& path = config.database.sqlite_path;
    refuse_full_database(db::sqlite_digests(path), overwrite);
    fs::create_directories(path.parent_path());
    db::copy_sqlite(file, path);
    if (const auto fault = db::check_sqlite(path); !fault.empty()) {
        throw std::runtime_error("the restored database is not sound: " + fault);
    }
    require_same(db::sqlite_digests(path), manifest.tables);
}

void restore_postgres(
    const config::Config& config, const fs::path& file, const Manifest& manifest, bool overwrite
)
{
    Tool tool(config);
    const auto before = tool.run(db::postgres_digests(tool.database()));
    refuse_full_database(before, overwrite);
    const auto variables = db::libpq_environment(std::string(config.database.url.reveal()));
    const auto database =
        std::ranges::find(variables, "PGDATABASE", &std::pair<std::string, std::string>::first);
    if (database == variables.end()) {
        throw std::runtime_error("DATABASE_URL names no database");
    }
    std::vector<std::string> command{
        "pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"
    };
    if (!before.empty()) {
        command.insert(command.end(), {"--clean", "--if-exists"});
    }
    command.insert(command.end(), {"--dbname=" + database->second, file.string()});
    run_program(command, variables);
    require_same(tool.run(db::postgres_digests(tool.database())), manifest.tables);
}

void restore_objects(const config::Config& config, const fs::path& backup)
{
    const auto target = config.process.blob_dir();
    const auto fresh = fs::path(target.string() + ".unfinished");
    fs::remove_all(fresh);
    fs::create_directories(fresh);
    for (const auto& key : object_keys(backup / objects_folder)) {
        copy_object(backup / objects_folder, fresh, key);
    }
    replace_folder(fresh, target);
}

void restore(const config::Config& config, const fs::path& backup, bool overwrite, Report& report)
{
    const auto manifest = read_manifest(backup);
    const bool sqlite = config.database.engine == config::Engine::sqlite;
    if (manifest.engine != (sqlite ? "sqlite" : "postgres")) {
        throw std::runtime_error(
            fmt::format("this is a backup of {}, and DATABASE_URL names the other engine", manifest.engine)
        );
    }
    const auto file = backup / database_file(manifest.engine);
    if (file_sha256(file) != manifest.database_sha256) {
        throw std::runtime_error(fmt::format("{} is damaged: its hash is not the manifest's", file.string()));
    }
    const bool has_objects = manifest.objects >= 0 && !config.blob.configured();
    if (has_objects && !is_empty_or_missing(config.process.blob_dir()) && !overwrite) {
        throw std::runtime_error(fmt::format(
            "{} is not empty: name another DATA_DIR, or --overwrite", config.process.blob_dir().string()
        ));
    }
    fs::create_directories(config.process.data_dir);
    if (sqlite) {
        restore_sqlite(config, file, manifest, overwrite);
    } else {
        restore_postgres(config, file, manifest, overwrite);
    }
    if (has_objects) {
        restore_objects(config, backup);
    }
    report.details.push_back(fmt::format("restored: {}, made at {}", backup.string(), manifest.created_at));
    report.details.push_back(fmt::format("tables: {}, every digest equal", manifest.tables.size()));
    report.details.push_back(
        has_objects ? fmt::format("objects: {}", manifest.objects) : std::string("objects: none restored")
    );
    Tool tool(config);
    const auto verified = tool.run(tool.audit().verify());
    if (verified.fault.empty()) {
        report.details.push_back(fmt::format("audit trail: whole, {} rows", verified.rows));
    } else {
        report.error = "the audit trail is not whole: " + verified.fault;
    }
}

}  // namespace

int run_restore(const Arguments& arguments)
{
    ::umask(077);
    Report report{.title = "restore", .details = {}, .error = {}};
    const auto from = arguments.value("from", "");
    auto settings = load_settings(arguments, {});
    if (from.empty()) {
        report.error = "--from <folder> is required";
    } else if (!settings.config) {
        report.error = std::move(settings.error);
    } else {
        settings.config->database.query_time_max = long_query_time_max;
        try {
            restore(*settings.config, fs::absolute(from), arguments.has("overwrite"), report);
        } catch (const std::exception& failed) {
            report.error = failed.what();
        }
    }
    return print(report, arguments);
}

}  // namespace kit::cmd
