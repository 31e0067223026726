// `users`: what an operator does to an account.
#include "command.hpp"
#include "tool.hpp"

namespace kit::cmd {

namespace {

void set_status(const Arguments& arguments, Tool& tool, Report& report)
{
    const auto email = auth::normalise_email(arguments.words[0]);
    const auto& status = arguments.words[1];
    const auto changed =
        tool.run(tool.users().set_status({.email = email, .status = status, .actor = {}}, {}));
    if (!changed) {
        report.error = changed.error().message();
        return;
    }
    report.details.push_back(email + (*changed ? " is now " : " was already ") + status);
}

}  // namespace

int run_users(const Arguments& arguments)
{
    const auto title = "users " + arguments.subcommand;
    if (arguments.words.size() != 2) {
        return print(
            {.title = title, .details = {}, .error = "an address and a status are required"}, arguments
        );
    }
    return run_tool(arguments, title, [&](Tool& tool, Report& report) {
        set_status(arguments, tool, report);
    });
}

}  // namespace kit::cmd
