// The one description of every environment variable: parsing, the `config` command and the documentation all
// follow it.
#pragma once

#include "platform/config/config.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace kit::config {

enum class Kind : std::uint8_t { text, secret, flag, integer, number, duration, list, path, choice };

// How a variable reaches its member of Config.
struct Binding {
    Kind kind;
    bool (*parse)(Config& config, std::string_view text);  // false: malformed, nothing changed
    std::string (*print)(const Config& config);            // in the form that parse() reads; secrets masked
    std::optional<std::int64_t> (*number)(const Config& config);  // integers, and durations in milliseconds
    std::string (*choices)();                                     // "a, b", for choices
};

struct Range {
    std::int64_t min;
    std::int64_t max;
};

// What is special about a variable.
struct Traits {
    std::string_view valid = {};         // the accepted range in words, where a rule of its own checks it
    std::optional<Range> range = {};     // checked by the general rule; milliseconds for durations
    std::string_view default_note = {};  // where the default is not simply the member's initialiser
    bool trim = false;  // white space around the value does not count; nothing but white space is unset
    bool lower = false;
};

struct Variable {
    std::string_view name;
    std::string_view section;
    Binding binding;
    std::string_view help;
    Traits traits = {};
};

std::span<const Variable> variables();

// Null when there is none of that name.
const Variable* find_variable(std::string_view name);

// "duration, 1s to 1h"
std::string shape(const Variable& variable);

std::string default_text(const Variable& variable);

// A bound of the variable's range, in its own form.
std::string format_bound(const Variable& variable, std::int64_t bound);

}  // namespace kit::config
