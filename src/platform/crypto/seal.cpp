#include "platform/crypto/seal.hpp"

#include "platform/core/encoding.hpp"

#include <sodium.h>

#include <span>
#include <stdexcept>

namespace kit {

namespace {

constexpr std::size_t nonce_bytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t tag_bytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;

static_assert(sizeof(Digest) == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);

const unsigned char* bytes_of(std::string_view text)
{
    return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* bytes_of(std::string& text)
{
    return reinterpret_cast<unsigned char*>(text.data());
}

}  // namespace

Digest derive_key(std::string_view secret, std::string_view purpose)
{
    const std::string no_salt(sizeof(Digest), '\0');
    const auto extracted = hmac_sha256(no_salt, secret);
    return hmac_sha256(as_text(extracted), std::string(purpose) + '\x01');
}

Sealer::Sealer(std::string_view secret, std::string_view purpose) : key_(derive_key(secret, purpose))
{
    if (sodium_init() < 0) {
        throw std::runtime_error("libsodium cannot be initialised");
    }
}

Sealer::~Sealer()
{
    sodium_memzero(key_.data(), key_.size());
}

std::string Sealer::seal(std::string_view plain, std::string_view place, Random& random) const
{
    std::string sealed(nonce_bytes + plain.size() + tag_bytes, '\0');
    random.fill(std::as_writable_bytes(std::span(sealed).first(nonce_bytes)));
    crypto_aead_xchacha20poly1305_ietf_encrypt(
        bytes_of(sealed) + nonce_bytes,
        nullptr,
        bytes_of(plain),
        plain.size(),
        bytes_of(place),
        place.size(),
        nullptr,
        bytes_of(sealed),
        bytes_of(as_text(key_))
    );
    return base64url_encode(sealed);
}

std::optional<std::string> Sealer::open(std::string_view sealed, std::string_view place) const
{
    const auto bytes = base64url_decode(sealed);
    if (!bytes || bytes->size() < nonce_bytes + tag_bytes) {
        return std::nullopt;
    }
    std::string plain(bytes->size() - nonce_bytes - tag_bytes, '\0');
    const int opened = crypto_aead_xchacha20poly1305_ietf_decrypt(
        bytes_of(plain),
        nullptr,
        nullptr,
        bytes_of(std::string_view(*bytes)) + nonce_bytes,
        bytes->size() - nonce_bytes,
        bytes_of(place),
        place.size(),
        bytes_of(std::string_view(*bytes)),
        bytes_of(as_text(key_))
    );
    if (opened != 0) {
        return std::nullopt;
    }
    return plain;
}

}  // namespace kit
