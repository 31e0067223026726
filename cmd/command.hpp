// What every sub-command shares: its description, its arguments, its output.
#pragma once

#include "platform/config/load.hpp"

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kit::cmd {

// Exit codes. What they mean is part of the contract with scripts.
inline constexpr int exit_ok = 0;
inline constexpr int exit_usage = 1;   // unknown command, flag or value; the server could not start
inline constexpr int exit_failed = 3;  // a tool's work failed

struct Flag {
    std::string_view name;        // without dashes
    std::string_view value_name;  // empty: a switch
    std::string_view default_text;
    std::string_view help;
};

struct Subcommand {
    std::string_view name;
    std::string_view summary;
};

class Arguments {
public:
    std::string subcommand;
    std::vector<std::string> words;  // further ones; commands that take none ignore them
    std::map<std::string, std::string, std::less<>> flags;

    bool has(std::string_view flag) const { return flags.contains(flag); }

    // The flag's value, or its default.
    std::string value(std::string_view flag, std::string_view otherwise) const;

    // --ci and --json ask for one JSON document and nothing else on stdout.
    bool json() const { return has("ci") || has("json"); }
};

struct Command {
    std::string_view name;
    std::string_view summary;
    std::vector<Subcommand> subcommands;
    std::vector<Flag> flags;
    int (*run)(const Arguments& arguments);
};

// The commands, in the order in which help lists them.
std::span<const Command> commands();

// Reads flags before or after the sub-command, as --name value or --name=value. On a fault: the message.
struct Parsed {
    Arguments arguments;
    bool help = false;
    std::optional<std::string> fault;
};

Parsed parse_arguments(const Command& command, std::span<const std::string> words);

std::string usage(const Command& command);
std::string overview();

// A tool's outcome, printed as JSON with --ci or --json, else as text.
struct Report {
    std::string title;
    std::vector<std::string> details;
    std::string error;   // empty: it worked
    std::string data{};  // a JSON value for scripts, beside the details for people; empty: none
};

// Prints and returns the exit code.
int print(const Report& report, const Arguments& arguments);

// The settings by the rules of every command: the environment, then the file of --env-file. The error is one
// line.
struct Settings {
    std::optional<config::Config> config;
    std::vector<config::Fault> faults;
    std::string error;
};

Settings load_settings(const Arguments& arguments, const config::LoadOptions& options);

// Flags that several commands have.
inline constexpr Flag env_file_flag{"env-file", "path", ".env", "file with settings; the environment wins"};
inline constexpr Flag overwrite_flag{
    "overwrite", "", "", "also where there is something already, which is lost"
};
inline constexpr Flag ci_flag{"ci", "", "", "print one JSON document"};
inline constexpr Flag json_flag{"json", "", "", "the same as --ci"};

// One file per sub-command.
int run_api(const Arguments& arguments);
int run_migrate(const Arguments& arguments);
int run_seed(const Arguments& arguments);
int run_audit(const Arguments& arguments);
int run_keys(const Arguments& arguments);
int run_users(const Arguments& arguments);
int run_roles(const Arguments& arguments);
int run_backup(const Arguments& arguments);
int run_restore(const Arguments& arguments);
int run_flags(const Arguments& arguments);
int run_routes(const Arguments& arguments);
int run_openapi(const Arguments& arguments);
int run_config(const Arguments& arguments);
int run_doctor(const Arguments& arguments);

}  // namespace kit::cmd
