#include "platform/crypto/signature_key.hpp"

#include "platform/crypto/signature_pair.hpp"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <span>
#include <stdexcept>

namespace kit {

namespace {

constexpr std::size_t private_key_bytes = 32;
constexpr int scalar_attempts_max = 16;  // one in 2^32 is none

const unsigned char* bytes_of(std::string_view text)
{
    return reinterpret_cast<const unsigned char*>(text.data());
}

class Ed25519 final : public SignatureKey::Pair {
public:
    using Public = std::array<unsigned char, crypto_sign_PUBLICKEYBYTES>;
    using Secret = std::array<unsigned char, crypto_sign_SECRETKEYBYTES>;

    Ed25519(const Public& public_key, const std::optional<Secret>& secret)
        : public_(public_key), secret_(secret)
    {
    }

    ~Ed25519() override
    {
        if (secret_) {
            sodium_memzero(secret_->data(), secret_->size());
        }
    }

    SignatureAlgorithm algorithm() const override { return SignatureAlgorithm::eddsa; }

    bool can_sign() const override { return secret_.has_value(); }

    // The seed, which is the first half of libsodium's form.
    std::string private_bytes() const override
    {
        return {reinterpret_cast<const char*>(secret_.value().data()), private_key_bytes};
    }

    std::string public_bytes() const override
    {
        return {reinterpret_cast<const char*>(public_.data()), public_.size()};
    }

    std::string sign(std::string_view text) const override
    {
        std::string signature(crypto_sign_BYTES, '\0');
        crypto_sign_detached(
            reinterpret_cast<unsigned char*>(signature.data()),
            nullptr,
            bytes_of(text),
            text.size(),
            secret_.value().data()
        );
        return signature;
    }

    bool verify(std::string_view text, std::string_view signature) const override
    {
        return signature.size() == crypto_sign_BYTES &&
               crypto_sign_verify_detached(
                   bytes_of(signature), bytes_of(text), text.size(), public_.data()
               ) == 0;
    }

private:
    Public public_;
    std::optional<Secret> secret_;
};

std::shared_ptr<const SignatureKey::Pair> ed25519_from_private(std::string_view seed)
{
    if (seed.size() != crypto_sign_SEEDBYTES) {
        return nullptr;
    }
    Ed25519::Public public_key;
    Ed25519::Secret secret;
    crypto_sign_seed_keypair(public_key.data(), secret.data(), bytes_of(seed));
    auto pair = std::make_shared<const Ed25519>(public_key, secret);
    sodium_memzero(secret.data(), secret.size());
    return pair;
}

std::shared_ptr<const SignatureKey::Pair> ed25519_from_public(std::string_view bytes)
{
    Ed25519::Public public_key;
    if (bytes.size() != public_key.size()) {
        return nullptr;
    }
    std::ranges::copy(bytes, public_key.begin());
    return std::make_shared<const Ed25519>(public_key, std::nullopt);
}

}  // namespace

std::string_view to_string(SignatureAlgorithm algorithm)
{
    switch (algorithm) {
        case SignatureAlgorithm::eddsa:
            return "EdDSA";
        case SignatureAlgorithm::es256:
            return "ES256";
    }
    return {};
}

std::optional<SignatureAlgorithm> parse_signature_algorithm(std::string_view name)
{
    for (const auto algorithm : {SignatureAlgorithm::eddsa, SignatureAlgorithm::es256}) {
        if (name == to_string(algorithm)) {
            return algorithm;
        }
    }
    return std::nullopt;
}

SignatureKey SignatureKey::make(SignatureAlgorithm algorithm, Random& random)
{
    std::string bytes(private_key_bytes, '\0');
    std::optional<SignatureKey> key;
    for (int attempt = 0; attempt < scalar_attempts_max && !key; ++attempt) {
        random.fill(std::as_writable_bytes(std::span(bytes)));
        key = from_private(algorithm, bytes);
    }
    sodium_memzero(bytes.data(), bytes.size());
    if (!key) {
        throw std::runtime_error("no signature key can be made");
    }
    return *key;
}

std::optional<SignatureKey> SignatureKey::from_private(SignatureAlgorithm algorithm, std::string_view bytes)
{
    auto pair =
        algorithm == SignatureAlgorithm::eddsa ? ed25519_from_private(bytes) : p256_from_private(bytes);
    return pair ? std::optional(SignatureKey(std::move(pair))) : std::nullopt;
}

std::optional<SignatureKey> SignatureKey::from_public(SignatureAlgorithm algorithm, std::string_view bytes)
{
    auto pair = algorithm == SignatureAlgorithm::eddsa ? ed25519_from_public(bytes) : p256_from_public(bytes);
    return pair ? std::optional(SignatureKey(std::move(pair))) : std::nullopt;
}

SignatureAlgorithm SignatureKey::algorithm() const
{
    return pair_->algorithm();
}

bool SignatureKey::can_sign() const
{
    return pair_->can_sign();
}

std::string SignatureKey::private_bytes() const
{
    return pair_->private_bytes();
}

std::string SignatureKey::sign(std::string_view text) const
{
    return pair_->sign(text);
}

std::string SignatureKey::public_bytes() const
{
    return pair_->public_bytes();
}

bool SignatureKey::verify(std::string_view text, std::string_view signature) const
{
    return pair_->verify(text, signature);
}

}  // namespace kit
