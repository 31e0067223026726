#include "platform/crypto/hash.hpp"

#include "platform/core/encoding.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sodium.h>

#include <cstring>
#include <stdexcept>

namespace kit {

namespace {

constexpr std::size_t block_bytes = 64;

struct FreeContext {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }  // wipes the state, too
};

using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

void require(bool success)
{
    if (!success) [[unlikely]] {
        throw std::runtime_error("OpenSSL cannot compute SHA-256");
    }
}

// Looked up once: each EVP_sha256() would search the providers again.
const EVP_MD* algorithm()
{
    static EVP_MD* const fetched = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    require(fetched != nullptr);
    return fetched;
}

Context new_context()
{
    Context context(EVP_MD_CTX_new());
    require(context != nullptr);
    return context;
}

// Scratch space of this thread.
EVP_MD_CTX* scratch()
{
    static thread_local const Context context = new_context();
    return context.get();
}

void update(EVP_MD_CTX* context, std::string_view data)
{
    require(EVP_DigestUpdate(context, data.data(), data.size()) == 1);
}

Digest finish(EVP_MD_CTX* context)
{
    Digest digest;
    require(EVP_DigestFinal_ex(context, reinterpret_cast<unsigned char*>(digest.data()), nullptr) == 1);
    return digest;
}

// The state after the key's block, each byte combined with `pad`.
Context keyed(std::string_view key, unsigned char pad)
{
    std::array<char, block_bytes> block{};
    key.copy(block.data(), block.size());
    for (char& byte : block) {
        byte = static_cast<char>(static_cast<unsigned char>(byte) ^ pad);
    }
    auto context = new_context();
    require(EVP_DigestInit_ex2(context.get(), algorithm(), nullptr) == 1);
    update(context.get(), {block.data(), block.size()});
    OPENSSL_cleanse(block.data(), block.size());
    return context;
}

}  // namespace

Digest sha256(std::string_view data)
{
    auto* const context = scratch();
    require(EVP_DigestInit_ex2(context, algorithm(), nullptr) == 1);
    update(context, data);
    return finish(context);
}

std::string sha256_hex(std::string_view data)
{
    return hex_encode(as_text(sha256(data)));
}

std::string peppered_hash(std::string_view secret, std::string_view pepper)
{
    auto* const context = scratch();
    require(EVP_DigestInit_ex2(context, algorithm(), nullptr) == 1);
    update(context, secret);
    update(context, ":");
    update(context, pepper);
    return hex_encode(as_text(finish(context)));
}

bool constant_time_equal(std::string_view left, std::string_view right)
{
    return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

struct HmacKey::State {
    Context inner;
    Context outer;
};

HmacKey::HmacKey(std::string_view key)
{
    Digest shortened{};
    if (key.size() > block_bytes) {
        shortened = sha256(key);
        key = as_text(shortened);
    }
    state_ = std::make_unique<const State>(State{.inner = keyed(key, 0x36), .outer = keyed(key, 0x5c)});
    OPENSSL_cleanse(shortened.data(), shortened.size());
}

HmacKey::HmacKey(HmacKey&&) noexcept = default;
HmacKey& HmacKey::operator=(HmacKey&&) noexcept = default;
HmacKey::~HmacKey() = default;

Digest HmacKey::mac(std::string_view data) const
{
    auto* const context = scratch();
    require(EVP_MD_CTX_copy_ex(context, state_->inner.get()) == 1);
    update(context, data);
    const auto inner = finish(context);
    require(EVP_MD_CTX_copy_ex(context, state_->outer.get()) == 1);
    update(context, as_text(inner));
    return finish(context);
}

Digest hmac_sha256(std::string_view key, std::string_view data)
{
    return HmacKey(key).mac(data);
}

std::uint64_t short_hash(const std::array<std::byte, 16>& key, std::string_view data)
{
    static_assert(crypto_shorthash_KEYBYTES == 16 && crypto_shorthash_BYTES == sizeof(std::uint64_t));
    std::array<unsigned char, crypto_shorthash_BYTES> bytes;
    crypto_shorthash(
        bytes.data(),
        reinterpret_cast<const unsigned char*>(data.data()),
        data.size(),
        reinterpret_cast<const unsigned char*>(key.data())
    );
    std::uint64_t hash = 0;
    std::memcpy(&hash, bytes.data(), sizeof(hash));
    return hash;
}

}  // namespace kit
