#include "platform/config/load.hpp"
#include "platform/config/rules.hpp"
#include "platform/config/variables.hpp"

#include <fmt/format.h>

namespace kit::config {

namespace {

std::string_view source_name(Source source)
{
    switch (source) {
        case Source::default_value:
            return "default";
        case Source::environment:
            return "environment";
        case Source::env_file:
            return "file";
        case Source::generated:
            return "generated";
    }
    return "";
}

std::string join(std::span<const Fault> faults, Fault::Stage stage)
{
    std::string text;
    for (const auto& fault : faults) {
        if (fault.stage == stage) {
            text += text.empty() ? "" : "; ";
            text += fault.message;
        }
    }
    return text;
}

}  // namespace

std::string usual_mend(std::string_view variable)
{
    const auto* known = find_variable(variable);
    if (known == nullptr) {
        return {};
    }
    auto text = fmt::format("set {} to: {}", variable, shape(*known));
    if (const auto fallback = default_text(*known); !fallback.empty()) {
        text += fmt::format("; or leave it out for the default ({})", fallback);
    }
    return text;
}

std::string secret_mend(std::string_view variable)
{
    return fmt::format(
        "set {} to random text of its own, such as the output of `openssl rand -hex 32`", variable
    );
}

std::string format_faults(std::span<const Fault> faults)
{
    auto text = join(faults, Fault::Stage::parse);
    if (const auto broken = join(faults, Fault::Stage::validate); !broken.empty()) {
        text += text.empty() ? "" : "; ";
        text += "validate config: " + broken;
    }
    return text;
}

std::string explain_faults(std::span<const Fault> faults)
{
    auto text = fmt::format("{} setting{} wrong:\n", faults.size(), faults.size() == 1 ? " is" : "s are");
    for (const auto& fault : faults) {
        text += fmt::format("\n  {}\n    {}\n", fault.message, fault.mend);
    }
    return text;
}

std::vector<Row> describe(const Config& config)
{
    std::vector<Row> rows;
    rows.reserve(variables().size());
    for (const auto& variable : variables()) {
        const auto source = config.sources.find(variable.name);
        rows.push_back({
            .name = variable.name,
            .section = variable.section,
            .shape = shape(variable),
            .default_text = default_text(variable),
            .value = variable.binding.print(config),
            .source = source_name(source == config.sources.end() ? Source::default_value : source->second),
            .help = variable.help,
        });
    }
    return rows;
}

}  // namespace kit::config
