// `config`: every setting as it is in force. Secrets are masked.
#include "command.hpp"
#include "platform/json/json.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace kit::cmd {

namespace {

struct Setting {
    std::string name;
    std::string section;
    std::string shape;
    std::string default_value;
    std::string value;
    std::string source;
    std::string help;
};
BOOST_DESCRIBE_STRUCT(Setting, (), (name, section, shape, default_value, value, source, help))

void print_as_json(const std::vector<config::Row>& rows)
{
    std::vector<Setting> settings;
    settings.reserve(rows.size());
    for (const auto& row : rows) {
        settings.push_back(
            {std::string(row.name),
             std::string(row.section),
             row.shape,
             row.default_text,
             row.value,
             std::string(row.source),
             std::string(row.help)}
        );
    }
    std::string out;
    json::write(out, settings);
    fmt::print("{}\n", out);
}

void print_as_text(const std::vector<config::Row>& rows)
{
    std::string_view section;
    for (const auto& row : rows) {
        if (row.section != section) {
            section = row.section;
            fmt::print("\n# {}\n", section);
        }
        fmt::print("{}={}\n    {}; {}; from {}\n", row.name, row.value, row.help, row.shape, row.source);
    }
}

}  // namespace

int run_config(const Arguments& arguments)
{
    const auto settings = load_settings(arguments, {});
    if (!settings.config) {
        fmt::print(
            stderr, "{}\n", settings.faults.empty() ? settings.error : config::explain_faults(settings.faults)
        );
        return exit_failed;
    }
    const auto rows = config::describe(*settings.config);
    if (arguments.json()) {
        print_as_json(rows);
    } else {
        print_as_text(rows);
    }
    for (const auto& warning : settings.config->warnings) {
        fmt::print(stderr, "warning: {}\n", warning);
    }
    return exit_ok;
}

}  // namespace kit::cmd
