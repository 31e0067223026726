// `roles`: what there is, and who has it.
#include "command.hpp"
#include "platform/json/json.hpp"
#include "tool.hpp"

#include <fmt/format.h>

namespace kit::cmd {

namespace {

std::vector<std::string> permissions_of(const users::Role& role)
{
    std::vector<std::string> names;
    if (role.permissions) {
        for (const auto& permission : *role.permissions) {
            names.push_back(permission.resource + ":" + permission.action);
        }
    }
    return names;
}

void list(Tool& tool, Report& report)
{
    rbac::ListView view{
        .order = {.field = 0, .descending = false},
        .slice = {.rows_max = Paging::size_max},
        .total = Total::none
    };
    std::string items = "[";
    for (bool more = true; more;) {
        const auto page = tool.run(rbac::Repository::list_roles(tool.database(), "", view));
        for (const auto& role : page.rows) {
            const auto permissions = permissions_of(role);
            report.details.push_back(
                fmt::format("{} {} [{}]", role.id, role.name, fmt::join(permissions, ", "))
            );
            items += items.size() > 1 ? "," : "";
            json::object(items)
                .field("id", role.id)
                .field("name", role.name)
                .field("description", role.description)
                .field("permissions", permissions);
        }
        more = page.more;
        if (more) {
            view.slice.cursor = Cursor{.place = rbac::place_of(page.rows.back(), view.order.field)};
        }
    }
    report.data = items + "]";
}

void create(const Arguments& arguments, Tool& tool, Report& report)
{
    rbac::NewRole role{
        .name = arguments.words[0],
        .description = arguments.value("description", ""),
        .permissions = {arguments.words.begin() + 1, arguments.words.end()},
    };
    const auto made = tool.run(tool.rbac().create_role(std::move(role), {}, {}));
    if (!made) {
        report.error = made.error().message();
        return;
    }
    const auto permissions = permissions_of(*made->value);
    report.details.push_back(fmt::format(
        "created role {}: {} [{}]", made->value->id, made->value->name, fmt::join(permissions, ", ")
    ));
    json::object(report.data).field("id", made->value->id).field("name", made->value->name);
}

void grant(const Arguments& arguments, bool held, Tool& tool, Report& report)
{
    const auto email = auth::normalise_email(arguments.words[0]);
    const auto& role = arguments.words[1];
    const auto changed = tool.run(tool.rbac().grant({.email = email, .role = role, .held = held}, {}));
    if (!changed) {
        report.error = changed.error().message();
        return;
    }
    const std::string now = held ? " has now" : " no longer has";
    const std::string before = held ? " had already" : " had not";
    report.details.push_back(email + (*changed ? now : before) + " the role " + role);
}

}  // namespace

int run_roles(const Arguments& arguments)
{
    const auto title = "roles " + arguments.subcommand;
    const bool grants = arguments.subcommand == "grant" || arguments.subcommand == "revoke";
    if (grants && arguments.words.size() != 2) {
        return print(
            {.title = title, .details = {}, .error = "an address and a role are required"}, arguments
        );
    }
    if (arguments.subcommand == "create" && arguments.words.empty()) {
        return print({.title = title, .details = {}, .error = "a name is required"}, arguments);
    }
    return run_tool(arguments, title, [&](Tool& tool, Report& report) {
        if (grants) {
            grant(arguments, arguments.subcommand == "grant", tool, report);
        } else if (arguments.subcommand == "create") {
            create(arguments, tool, report);
        } else {
            list(tool, report);
        }
    });
}

}  // namespace kit::cmd
