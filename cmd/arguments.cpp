#include "command.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace kit::cmd {

namespace {

// A flag's left column in the help.
std::string flag_column(const Flag& flag)
{
    return flag.value_name.empty() ? fmt::format("--{}", flag.name)
                                   : fmt::format("--{} <{}>", flag.name, flag.value_name);
}

const Flag* find_flag(const Command& command, std::string_view name)
{
    const auto found = std::ranges::find(command.flags, name, &Flag::name);
    return found == command.flags.end() ? nullptr : &*found;
}

// The words that are left to read.
class Words {
public:
    explicit Words(std::span<const std::string> words) : words_(words) {}

    bool done() const { return next_ == words_.size(); }

    const std::string& take() { return words_[next_++]; }

private:
    std::span<const std::string> words_;
    std::size_t next_ = 0;
};

void read_flag(const Command& command, std::string_view word, Words& words, Parsed& parsed)
{
    const auto equals = word.find('=');
    const auto name = word.substr(2, equals == std::string_view::npos ? equals : equals - 2);
    const auto* flag = find_flag(command, name);
    if (flag == nullptr) {
        parsed.fault = fmt::format("unknown flag: --{}", name);
    } else if (flag->value_name.empty()) {
        const auto value = equals == std::string_view::npos ? "true" : word.substr(equals + 1);
        if (value == "true") {
            parsed.arguments.flags.insert_or_assign(std::string(name), "true");
        } else if (value != "false") {
            parsed.fault = fmt::format(R"(invalid argument "{}" for "--{}" flag)", value, name);
        }
    } else if (equals != std::string_view::npos) {
        parsed.arguments.flags.insert_or_assign(std::string(name), std::string(word.substr(equals + 1)));
    } else if (words.done()) {
        parsed.fault = fmt::format("flag needs an argument: --{}", name);
    } else {
        parsed.arguments.flags.insert_or_assign(std::string(name), words.take());
    }
}

}  // namespace

std::string Arguments::value(std::string_view flag, std::string_view otherwise) const
{
    const auto found = flags.find(flag);
    return found == flags.end() ? std::string(otherwise) : found->second;
}

Parsed parse_arguments(const Command& command, std::span<const std::string> all)
{
    Parsed parsed;
    Words words(all);
    while (!words.done() && !parsed.fault) {
        const auto& word = words.take();
        if (word == "-h" || word == "--help") {
            parsed.help = true;
        } else if (word.starts_with("--") && word.size() > 2) {
            read_flag(command, word, words, parsed);
        } else if (word.starts_with('-') && word.size() > 1) {
            parsed.fault = fmt::format("unknown shorthand flag: {}", word);
        } else if (!command.subcommands.empty() && parsed.arguments.subcommand.empty()) {
            if (std::ranges::find(command.subcommands, word, &Subcommand::name) ==
                command.subcommands.end()) {
                parsed.fault = fmt::format(R"(unknown command "{}" for "{}")", word, command.name);
            }
            parsed.arguments.subcommand = word;
        } else {
            parsed.arguments.words.push_back(word);
        }
    }
    return parsed;
}

std::string usage(const Command& command)
{
    auto text = fmt::format("{}\n\nUsage:\n  everything-backend {}", command.summary, command.name);
    text += command.subcommands.empty() ? " [flags]\n" : " <command> [flags]\n";
    if (!command.subcommands.empty()) {
        text += "\nCommands:\n";
        for (const auto& subcommand : command.subcommands) {
            text += fmt::format("  {:<28} {}\n", subcommand.name, subcommand.summary);
        }
    }
    text += "\nFlags:\n";
    for (const auto& flag : command.flags) {
        text += fmt::format("  {:<28} {}", flag_column(flag), flag.help);
        text += flag.default_text.empty() ? "\n" : fmt::format(" (default {})\n", flag.default_text);
    }
    text += fmt::format("  {:<28} {}\n", "-h, --help", "this text");
    return text;
}

std::string overview()
{
    std::string text =
        "everything-backend: an HTTP backend in one binary\n\nUsage:\n  everything-backend <command> "
        "[flags]\n\nCommands:\n";
    for (const auto& command : commands()) {
        text += fmt::format("  {:<12} {}\n", command.name, command.summary);
    }
    text +=
        "  help         this text, or that of one command\n\n'everything-backend config' lists every "
        "setting.\n";
    return text;
}

}  // namespace kit::cmd
