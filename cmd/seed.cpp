// `seed`: the default roles and permissions, and marking an address as verified.
#include "command.hpp"
#include "platform/core/encoding.hpp"
#include "tool.hpp"

#include <fmt/format.h>

namespace kit::cmd {

namespace {

// The address as given, on the command line or by the settings.
std::string bootstrap_email(const Arguments& arguments, const config::Config& config)
{
    const auto given = arguments.value("bootstrap-admin-email", "");
    return given.empty() ? config.auth.bootstrap_admin_email : given;
}

void apply(const Arguments& arguments, Tool& tool, Report& report)
{
    const auto email = bootstrap_email(arguments, tool.config());
    auto settings = app::rbac_settings(tool.config());
    settings.bootstrap.email = auth::normalise_email(email);
    rbac::Service service(
        {.database = tool.database(),
         .clock = tool.clock(),
         .random = tool.random(),
         .metrics = tool.metrics(),
         .audit = tool.audit(),
         .epochs = tool.epochs(),
         .users = tool.users()},
        std::move(settings)
    );
    tool.run(service.seed());
    report.details.emplace_back("seeded default roles and permissions");
    if (!email.empty()) {
        report.details.push_back("bootstrap admin role assignment attempted for: " + email);
    }
}

void dry_run(const Arguments& arguments, Tool& tool, Report& report)
{
    tool.run(tool.database().ping());
    std::vector<std::string> permissions;
    for (const auto& permission : rbac::default_permissions()) {
        permissions.push_back(fmt::format("{}:{}", permission.resource, permission.action));
    }
    report.details = {
        fmt::format("would ensure permissions: {}", fmt::join(permissions, ", ")),
        fmt::format("would ensure roles: {}, {}", rbac::user_role, rbac::admin_role),
        "would map admin role to all default permissions",
    };
    const auto email = bootstrap_email(arguments, tool.config());
    if (!email.empty()) {
        report.details.push_back("would assign admin role to user if present: " + email);
    }
}

void verify_local_email(const std::string& email, Tool& tool, Report& report)
{
    if (!tool.run(auth::Repository::verify_email(tool.database(), email, tool.clock().now()))) {
        report.error = "record not found";
        return;
    }
    report.details.push_back("marked local email verified: " + email);
}

}  // namespace

int run_seed(const Arguments& arguments)
{
    const auto title = "seed " + arguments.subcommand;
    const auto email = auth::normalise_email(arguments.value("email", ""));
    if (arguments.subcommand == "verify-local-email" && email.empty()) {
        return print({.title = title, .details = {}, .error = "email is required"}, arguments);
    }
    return run_tool(arguments, title, [&](Tool& tool, Report& report) {
        if (arguments.subcommand == "apply") {
            apply(arguments, tool, report);
        } else if (arguments.subcommand == "dry-run") {
            dry_run(arguments, tool, report);
        } else {
            verify_local_email(email, tool, report);
        }
    });
}

}  // namespace kit::cmd
