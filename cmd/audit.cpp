// `audit`: whether the trail is whole, and its retention.
#include "command.hpp"
#include "tool.hpp"

#include <fmt/format.h>

namespace kit::cmd {

namespace {

void verify(Tool& tool, Report& report)
{
    const auto found = tool.run(tool.audit().verify());
    const auto& chain = found.chain;
    report.error = found.fault;
    report.details = {
        fmt::format("rows checked: {}", found.rows),
        fmt::format("anchor: {} {}", chain.anchor_sequence, chain.anchor_hash),
        fmt::format("head: {} {}", chain.head_sequence, chain.head_hash),
        fmt::format("rows not sealed yet: {}", chain.unsealed),
    };
}

void prune(Tool& tool, Report& report)
{
    if (tool.config().audit.retention.count() == 0) {
        report.details.emplace_back("AUDIT_RETENTION is 0s: all rows stay");
        return;
    }
    report.details.push_back(fmt::format("rows removed: {}", tool.run(tool.audit().prune())));
}

}  // namespace

int run_audit(const Arguments& arguments)
{
    return run_tool(arguments, "audit " + arguments.subcommand, [&](Tool& tool, Report& report) {
        if (arguments.subcommand == "verify") {
            verify(tool, report);
        } else {
            prune(tool, report);
        }
    });
}

}  // namespace kit::cmd
