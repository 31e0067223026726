#include "platform/blob/blob.hpp"
#include "platform/core/blocking_pool.hpp"
#include "platform/core/encoding.hpp"
#include "platform/crypto/hash.hpp"

#include <atomic>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace kit::blob {

namespace {

// Where objects are written before they get their name; no key begins with a dot.
constexpr const char* unfinished_folder = ".unfinished";
// What a process that died left there.
constexpr std::chrono::hours unfinished_age_max{1};
constexpr mode_t folder_mode = 0700;

[[noreturn]] void fail(const char* what, int code)
{
    throw Unavailable(std::string("object folder: ") + what + ": " + std::strerror(code));
}

class Handle {
public:
    Handle(const std::filesystem::path& path, int flags)
        : handle_(::open(path.c_str(), flags | O_CLOEXEC, 0600))
    {
        if (handle_ < 0) {
            fail("open", errno);
        }
    }

    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

    ~Handle() { ::close(handle_); }

    int get() const { return handle_; }

private:
    int handle_;
};

void write_all(int file, std::string_view bytes)
{
    while (!bytes.empty()) {
        const auto written = ::write(file, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            fail("write", errno);
        }
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
}

void synchronise(int file)
{
    if (::fsync(file) != 0) {
        fail("fsync", errno);
    }
}

// With its parents up to the root's.
void make_folder(const std::filesystem::path& folder)
{
    if (::mkdir(folder.c_str(), folder_mode) == 0 || errno == EEXIST) {
        return;
    }
    if (errno != ENOENT || !folder.has_relative_path()) {
        fail("mkdir", errno);
    }
    make_folder(folder.parent_path());
    if (::mkdir(folder.c_str(), folder_mode) != 0 && errno != EEXIST) {
        fail("mkdir", errno);
    }
}

void remove_abandoned(const std::filesystem::path& folder)
{
    std::error_code error;
    const auto oldest = std::filesystem::file_time_type::clock::now() - unfinished_age_max;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
        if (entry.last_write_time(error) < oldest && !error) {
            std::filesystem::remove(entry.path(), error);
        }
    }
}

class LocalFolder final : public Folder {
public:
    LocalFolder(FolderOptions options, Clock& clock, telemetry::Registry& metrics)
        : options_(std::move(options)),
          clock_(clock),
          operations_(clock, metrics),
          key_(as_text(hmac_sha256(options_.secret, "object folder URLs"))),
          pool_({.name = "blobs", .threads_max = options_.threads_max, .queue_max = options_.queue_max})
    {
    }

    Task<void> put(Object object) override { return operations_("blob.put", put_here(std::move(object))); }

    Task<void> remove(std::string key) override
    {
        return operations_("blob.remove", remove_here(std::move(key)));
    }

    std::string signed_url(std::string_view key) const override
    {
        const auto expires = std::chrono::floor<std::chrono::seconds>(clock_.now()) + url_lifetime;
        const auto until = std::to_string(expires.time_since_epoch().count());
        return options_.url_prefix + std::string(key) + "?expires=" + until +
               "&signature=" + signature(key, until);
    }

    bool is_good(const Claim& claim) const override
    {
        std::int64_t until = 0;
        const auto* const end = claim.expires.data() + claim.expires.size();
        const auto read = std::from_chars(claim.expires.data(), end, until);
        return constant_time_equal(claim.signature, signature(claim.key, claim.expires)) &&
               read.ec == std::errc() && read.ptr == end &&
               clock_.now() <= Timestamp(std::chrono::seconds(until));
    }

    Task<std::optional<File>> open(std::string key) override
    {
        auto path = path_of(key);
        co_return co_await offload(pool_, [path = std::move(path)]() -> std::optional<File> {
            const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
            if (file < 0 && (errno == ENOENT || errno == ENOTDIR)) {
                return std::nullopt;
            }
            if (file < 0) {
                fail("open", errno);
            }
            struct stat status{};
            ::fstat(file, &status);
            return File(file, static_cast<std::size_t>(status.st_size));
        });
    }

    Task<std::string> read(std::shared_ptr<const File> file, std::size_t offset, std::size_t bytes_max)
        override
    {
        return offload(pool_, [file = std::move(file), offset, bytes_max] {
            return file->read(offset, bytes_max);
        });
    }

private:
    std::string signature(std::string_view key, std::string_view expires) const
    {
        return base64url_encode(as_text(key_.mac(std::string(key) + '\n' + std::string(expires))));
    }

    std::filesystem::path path_of(const std::string& key) const
    {
        if (!is_key(key)) {
            throw std::invalid_argument("no key of an object");
        }
        return options_.root / key;
    }

    Task<void> put_here(Object object)
    {
        auto path = path_of(object.key);
        co_await offload(pool_, [this, path = std::move(path), bytes = std::move(object.bytes)] {
            write(path, bytes);
            return true;
        });
    }

    // Under another name first, and on the disk before it gets its own.
    void write(const std::filesystem::path& path, std::string_view bytes)
    {
        const auto unfinished = options_.root / unfinished_folder;
        make_folder(unfinished);
        if (!swept_.exchange(true)) {
            remove_abandoned(unfinished);
        }
        make_folder(path.parent_path());
        const auto draft = unfinished / (std::to_string(::getpid()) + '-' + std::to_string(drafts_++));
        try {
            const Handle file(draft, O_WRONLY | O_CREAT | O_TRUNC);
            write_all(file.get(), bytes);
            synchronise(file.get());
            if (::rename(draft.c_str(), path.c_str()) != 0) {
                fail("rename", errno);
            }
        } catch (...) {
            ::unlink(draft.c_str());
            throw;
        }
        synchronise(Handle(path.parent_path(), O_RDONLY | O_DIRECTORY).get());
    }

    Task<void> remove_here(std::string key)
    {
        auto path = path_of(key);
        co_await offload(pool_, [path = std::move(path)] {
            if (::unlink(path.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR) {
                fail("unlink", errno);
            }
            ::rmdir(path.parent_path().c_str());  // its user's folder, if this was the last object
            return true;
        });
    }

    FolderOptions options_;
    Clock& clock_;
    Operations operations_;
    HmacKey key_;
    std::atomic<bool> swept_ = false;
    std::atomic<unsigned> drafts_ = 0;
    BlockingPool pool_;  // ends first: its jobs use the rest
};

}  // namespace

File::~File()
{
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

std::string File::read(std::size_t offset, std::size_t bytes_max) const
{
    std::string bytes(std::min(bytes_max, bytes_ - std::min(offset, bytes_)), '\0');
    std::size_t filled = 0;
    while (filled < bytes.size()) {
        const auto got = ::pread(
            descriptor_, bytes.data() + filled, bytes.size() - filled, static_cast<off_t>(offset + filled)
        );
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            fail("read", got == 0 ? EIO : errno);
        }
        filled += static_cast<std::size_t>(got);
    }
    return bytes;
}

std::unique_ptr<Folder> open_folder(FolderOptions options, Clock& clock, telemetry::Registry& metrics)
{
    return std::make_unique<LocalFolder>(std::move(options), clock, metrics);
}

}  // namespace kit::blob
