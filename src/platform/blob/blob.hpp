// Where objects such as avatars lie: a folder of this machine, or an S3-compatible store. Objects are written
// whole or not at all, under names that the server made, and handed out by URLs that are signed and expire.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/core/task.hpp"
#include "platform/telemetry/metrics.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kit::blob {

// How long a signed URL is good.
inline constexpr std::chrono::seconds url_lifetime{900};

inline constexpr std::size_t key_bytes_max = 200;

// Segments of letters, digits, '-', '_' and '.', each beginning with a letter or digit, with '/' between
// them: nothing that a file system or a URL could take for something else.
bool is_key(std::string_view text);

struct Object {
    std::string key;  // is_key()
    std::string content_type;
    std::string bytes;
    std::vector<std::pair<std::string, std::string>> metadata{};  // names in lower case
};

// Thread-safe; called from workers. A store that cannot be reached, or refuses, throws Unavailable.
class Store {
public:
    Store() = default;
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;
    virtual ~Store() = default;

    // Overwrites what is there.
    virtual Task<void> put(Object object) = 0;

    // Also where there is no such object.
    virtual Task<void> remove(std::string key) = 0;

    // Good from now on for url_lifetime, whether or not there is such an object.
    virtual std::string signed_url(std::string_view key) const = 0;
};

// What the stores count: operation and outcome of each.
class Operations {
public:
    Operations(const Clock& clock, telemetry::Registry& metrics);

    // `call` as a span of that name, counted and timed.
    Task<void> operator()(std::string_view name, Task<void> call) const;

private:
    const Clock& clock_;
    telemetry::Histogram duration_;
};

// A file that is open for reading: it stays whole, whatever becomes of its name.
class File {
public:
    File(int descriptor, std::size_t bytes) : descriptor_(descriptor), bytes_(bytes) {}

    File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)), bytes_(other.bytes_) {}

    File& operator=(File&&) = delete;
    ~File();

    std::size_t bytes() const { return bytes_; }

    // At most `bytes_max` bytes from `offset`; empty at the end. Blocks.
    std::string read(std::size_t offset, std::size_t bytes_max) const;

private:
    int descriptor_;
    std::size_t bytes_;
};

// A folder that this process serves by itself.
class Folder : public Store {
public:
    // What of a signed URL is looked at. Views live as long as the call.
    struct Claim {
        std::string_view key;
        std::string_view expires;
        std::string_view signature;
    };

    // Whether signed_url() made it, and its time has not passed.
    virtual bool is_good(const Claim& claim) const = 0;

    // Nothing where there is no such object.
    virtual Task<std::optional<File>> open(std::string key) = 0;

    // A part of the file; away from the worker, as all access to files.
    virtual Task<std::string> read(
        std::shared_ptr<const File> file, std::size_t offset, std::size_t bytes_max
    ) = 0;
};

struct FolderOptions {
    std::filesystem::path root;  // made with the first object
    std::string url_prefix;      // the key follows: "https://api.example.com/files/"
    std::string secret;          // what the key of the signatures is derived from
    std::size_t threads_max = 2;
    std::size_t queue_max = 64;
};

std::unique_ptr<Folder> open_folder(FolderOptions options, Clock& clock, telemetry::Registry& metrics);

struct S3Options {
    std::string endpoint;         // host:port
    std::string public_endpoint;  // the same, or with a scheme: what signed URLs name; empty: the endpoint
    std::string access_key;
    std::string secret_key;
    std::string bucket;  // made where it is missing
    std::string region;
    bool use_tls = false;
    std::chrono::milliseconds time_max{8'000};  // of an operation, from its call to its last byte
};

std::unique_ptr<Store> open_s3(S3Options options, Clock& clock, telemetry::Registry& metrics);

}  // namespace kit::blob
