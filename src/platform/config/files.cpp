#include "platform/config/files.hpp"

#include "platform/config/values.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace kit::config {

bool FileFailure::missing() const
{
    return code == ENOENT || code == ENOTDIR;
}

std::string FileFailure::reason() const
{
    return std::generic_category().message(code);
}

std::expected<std::string, FileFailure> read_file(
    const std::filesystem::path& path, std::size_t bytes_max, struct stat* status
)
{
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (file < 0) {
        return std::unexpected(FileFailure{.code = errno});
    }
    std::string content;
    int code = status != nullptr && ::fstat(file, status) != 0 ? errno : 0;
    std::array<char, 4096> buffer{};
    while (code == 0) {
        const auto count = ::read(file, buffer.data(), buffer.size());
        if (count == 0) {
            break;
        }
        if (count < 0) {
            code = errno == EINTR ? 0 : errno;
            continue;
        }
        content.append(buffer.data(), static_cast<std::size_t>(count));
        if (content.size() > bytes_max) {
            code = EFBIG;
        }
    }
    ::close(file);
    if (code != 0) {
        return std::unexpected(FileFailure{.code = code, .opened = true});
    }
    return content;
}

std::vector<std::pair<std::string, std::string>> parse_env_lines(std::string_view content)
{
    std::vector<std::pair<std::string, std::string>> lines;
    while (!content.empty()) {
        const auto end = std::min(content.find('\n'), content.size());
        const auto line = trim(content.substr(0, end));
        content.remove_prefix(std::min(end + 1, content.size()));
        const auto equals = line.find('=');
        if (line.starts_with('#') || equals == std::string_view::npos) {
            continue;
        }
        const auto key = trim(line.substr(0, equals));
        auto value = trim(line.substr(equals + 1));
        if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"')) {
            value = value.substr(1, value.size() - 2);
        }
        if (!key.empty()) {
            lines.emplace_back(key, value);
        }
    }
    return lines;
}

}  // namespace kit::config
