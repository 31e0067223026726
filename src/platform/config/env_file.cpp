#include "platform/config/environment.hpp"
#include "platform/config/files.hpp"
#include "platform/config/values.hpp"

#include <unistd.h>

namespace kit::config {

Environment Environment::from_process()
{
    Values values;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view line(*entry);
        if (const auto equals = line.find('='); equals != std::string_view::npos) {
            values.emplace(line.substr(0, equals), line.substr(equals + 1));
        }
    }
    return Environment(std::move(values));
}

std::expected<void, std::string> Environment::add_file(const std::filesystem::path& path)
{
    const auto content = read_file(path, file_bytes_max);
    if (!content) {
        const auto& failure = content.error();
        if (failure.missing()) {
            return {};
        }
        const std::string_view stage = failure.opened ? "read env file: " : "open env file: ";
        return std::unexpected(std::string(stage) + path.string() + ": " + failure.reason());
    }
    for (const auto& [key, value] : parse_env_lines(*content)) {
        if (values_.emplace(key, value).second) {
            from_file_.insert(key);
        }
    }
    return {};
}

std::optional<std::string_view> Environment::find(std::string_view name) const
{
    const auto found = values_.find(name);
    if (found == values_.end()) {
        return std::nullopt;
    }
    return found->second;
}

}  // namespace kit::config
