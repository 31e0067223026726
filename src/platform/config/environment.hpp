// Where settings come from: the process environment, captured once, and the env file beneath it.
#pragma once

#include <expected>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace kit::config {

class Environment {
public:
    using Values = std::map<std::string, std::string, std::less<>>;

    static constexpr std::size_t file_bytes_max = 1024UL * 1024;

    explicit Environment(Values values = {}) : values_(std::move(values)) {}

    // A copy of the process's own. Call before the first thread starts.
    static Environment from_process();

    // Adds the lines `KEY=VALUE` of an env file: trimmed; blank lines, `#…` and lines without `=` are
    // skipped; one pair of double quotes around the value goes; no `export`, no interpolation, no inline
    // comments. What exists already wins, even when it is empty. A missing file is fine. Errors: `open env
    // file: …`, `read env file: …`.
    std::expected<void, std::string> add_file(const std::filesystem::path& path);

    // The value as it stands; an empty one is not the same as none.
    std::optional<std::string_view> find(std::string_view name) const;

    bool from_file(std::string_view name) const { return from_file_.contains(name); }

    const Values& values() const { return values_; }

private:
    Values values_;
    std::set<std::string, std::less<>> from_file_;
};

}  // namespace kit::config
