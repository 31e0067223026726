#include "platform/crypto/password.hpp"

#include "platform/core/encoding.hpp"
#include "platform/core/error.hpp"

#include <fmt/format.h>
#include <sodium.h>

#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <stdexcept>
#include <sys/mman.h>
#include <utility>

namespace kit {

namespace {

constexpr std::size_t salt_bytes = 16;
constexpr std::size_t hash_bytes = 32;
constexpr std::size_t bytes_per_kib = 1024;
constexpr std::uint32_t lanes_max = 64;

static_assert(salt_bytes == crypto_pwhash_argon2id_SALTBYTES);

using Salt = std::array<std::byte, salt_bytes>;
using Hash = std::array<std::byte, hash_bytes>;

// A password on its way to a pool thread. Lives on the heap, so that moving it leaves no copy behind.
class WipedText {
public:
    // Takes a copy and wipes the original.
    explicit WipedText(std::string& source) : text_(std::make_unique<std::string>(source))
    {
        sodium_memzero(source.data(), source.size());
        source.clear();
    }

    WipedText(WipedText&&) = default;
    WipedText& operator=(WipedText&&) = delete;

    ~WipedText()
    {
        if (text_) {
            sodium_memzero(text_->data(), text_->size());
        }
    }

    const std::string& text() const { return *text_; }

private:
    std::unique_ptr<std::string> text_;
};

// Standard base64 without padding, as PHC strings have it.
std::string phc_base64(std::span<const std::byte> bytes)
{
    auto text = base64_encode(as_text(bytes));
    text.erase(text.find_last_not_of('=') + 1);
    return text;
}

std::string phc_string(const PasswordHasher::Options& options, const Salt& salt, const Hash& hash)
{
    return fmt::format(
        "$argon2id$v=19$m={},t={},p=1${}${}",
        options.memory_kib,
        options.passes,
        phc_base64(salt),
        phc_base64(hash)
    );
}

struct Cost {
    std::uint32_t memory_kib = 0;
    std::uint32_t passes = 0;
    std::uint32_t lanes = 0;
};

// Cuts `prefix` and the decimal number behind it off `text`.
std::optional<std::uint32_t> take_number(std::string_view& text, std::string_view prefix)
{
    if (!text.starts_with(prefix)) {
        return std::nullopt;
    }
    text.remove_prefix(prefix.size());
    std::uint32_t number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure != std::errc{}) {
        return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return number;
}

// The cost that a PHC string names, if it is one of Argon2id version 19 and the cost is sane. libsodium reads
// the rest.
std::optional<Cost> cost_of(std::string_view phc)
{
    if (phc.find('\0') != std::string_view::npos) {
        return std::nullopt;  // libsodium would read up to there
    }
    const auto memory_kib = take_number(phc, "$argon2id$v=19$m=");
    const auto passes = take_number(phc, ",t=");
    const auto lanes = take_number(phc, ",p=");
    if (memory_kib.value_or(0) == 0 || !passes || !lanes || !phc.starts_with('$')) {
        return std::nullopt;
    }
    if (*memory_kib > PasswordHasher::stored_memory_kib_max || *passes > PasswordHasher::stored_passes_max ||
        *lanes > lanes_max) {
        return std::nullopt;
    }
    return Cost{.memory_kib = *memory_kib, .passes = *passes, .lanes = *lanes};
}

[[noreturn]] void throw_out_of_memory()
{
    throw Unavailable("no memory to hash a password");
}

Hash compute(const WipedText& password, const Salt& salt, const PasswordHasher::Options& options)
{
    Hash hash;
    const int result = crypto_pwhash_argon2id(
        reinterpret_cast<unsigned char*>(hash.data()),
        hash.size(),
        password.text().data(),
        password.text().size(),
        reinterpret_cast<const unsigned char*>(salt.data()),
        options.passes,
        options.memory_kib * bytes_per_kib,
        crypto_pwhash_argon2id_ALG_ARGON2ID13
    );
    if (result != 0) {
        throw_out_of_memory();  // the constructor has checked the cost
    }
    return hash;
}

bool can_map(std::size_t bytes)
{
    void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return false;
    }
    munmap(memory, bytes);
    return true;
}

bool matches(const WipedText& password, const std::string& phc, const Cost& cost)
{
    if (crypto_pwhash_argon2id_str_verify(phc.c_str(), password.text().data(), password.text().size()) == 0) {
        return true;
    }
    // libsodium says "mismatch" too when it got no memory. That must not become "wrong password".
    if (!can_map(cost.memory_kib * bytes_per_kib)) {
        throw_out_of_memory();
    }
    return false;
}

PasswordHasher::Options checked(const PasswordHasher::Options& options)
{
    if (sodium_init() < 0) {
        throw std::runtime_error("libsodium does not start");
    }
    if (options.memory_kib * bytes_per_kib < crypto_pwhash_argon2id_memlimit_min() || options.passes == 0 ||
        options.memory_kib > PasswordHasher::stored_memory_kib_max ||
        options.passes > PasswordHasher::stored_passes_max) {
        throw std::invalid_argument("a cost out of range for Argon2id");
    }
    return options;
}

}  // namespace

PasswordHasher::PasswordHasher(const Options& options, Random& random)
    : options_(checked(options)),
      random_(random),
      dummy_(phc_string(options, Salt{}, Hash{})),  // no password is known that hashes to zeroes
      pool_({.name = "password", .threads_max = options.threads_max, .queue_max = options.queue_max})
{
}

Task<std::string> PasswordHasher::hash(std::string password)
{
    WipedText wiped(password);
    Salt salt;
    random_.fill(salt);
    co_return co_await offload(pool_, [wiped = std::move(wiped), salt, options = options_] {
        return phc_string(options, salt, compute(wiped, salt, options));
    });
}

Task<bool> PasswordHasher::verify(std::string password, std::string phc)
{
    WipedText wiped(password);
    const auto cost = cost_of(phc);
    if (!cost) {
        co_return false;
    }
    co_return co_await offload(pool_, [wiped = std::move(wiped), phc = std::move(phc), cost = *cost] {
        return matches(wiped, phc, cost);
    });
}

Task<void> PasswordHasher::verify_dummy(std::string password)
{
    const bool matched = co_await verify(std::move(password), dummy_);
    static_cast<void>(matched);
}

bool PasswordHasher::needs_rehash(std::string_view phc) const
{
    const auto cost = cost_of(phc);
    return !cost || cost->memory_kib < options_.memory_kib || cost->passes < options_.passes;
}

}  // namespace kit
