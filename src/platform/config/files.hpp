// Small files read whole, under a limit.
#pragma once

#include <cstddef>
#include <expected>
#include <filesystem>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <utility>
#include <vector>

namespace kit::config {

struct FileFailure {
    int code = 0;         // errno; EFBIG where the limit was passed
    bool opened = false;  // it failed afterwards

    bool missing() const;
    std::string reason() const;
};

// `status`, where given, is filled from the open file itself.
std::expected<std::string, FileFailure> read_file(
    const std::filesystem::path& path, std::size_t bytes_max, struct stat* status = nullptr
);

// `KEY=VALUE` lines by the rules of Environment::add_file, in order, repetitions included.
std::vector<std::pair<std::string, std::string>> parse_env_lines(std::string_view content);

}  // namespace kit::config
