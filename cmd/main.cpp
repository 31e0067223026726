// The executable: picks the sub-command.
#include "allocator.hpp"
#include "command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

namespace kit::cmd {

namespace {

const std::array<Command, 14>& table()
{
    static const std::array<Command, 14> all{{
        {"api", "Start the server", {}, {env_file_flag}, run_api},
        {"migrate",
         "Bring the database's schema up to date",
         {{"up", "apply what is missing"},
          {"status", "say what is applied"},
          {"plan", "say what up would apply"}},
         {env_file_flag, {"timeout", "duration", "30s", "how long it may take"}, ci_flag, json_flag},
         run_migrate},
        {"seed",
         "Add the default roles and permissions",
         {{"apply", "add what is missing"},
          {"dry-run", "say what apply would add"},
          {"verify-local-email", "mark the address of a local account as verified"}},
         {env_file_flag,
          {"bootstrap-admin-email", "email", "", "receives the role admin; overrides BOOTSTRAP_ADMIN_EMAIL"},
          {"email", "email", "", "of verify-local-email"},
          ci_flag,
          json_flag},
         run_seed},
        {"audit",
         "Check the audit trail, or remove what is older than AUDIT_RETENTION",
         {{"verify", "walk the chain and name the first row that was changed, removed or moved"},
          {"prune", "remove old rows now"}},
         {env_file_flag, ci_flag, json_flag},
         run_audit},
        {"users",
         "List, make and change accounts",
         {{"list", "by id, with status and roles"},
          {"create", "<email> <name>: the password is the first line of the standard input"},
          {"set-status",
           "<email> <active|disabled>: a disabled user is signed out everywhere and cannot sign in"}},
         {env_file_flag,
          {"email", "prefix", "", "of list: addresses that begin so"},
          {"status", "status", "", "of list: only these"},
          {"role", "name", "", "of list: only those who have it"},
          {"limit", "number", "100", "of list: at most so many"},
          ci_flag,
          json_flag},
         run_users},
        {"roles",
         "List and make roles, and say who has them",
         {{"list", "with their permissions"},
          {"create", "<name> [resource:action]...: a role with these permissions"},
          {"grant", "<email> <role>: the user has the role"},
          {"revoke", "<email> <role>: the user has it no longer"}},
         {env_file_flag, {"description", "text", "", "of create"}, ci_flag, json_flag},
         run_roles},
        {"flags",
         "Show and change feature flags",
         {{"list", "all flags"},
          {"create", "<key>: a new flag, off unless --enabled"},
          {"toggle", "<key> [on|off]: to the other state, or to that one"},
          {"rules", "<key>: its rules, after what --add and --remove change"}},
         {env_file_flag,
          {"description", "text", "", "of create"},
          {"enabled", "", "", "of create: on for everybody without a rule"},
          {"add", "type=value", "", "of rules: user, role, org, environment or percent, such as role=admin"},
          {"give", "on|off", "on", "what the added rule gives"},
          {"priority", "number", "100", "of the added rule; lower first, among rules of one type"},
          {"remove", "id", "", "of rules: the rule with this id"},
          ci_flag,
          json_flag},
         run_flags},
        {"backup",
         "Copy the database, and the objects of DATA_DIR, into a folder while the server runs",
         {},
         {env_file_flag, {"to", "folder", "", "where the backup goes"}, overwrite_flag, ci_flag, json_flag},
         run_backup},
        {"restore",
         "Make a backup the database, and the objects of DATA_DIR, of the settings",
         {},
         {env_file_flag,
          {"from", "folder", "", "a folder that backup made"},
          overwrite_flag,
          ci_flag,
          json_flag},
         run_restore},
        {"keys",
         "The keys that sign access tokens, with JWT_SIGNING=EdDSA or ES256",
         {{"list", "print them: which signs now, which will, which only verify"},
          {"rotate", "make the next key; it signs once everybody can know it"}},
         {env_file_flag, ci_flag, json_flag},
         run_keys},
        {"routes", "Print the route table", {}, {json_flag}, run_routes},
        {"openapi", "Print the OpenAPI document of the route table", {}, {}, run_openapi},
        {"config",
         "Print every setting: value, source and meaning",
         {},
         {env_file_flag, json_flag},
         run_config},
        {"doctor", "Check settings and everything they point at", {}, {env_file_flag, json_flag}, run_doctor},
    }};
    return all;
}

int fail_usage(std::string_view message, std::string_view hint)
{
    fmt::print(stderr, "Error: {}\n{}", message, hint);
    return exit_usage;
}

int run_command(const Command& command, std::span<const std::string> words)
{
    const auto parsed = parse_arguments(command, words);
    if (parsed.fault) {
        return fail_usage(*parsed.fault, usage(command));
    }
    if (parsed.help || (!command.subcommands.empty() && parsed.arguments.subcommand.empty())) {
        fmt::print("{}", usage(command));
        return exit_ok;
    }
    return command.run(parsed.arguments);
}

int run(const std::vector<std::string>& words)
{
    const bool asks_for_help =
        !words.empty() && (words[0] == "help" || words[0] == "--help" || words[0] == "-h");
    const auto name = asks_for_help ? (words.size() > 1 ? words[1] : "") : (words.empty() ? "" : words[0]);
    if (name.empty()) {
        fmt::print("{}", overview());
        return exit_ok;
    }
    const auto command = std::ranges::find(commands(), name, &Command::name);
    if (command == commands().end()) {
        return fail_usage(
            fmt::format(R"(unknown command "{}" for "everything-backend")", name),
            "Run 'everything-backend --help' for usage.\n"
        );
    }
    if (asks_for_help) {
        fmt::print("{}", usage(*command));
        return exit_ok;
    }
    return run_command(*command, std::span(words).subspan(1));
}

}  // namespace

std::span<const Command> commands()
{
    return table();
}

}  // namespace kit::cmd

int main(int argc, char** argv)
{
    // The one command that runs for long.
    if (argc > 1 && std::string_view(argv[1]) == "api") {
        kit::cmd::start_again_with_larger_caches(argv);
    }
    try {
        return kit::cmd::run(std::vector<std::string>(argv + 1, argv + argc));
    } catch (const std::exception& failed) {
        std::fputs("Error: ", stderr);
        std::fputs(failed.what(), stderr);
        std::fputc('\n', stderr);
        return kit::cmd::exit_usage;
    }
}
