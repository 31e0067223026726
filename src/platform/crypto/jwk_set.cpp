#include "platform/crypto/jwk_set.hpp"

#include "platform/core/encoding.hpp"
#include "platform/crypto/claims_reader.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <array>
#include <ranges>
#include <tuple>
#include <utility>

namespace kit::jwt {

namespace {

template <auto Free>
struct Deleter {
    template <class T>
    void operator()(T* object) const
    {
        Free(object);
    }
};

using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Deleter<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;
using Number = std::unique_ptr<BIGNUM, Deleter<BN_free>>;
using ParameterBuilder = std::unique_ptr<OSSL_PARAM_BLD, Deleter<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Deleter<OSSL_PARAM_free>>;
using EcSignature = std::unique_ptr<ECDSA_SIG, Deleter<ECDSA_SIG_free>>;

constexpr std::size_t coordinate_bytes = 32;  // of P-256: RFC 7518 sections 3.4 and 6.2.1.2
constexpr std::size_t ed25519_bytes = 32;

// The members of a JWK that we look at; others pass unread.
struct Jwk {
    std::string type;       // kty
    std::string id;         // kid
    std::string use;        // blank or sig
    std::string algorithm;  // alg; blank: any that fits the type
    std::string curve;      // crv
    std::string modulus;    // n
    std::string exponent;   // e
    std::string x;
    std::string y;
    std::vector<std::string> operations;  // key_ops
};

const unsigned char* bytes_of(std::string_view text)
{
    return reinterpret_cast<const unsigned char*>(text.data());
}

std::optional<Jwk> read_jwk(std::string_view text)
{
    ClaimsReader reader(text);
    Jwk jwk;
    const std::array<std::pair<std::string_view, std::string*>, 9> texts{
        {{"kty", &jwk.type},
         {"kid", &jwk.id},
         {"use", &jwk.use},
         {"alg", &jwk.algorithm},
         {"crv", &jwk.curve},
         {"n", &jwk.modulus},
         {"e", &jwk.exponent},
         {"x", &jwk.x},
         {"y", &jwk.y}}
    };
    for (std::string_view name; reader.next(name);) {
        const auto* const known =
            std::ranges::find(texts, name, &std::pair<std::string_view, std::string*>::first);
        std::string_view unread;
        if (known != texts.end()) {
            reader.read_string(*known->second);
        } else if (name == "key_ops") {
            reader.read_strings(jwk.operations);
        } else {
            reader.read_value(unread);
        }
    }
    return reader.finished() ? std::optional(std::move(jwk)) : std::nullopt;
}

bool may_verify(const Jwk& jwk)
{
    const bool listed =
        jwk.operations.empty() || std::ranges::find(jwk.operations, "verify") != jwk.operations.end();
    return (jwk.use.empty() || jwk.use == "sig") && listed;
}

std::optional<Algorithm> algorithm_of(const Jwk& jwk)
{
    const auto serves = [&](std::string_view name) { return jwk.algorithm.empty() || jwk.algorithm == name; };
    if (jwk.type == "RSA" && serves("RS256")) {
        return Algorithm::rs256;
    }
    if (jwk.type == "EC" && jwk.curve == "P-256" && serves("ES256")) {
        return Algorithm::es256;
    }
    // RFC 9864 names the algorithm after the curve.
    if (jwk.type == "OKP" && jwk.curve == "Ed25519" && (serves("EdDSA") || serves("Ed25519"))) {
        return Algorithm::eddsa;
    }
    return std::nullopt;
}

// Null where OpenSSL finds the numbers to be no key of the kind: a point beside the curve, for instance.
KeyPtr build(const char* kind, const ParameterBuilder& builder)
{
    const Parameters parameters(OSSL_PARAM_BLD_to_param(builder.get()));
    const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr));
    EVP_PKEY* key = nullptr;
    if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
        return nullptr;
    }
    return KeyPtr(key);
}

Number number_of(std::string_view encoded)
{
    const auto bytes = base64url_decode(encoded);
    // No modulus that is accepted is longer; BN_bin2bn takes an int.
    if (!bytes || bytes->empty() || bytes->size() > PublicKey::rsa_bits_max / 8 + 1) {
        return nullptr;
    }
    return Number(BN_bin2bn(bytes_of(*bytes), static_cast<int>(bytes->size()), nullptr));
}

KeyPtr rsa_key(const Jwk& jwk)
{
    const auto modulus = number_of(jwk.modulus);
    const auto exponent = number_of(jwk.exponent);
    if (!modulus || !exponent || BN_num_bits(modulus.get()) < PublicKey::rsa_bits_min ||
        BN_num_bits(modulus.get()) > PublicKey::rsa_bits_max ||
        BN_num_bits(exponent.get()) > PublicKey::rsa_exponent_bits_max || BN_num_bits(exponent.get()) < 2 ||
        BN_is_odd(exponent.get()) == 0) {
        return nullptr;
    }
    const ParameterBuilder builder(OSSL_PARAM_BLD_new());
    if (!builder || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1) {
        return nullptr;
    }
    return build("RSA", builder);
}

KeyPtr ec_key(const Jwk& jwk)
{
    const auto x = base64url_decode(jwk.x);
    const auto y = base64url_decode(jwk.y);
    if (!x || !y || x->size() != coordinate_bytes || y->size() != coordinate_bytes) {
        return nullptr;
    }
    const auto point = '\x04' + *x + *y;  // uncompressed: SEC 1 section 2.3.3
    const ParameterBuilder builder(OSSL_PARAM_BLD_new());
    if (!builder ||
        OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(
            builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()
        ) != 1) {
        return nullptr;
    }
    return build("EC", builder);
}

KeyPtr ed25519_key(const Jwk& jwk)
{
    const auto x = base64url_decode(jwk.x);
    if (!x || x->size() != ed25519_bytes) {
        return nullptr;
    }
    return KeyPtr(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(*x), x->size()));
}

KeyPtr key_of(const Jwk& jwk, Algorithm algorithm)
{
    switch (algorithm) {
        case Algorithm::rs256:
            return rsa_key(jwk);
        case Algorithm::es256:
            return ec_key(jwk);
        case Algorithm::eddsa:
            return ed25519_key(jwk);
    }
    std::unreachable();
}

// The two numbers of an ES256 signature (RFC 7518 section 3.4) in the form that OpenSSL reads.
std::string to_der(std::string_view signature)
{
    if (signature.size() != 2 * coordinate_bytes) {
        return {};
    }
    const EcSignature pair(ECDSA_SIG_new());
    Number r(BN_bin2bn(bytes_of(signature), coordinate_bytes, nullptr));
    Number s(BN_bin2bn(bytes_of(signature.substr(coordinate_bytes)), coordinate_bytes, nullptr));
    if (!pair || !r || !s || ECDSA_SIG_set0(pair.get(), r.get(), s.get()) != 1) {
        return {};
    }
    std::ignore = r.release();
    std::ignore = s.release();
    unsigned char* bytes = nullptr;
    const int size = i2d_ECDSA_SIG(pair.get(), &bytes);
    if (size <= 0) {
        return {};
    }
    std::string der(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    OPENSSL_free(bytes);
    return der;
}

}  // namespace

std::optional<Algorithm> parse_algorithm(std::string_view name)
{
    if (name == "RS256") {
        return Algorithm::rs256;
    }
    if (name == "ES256") {
        return Algorithm::es256;
    }
    if (name == "EdDSA" || name == "Ed25519") {
        return Algorithm::eddsa;
    }
    return std::nullopt;
}

struct PublicKey::Key {
    KeyPtr value;
};

PublicKey::PublicKey(Algorithm algorithm, std::string id, std::shared_ptr<const Key> key)
    : algorithm_(algorithm), id_(std::move(id)), key_(std::move(key))
{
}

std::optional<PublicKey> PublicKey::parse(std::string_view jwk)
{
    auto read = read_jwk(jwk);
    if (!read || !may_verify(*read)) {
        return std::nullopt;
    }
    const auto algorithm = algorithm_of(*read);
    auto key = algorithm ? key_of(*read, *algorithm) : nullptr;
    if (!key) {
        return std::nullopt;
    }
    return PublicKey(*algorithm, std::move(read->id), std::make_shared<const Key>(std::move(key)));
}

bool PublicKey::verify(std::string_view signed_text, std::string_view signature) const
{
    std::string der;
    if (algorithm_ == Algorithm::es256) {
        der = to_der(signature);
        signature = der;
    }
    const DigestContext context(EVP_MD_CTX_new());
    const EVP_MD* const digest = algorithm_ == Algorithm::eddsa ? nullptr : EVP_sha256();
    if (!context || signature.empty() ||
        EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key_->value.get()) != 1) {
        return false;
    }
    return EVP_DigestVerify(
               context.get(), bytes_of(signature), signature.size(), bytes_of(signed_text), signed_text.size()
           ) == 1;
}

std::optional<KeySet> KeySet::parse(std::string_view document)
{
    ClaimsReader reader(document);
    std::vector<std::string_view> texts;
    bool found = false;
    for (std::string_view name; reader.next(name);) {
        std::string_view unread;
        if (name == "keys") {
            found = reader.read_values(texts, keys_max);
        } else {
            reader.read_value(unread);
        }
    }
    if (!reader.finished() || !found) {
        return std::nullopt;
    }
    KeySet set;
    for (const auto text : texts) {
        if (auto key = PublicKey::parse(text)) {
            set.keys_.push_back(std::move(*key));
        }
    }
    return set;
}

const PublicKey* KeySet::find(std::string_view id, Algorithm algorithm) const
{
    const PublicKey* found = nullptr;
    for (const auto& key : keys_) {
        if (key.algorithm() != algorithm || (!id.empty() && key.id() != id)) {
            continue;
        }
        if (found != nullptr) {
            return nullptr;
        }
        found = &key;
    }
    return found;
}

std::optional<SignedToken> SignedToken::parse(std::string_view token)
{
    const auto first = token.find('.');
    const auto last = token.rfind('.');
    if (token.size() > bytes_max || first == last || token.find('.', first + 1) != last) {
        return std::nullopt;
    }
    const auto header = base64url_decode(token.substr(0, first));
    auto payload = base64url_decode(token.substr(first + 1, last - first - 1));
    auto signature = base64url_decode(token.substr(last + 1));
    if (!header || !payload || !signature) {
        return std::nullopt;
    }
    ClaimsReader reader(*header);
    std::string algorithm;
    std::string key_id;
    bool critical = false;
    for (std::string_view name; reader.next(name);) {
        std::string_view unread;
        if (name == "alg") {
            reader.read_string(algorithm);
        } else if (name == "kid") {
            reader.read_string(key_id);
        } else {
            critical = critical || name == "crit";  // RFC 7515 section 4.1.11: we understand no extension
            reader.read_value(unread);
        }
    }
    const auto known = parse_algorithm(algorithm);
    if (!reader.finished() || critical || !known) {
        return std::nullopt;
    }
    return SignedToken{
        .algorithm = *known,
        .key_id = std::move(key_id),
        .payload = std::move(*payload),
        .signed_text = std::string(token.substr(0, last)),
        .signature = std::move(*signature)
    };
}

}  // namespace kit::jwt
