// `migrate`: the schema, without starting the server.
#include "command.hpp"
#include "platform/config/values.hpp"
#include "platform/core/deadline.hpp"
#include "platform/db/migrations.hpp"
#include "tool.hpp"

#include <fmt/format.h>

namespace kit::cmd {

namespace {

using Names = std::vector<std::string>;

Names names_of(const std::vector<db::MigrationStatus>& all, db::MigrationState state)
{
    Names names;
    for (const auto& migration : all) {
        if (migration.state == state) {
            names.push_back(migration.name);
        }
    }
    return names;
}

class Migrate {
public:
    Migrate(Tool& tool, SteadyTime deadline)
        : tool_(tool), deadline_(deadline), migrations_(db::embedded_migrations(tool.database().engine()))
    {
    }

    void up(Report& report)
    {
        const auto applied = within(db::migrate_up(tool_.database(), migrations_, tool_.clock().now()));
        report.details = {"schema migration applied", "database: connected", service()};
        for (const auto& name : applied) {
            report.details.push_back("applied: " + name);
        }
    }

    void status(Report& report)
    {
        const auto all = states();
        const auto pending = names_of(all, db::MigrationState::pending);
        const auto changed = names_of(all, db::MigrationState::changed);
        report.details = {"database reachable", service()};
        if (!changed.empty()) {
            report.error =
                fmt::format("migrations changed after they were applied: {}", fmt::join(changed, ", "));
        } else if (pending.empty()) {
            report.details.emplace_back("migrations: ready");
        } else {
            report.details.push_back(fmt::format("migrations: pending {}", fmt::join(pending, ", ")));
        }
    }

    void plan(Report& report)
    {
        for (const auto& name : names_of(states(), db::MigrationState::pending)) {
            report.details.push_back("would apply " + name);
        }
        if (report.details.empty()) {
            report.details.emplace_back("nothing to apply");
        }
        report.details.emplace_back("no mutation executed in plan mode");
    }

private:
    template <class T>
    T within(Task<T> task)
    {
        return tool_.run(with_deadline(tool_.clock(), deadline_, std::move(task)));
    }

    std::vector<db::MigrationStatus> states()
    {
        return within(db::migration_status(tool_.database(), migrations_));
    }

    std::string service() const { return "service: " + tool_.config().telemetry.service_name; }

    Tool& tool_;
    SteadyTime deadline_;
    std::span<const db::Migration> migrations_;
};

}  // namespace

int run_migrate(const Arguments& arguments)
{
    const auto timeout = config::parse_duration(arguments.value("timeout", "30s"));
    if (!timeout) {
        fmt::print(
            stderr, "Error: invalid argument \"{}\" for \"--timeout\" flag\n", arguments.value("timeout", "")
        );
        return exit_usage;
    }
    return run_tool(arguments, "migrate " + arguments.subcommand, [&](Tool& tool, Report& report) {
        Migrate migrate(tool, tool.clock().steady_now() + *timeout);
        if (arguments.subcommand == "up") {
            migrate.up(report);
        } else if (arguments.subcommand == "status") {
            migrate.status(report);
        } else {
            migrate.plan(report);
        }
    });
}

}  // namespace kit::cmd
