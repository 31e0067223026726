#include "command.hpp"
#include "platform/json/json.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <unistd.h>

namespace kit::cmd {

namespace {

std::string as_json(const Report& report)
{
    std::string out = fmt::format("{{\n  \"ok\": {},\n  \"title\": ", report.error.empty());
    json::write(out, report.title);
    if (!report.details.empty()) {
        out += ",\n  \"details\": [";
        for (std::size_t index = 0; index < report.details.size(); ++index) {
            out += index == 0 ? "\n    " : ",\n    ";
            json::write(out, report.details[index]);
        }
        out += "\n  ]";
    }
    if (!report.data.empty()) {
        out += ",\n  \"data\": " + report.data;
    }
    if (!report.error.empty()) {
        out += ",\n  \"error\": ";
        json::write(out, report.error);
    }
    out += "\n}\n";
    return out;
}

std::string as_text(const Report& report, bool colour)
{
    auto out = colour ? fmt::format("\x1b[1m{}\x1b[0m\n", report.title) : report.title + "\n";
    if (report.error.empty()) {
        out += colour ? "\x1b[32mOK\x1b[0m\n" : "OK\n";
    } else {
        out +=
            fmt::format(fmt::runtime(colour ? "\x1b[31mFAILED: {}\x1b[0m\n" : "FAILED: {}\n"), report.error);
    }
    for (const auto& detail : report.details) {
        out += fmt::format("- {}\n", detail);
    }
    return out;
}

}  // namespace

int print(const Report& report, const Arguments& arguments)
{
    const auto text = arguments.json() ? as_json(report) : as_text(report, ::isatty(STDOUT_FILENO) == 1);
    std::fwrite(text.data(), 1, text.size(), stdout);
    return report.error.empty() ? exit_ok : exit_failed;
}

Settings load_settings(const Arguments& arguments, const config::LoadOptions& options)
{
    Settings settings;
    auto environment = config::Environment::from_process();
    if (auto read = environment.add_file(arguments.value("env-file", ".env")); !read) {
        settings.error = std::move(read.error());
        return settings;
    }
    auto loaded = config::load(environment, options);
    if (loaded) {
        settings.config = std::move(*loaded);
    } else {
        settings.faults = std::move(loaded.error());
        settings.error = config::format_faults(settings.faults);
    }
    return settings;
}

}  // namespace kit::cmd
