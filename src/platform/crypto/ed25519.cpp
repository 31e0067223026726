#include "platform/crypto/ed25519.hpp"

#include "platform/core/encoding.hpp"

#include <sodium.h>

#include <stdexcept>

namespace kit::jwt {

namespace {

std::string_view as_text(const unsigned char* bytes, std::size_t size)
{
    return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

Ed25519Signer::Ed25519Signer(const Digest& seed)
{
    static_assert(crypto_sign_ed25519_SECRETKEYBYTES == sizeof(secret_));
    static_assert(crypto_sign_ed25519_SEEDBYTES == sizeof(Digest));
    std::array<unsigned char, crypto_sign_ed25519_PUBLICKEYBYTES> shown{};
    if (sodium_init() < 0 ||
        crypto_sign_ed25519_seed_keypair(
            shown.data(), secret_.data(), reinterpret_cast<const unsigned char*>(seed.data())
        ) != 0) {
        throw std::runtime_error("libsodium cannot make an Ed25519 key");
    }
    const auto x = base64url_encode(as_text(shown.data(), shown.size()));
    // RFC 7638: the thumbprint of the key names it.
    const auto key_id =
        base64url_encode(kit::as_text(sha256(R"({"crv":"Ed25519","kty":"OKP","x":")" + x + R"("})")));
    header_ = base64url_encode(R"({"alg":"EdDSA","kid":")" + key_id + R"(","typ":"JWT"})");
    jwk_ = R"({"kty":"OKP","crv":"Ed25519","use":"sig","alg":"EdDSA","kid":")" + key_id + R"(","x":")" + x +
           R"("})";
}

Ed25519Signer::~Ed25519Signer()
{
    sodium_memzero(secret_.data(), secret_.size());
}

std::string Ed25519Signer::sign(std::string_view claims_json) const
{
    auto token = header_ + '.' + base64url_encode(claims_json);
    std::array<unsigned char, crypto_sign_ed25519_BYTES> signature{};
    crypto_sign_ed25519_detached(
        signature.data(),
        nullptr,
        reinterpret_cast<const unsigned char*>(token.data()),
        token.size(),
        secret_.data()
    );
    token += '.';
    token += base64url_encode(as_text(signature.data(), signature.size()));
    return token;
}

}  // namespace kit::jwt
