// `doctor`: each thing that is misconfigured or cannot be reached, and the mend.
#include "app/protection.hpp"
#include "command.hpp"
#include "platform/core/block_on.hpp"
#include "platform/db/migrations.hpp"
#include "platform/json/json.hpp"
#include "platform/redis/redis.hpp"
#include "platform/telemetry/logger.hpp"
#include "platform/telemetry/metrics.hpp"
#include "tcp_probe.hpp"
#include "tool.hpp"

#include <fmt/format.h>

#include <exception>
#include <sys/resource.h>
#include <unistd.h>

namespace kit::cmd {

namespace {

struct Finding {
    std::string check;
    bool ok = true;
    std::string message;
    std::optional<std::string> mend;
};

BOOST_DESCRIBE_STRUCT(Finding, (), (check, ok, message, mend))

using Findings = std::vector<Finding>;

Finding good(std::string check, std::string message)
{
    return {.check = std::move(check), .ok = true, .message = std::move(message), .mend = std::nullopt};
}

Finding bad(std::string check, std::string message, std::string mend)
{
    return {.check = std::move(check), .ok = false, .message = std::move(message), .mend = std::move(mend)};
}

void check_settings(const Settings& settings, Findings& findings)
{
    if (settings.config) {
        findings.push_back(good("settings", "valid"));
        for (const auto& warning : settings.config->warnings) {
            findings.push_back(bad("settings", warning, "correct or remove it"));
        }
        return;
    }
    for (const auto& fault : settings.faults) {
        findings.push_back(bad(fault.variable, fault.message, fault.mend));
    }
    if (settings.faults.empty()) {
        findings.push_back(bad("settings", settings.error, "name a readable file with --env-file, or none"));
    }
}

void check_data_dir(const config::Config& config, Findings& findings)
{
    const auto& dir = config.process.data_dir;
    std::error_code error;
    if (!std::filesystem::exists(dir, error)) {
        findings.push_back(
            good("data folder", fmt::format("{} does not exist yet; the first start makes it", dir.string()))
        );
    } else if (::access(dir.c_str(), R_OK | W_OK | X_OK) != 0) {
        findings.push_back(
            bad("data folder",
                fmt::format("{} cannot be written", dir.string()),
                "give it to the user that runs the server, or set DATA_DIR to another folder")
        );
    } else {
        findings.push_back(good("data folder", dir.string()));
    }
}

void check_descriptors(const config::Config& config, Findings& findings)
{
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const auto connections = config.http_limits.connections_max;
    if (limit.rlim_max < connections) {
        findings.push_back(
            bad("file descriptors",
                fmt::format("the limit of {} is below {} connections", limit.rlim_max, connections),
                "raise the hard limit (ulimit -Hn, LimitNOFILE), or lower the number of connections")
        );
    } else {
        findings.push_back(good("file descriptors", fmt::format("{}", limit.rlim_max)));
    }
}

void check_migrations(Tool& tool, Findings& findings)
{
    const auto all =
        tool.run(db::migration_status(tool.database(), db::embedded_migrations(tool.database().engine())));
    for (const auto& migration : all) {
        if (migration.state == db::MigrationState::changed) {
            findings.push_back(
                bad("schema",
                    migration.name + " changed after it was applied",
                    "run the version of the program that applied it")
            );
            return;
        }
        if (migration.state == db::MigrationState::pending) {
            const bool automatic = tool.config().database.auto_migrate;
            findings.push_back(
                automatic
                    ? good("schema", migration.name + " will be applied at the next start")
                    : bad("schema", migration.name + " is not applied", "run 'everything-backend migrate up'")
            );
            return;
        }
    }
    findings.push_back(good("schema", "up to date"));
}

void check_database(const config::Config& config, Findings& findings)
{
    const bool embedded = config.database.engine == config::Engine::sqlite;
    std::error_code error;
    if (embedded && !std::filesystem::exists(config.database.sqlite_path, error)) {
        findings.push_back(good("database", "none yet; the first start makes it"));
        return;
    }
    try {
        Tool tool(config);
        tool.run(tool.database().ping());
        findings.push_back(
            good("database", embedded ? config.database.sqlite_path.string() : "PostgreSQL answers")
        );
        check_migrations(tool, findings);
    } catch (const std::exception& failed) {
        findings.push_back(
            bad("database",
                failed.what(),
                embedded ? "check the file and its folder" : "check DATABASE_URL and that PostgreSQL runs")
        );
    }
}

void check_endpoint(
    std::string check, const std::string& endpoint, std::string_view variable, Findings& findings
)
{
    if (endpoint.empty()) {
        return;
    }
    const auto failure = probe_tcp(endpoint, std::chrono::seconds(1));
    if (failure) {
        findings.push_back(
            bad(std::move(check),
                fmt::format("{} cannot be reached: {}", endpoint, *failure),
                fmt::format("start it, or correct {}", variable))
        );
    } else {
        findings.push_back(good(std::move(check), endpoint + " answers"));
    }
}

// host:port of an endpoint that may be a URL.
std::string collector_address(std::string_view endpoint)
{
    std::string_view default_port;
    for (const auto& [scheme, port] :
         {std::pair{std::string_view("http://"), std::string_view(":80")}, {"https://", ":443"}}) {
        if (endpoint.starts_with(scheme)) {
            endpoint.remove_prefix(scheme.size());
            default_port = port;
        }
    }
    const auto host = endpoint.substr(0, endpoint.find('/'));
    const bool has_port = host.substr(host.rfind(']') + 1).contains(':');
    return std::string(host) + std::string(has_port ? std::string_view() : default_port);
}

std::string redis_mend(redis::Failure failure)
{
    switch (failure) {
        case redis::Failure::not_authenticated:
            return "correct REDIS_USERNAME and REDIS_PASSWORD (of sentinels: REDIS_SENTINEL_PASSWORD), or "
                   "with "
                   "TLS the server's certificate, REDIS_TLS_SERVER_NAME and REDIS_TLS_CA_CERT_FILE";
        case redis::Failure::read_only:
            return "name the master in REDIS_ADDR, or the sentinels";
        case redis::Failure::timed_out:
            return "look at its load and the way to it, or raise REDIS_COMMAND_TIMEOUT";
        default:
            return "start it, or correct REDIS_ADDR";
    }
}

// As the server would: with its user, its TLS and its time limit.
void check_redis(const config::Config& config, Findings& findings)
{
    if (!config.redis.configured()) {
        return;
    }
    SystemClock clock;
    SystemRandom random;
    telemetry::Logger logger({.level = telemetry::LogLevel::error, .descriptor = STDERR_FILENO}, clock);
    telemetry::Registry metrics({.enabled = false});
    Workers workers(1);
    std::unique_ptr<redis::Client> client;
    try {
        client = app::open_redis(
            config,
            {.workers = workers, .clock = clock, .random = random, .logger = logger, .metrics = metrics}
        );
        if (client == nullptr) {
            findings.push_back(good("redis", "nothing uses it"));
            return;
        }
        workers.start();
        block_on(workers.executor(0), client->ping());
        findings.push_back(good("redis", config.redis.address + " answers"));
    } catch (const redis::RedisUnavailable& failed) {
        findings.push_back(bad("redis", failed.what(), redis_mend(failed.failure())));
    } catch (const TlsError& failed) {
        findings.push_back(bad("redis", failed.what(), "correct REDIS_TLS_CA_CERT_FILE"));
    }
    if (client != nullptr) {
        client->close();
    }
    workers.stop();
}

Findings examine(const Settings& settings)
{
    Findings findings;
    check_settings(settings, findings);
    if (!settings.config) {
        return findings;
    }
    const auto& config = *settings.config;
    check_data_dir(config, findings);
    check_descriptors(config, findings);
    check_database(config, findings);
    check_redis(config, findings);
    check_endpoint("object store", config.blob.endpoint, "MINIO_ENDPOINT", findings);
    if (config.given("OTEL_EXPORTER_OTLP_ENDPOINT")) {
        check_endpoint(
            "telemetry collector",
            collector_address(config.telemetry.endpoint),
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            findings
        );
    }
    return findings;
}

}  // namespace

int run_doctor(const Arguments& arguments)
{
    const auto findings = examine(load_settings(arguments, {}));
    const bool healthy = std::ranges::all_of(findings, &Finding::ok);
    if (arguments.json()) {
        std::string out;
        json::write(out, findings);
        fmt::print("{}\n", out);
        return healthy ? exit_ok : exit_failed;
    }
    for (const auto& finding : findings) {
        fmt::print("{:<8} {}: {}\n", finding.ok ? "ok" : "PROBLEM", finding.check, finding.message);
        if (finding.mend) {
            fmt::print("         mend: {}\n", *finding.mend);
        }
    }
    fmt::print("{}\n", healthy ? "everything is in order" : "something needs a mend");
    return healthy ? exit_ok : exit_failed;
}

}  // namespace kit::cmd
