#include "platform/config/secrets.hpp"

#include "platform/config/files.hpp"
#include "platform/config/rules.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

namespace kit::config {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view file_name = "secrets.env";
constexpr std::size_t file_bytes_max = 65'536;
constexpr std::size_t secret_random_bytes = 32;
constexpr int name_attempts_max = 8;

Fault fault(std::string message, std::string mend)
{
    return {.variable = "DATA_DIR", .message = std::move(message), .mend = std::move(mend)};
}

Fault system_fault(std::string_view what, const fs::path& path, int code)
{
    return fault(
        fmt::format("{} {}: {}", what, path.string(), std::generic_category().message(code)),
        "set DATA_DIR to a folder that this user may write to"
    );
}

std::string random_hex(const RandomBytes& random, std::size_t bytes)
{
    std::vector<std::byte> buffer(bytes);
    random(buffer);
    std::string text;
    for (const auto byte : buffer) {
        text += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
    }
    return text;
}

std::string new_content(const RandomBytes& random)
{
    std::string content =
        "# Made at the first start and read at every other. Whoever has this file can sign in as anyone; "
        "losing it signs\n"
        "# everyone out.\n";
    for (const auto& secret : generated_secrets()) {
        content += fmt::format("{}={}\n", secret.variable, random_hex(random, secret_random_bytes));
    }
    return content;
}

// Writes all of it, to the disk. An errno, or 0.
int write_synced(int file, std::string_view content)
{
    while (!content.empty()) {
        const auto count = ::write(file, content.data(), content.size());
        if (count < 0 && errno != EINTR) {
            return errno;
        }
        content.remove_prefix(count < 0 ? 0 : static_cast<std::size_t>(count));
    }
    return ::fsync(file) == 0 ? 0 : errno;
}

// Without it a crash may lose the new name. An errno, or 0.
int sync_folder(const fs::path& folder)
{
    const int handle = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (handle < 0) {
        return errno;
    }
    const int code = ::fsync(handle) == 0 ? 0 : errno;
    ::close(handle);
    return code;
}

// Writes a file of a name of its own and links it to `path`, which fails where another process was first: its
// file then counts.
std::expected<void, Fault> create(const fs::path& path, const RandomBytes& random)
{
    fs::path draft;
    int file = -1;
    for (int attempt = 0; attempt < name_attempts_max && file < 0; ++attempt) {
        draft = path;
        draft += "." + random_hex(random, 8);
        file = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
        if (file < 0 && errno != EEXIST) {
            break;
        }
    }
    if (file < 0) {
        return std::unexpected(system_fault("create", draft, errno));
    }
    int code = write_synced(file, new_content(random));
    ::close(file);
    if (code == 0 && ::link(draft.c_str(), path.c_str()) != 0 && errno != EEXIST) {
        code = errno;
    }
    ::unlink(draft.c_str());
    if (code == 0) {
        code = sync_folder(path.parent_path());
    }
    if (code != 0) {
        return std::unexpected(system_fault("create", path, code));
    }
    return {};
}

// Nothing when there is no such file.
std::expected<std::optional<Secrets>, Fault> read(const fs::path& path)
{
    struct stat status{};
    const auto content = read_file(path, file_bytes_max, &status);
    if (!content) {
        if (content.error().missing()) {
            return std::nullopt;
        }
        return std::unexpected(system_fault("read", path, content.error().code));
    }
    constexpr mode_t others = S_IRWXG | S_IRWXO;
    if (!S_ISREG(status.st_mode) || (status.st_mode & others) != 0) {
        return std::unexpected(fault(
            fmt::format("{} must be a file that only its owner can read", path.string()),
            fmt::format(
                "chmod 600 {}; if others may have read it, delete it: everyone then signs in anew",
                path.string()
            )
        ));
    }
    Secrets secrets;
    for (auto& [name, value] : parse_env_lines(*content)) {
        secrets.emplace(name, Secret(std::move(value)));
    }
    for (const auto& secret : generated_secrets()) {
        const auto found = secrets.find(secret.variable);
        if (found == secrets.end() || found->second.size() < secret.bytes_min) {
            return std::unexpected(fault(
                fmt::format(
                    "{} must hold {} with at least {} chars", path.string(), secret.variable, secret.bytes_min
                ),
                fmt::format("add the line to {}, or delete it: everyone then signs in anew", path.string())
            ));
        }
    }
    return secrets;
}

}  // namespace

std::expected<void, Fault> make_private_folder(const fs::path& folder)
{
    std::error_code error;
    if (fs::is_directory(folder, error)) {
        return {};
    }
    const auto parent = folder.lexically_normal().parent_path();
    if (!parent.empty() && parent != folder) {
        fs::create_directories(parent, error);
    }
    if (::mkdir(folder.lexically_normal().c_str(), S_IRWXU) != 0 && !fs::is_directory(folder, error)) {
        return std::unexpected(system_fault("create", folder, errno));
    }
    return {};
}

std::expected<Secrets, Fault> load_or_create_secrets(const fs::path& folder, const RandomBytes& random)
{
    const auto path = folder / file_name;
    auto secrets = read(path);
    if (secrets && !*secrets && random) {
        if (auto made = make_private_folder(folder); !made) {
            return std::unexpected(std::move(made).error());
        }
        if (auto created = create(path, random); !created) {
            return std::unexpected(std::move(created).error());
        }
        secrets = read(path);
    }
    if (!secrets) {
        return std::unexpected(std::move(secrets).error());
    }
    return std::move(*secrets).value_or(Secrets{});
}

}  // namespace kit::config
