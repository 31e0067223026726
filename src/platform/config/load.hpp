// From the environment to a Config, or to the list of everything that is wrong with it.
#pragma once

#include "platform/config/config.hpp"
#include "platform/config/environment.hpp"

#include <cstddef>
#include <expected>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace kit::config {

// One thing that is wrong, never with a secret's value in it.
struct Fault {
    enum class Stage : std::uint8_t { parse, validate };

    Stage stage = Stage::validate;
    std::string variable;
    std::string message;
    std::string mend;  // what to do about it
};

using RandomBytes = std::function<void(std::span<std::byte>)>;

struct LoadOptions {
    // Makes the secrets of a local-like profile when there are none yet. Without it nothing is written: an
    // existing file is read, and secrets that do not exist yet stay empty. Commands that only look leave it
    // out.
    RandomBytes random;
};

// Faults come in one list: what cannot be parsed first, then the rules in their fixed order.
std::expected<Config, std::vector<Fault>> load(const Environment& environment, const LoadOptions& options);

// One line for logs and scripts: `validate config: a; b; …`, after `parse NAME: …` where something could not
// be parsed.
std::string format_faults(std::span<const Fault> faults);

// For people: one paragraph per fault, with the mend.
std::string explain_faults(std::span<const Fault> faults);

// One variable as it is in force.
struct Row {
    std::string_view name;
    std::string_view section;
    std::string shape;
    std::string default_text;
    std::string value;  // masked where secret
    std::string_view source;
    std::string_view help;
};

// Every variable, in the order of the documentation.
std::vector<Row> describe(const Config& config);

}  // namespace kit::config
