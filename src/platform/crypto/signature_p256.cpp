// ECDSA over P-256, by OpenSSL.
#include "platform/crypto/signature_pair.hpp"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>

#include <array>
#include <stdexcept>

namespace kit {

namespace {

constexpr int number_bytes = 32;
constexpr std::size_t point_bytes = 1 + 2 * number_bytes;  // 04, x, y
constexpr std::size_t signature_bytes = 2 * number_bytes;  // r, s
constexpr char uncompressed = 4;

template <auto Free>
struct Freer {
    template <class T>
    void operator()(T* object) const
    {
        Free(object);
    }
};

using Number = std::unique_ptr<BIGNUM, Freer<BN_clear_free>>;
using Group = std::unique_ptr<EC_GROUP, Freer<EC_GROUP_free>>;
using Point = std::unique_ptr<EC_POINT, Freer<EC_POINT_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Freer<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Freer<OSSL_PARAM_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freer<EVP_PKEY_CTX_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Freer<ECDSA_SIG_free>>;

void require(bool success)
{
    if (!success) [[unlikely]] {
        throw std::runtime_error("OpenSSL cannot compute with P-256");
    }
}

const unsigned char* bytes_of(std::string_view text)
{
    return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* bytes_of(std::string& text)
{
    return reinterpret_cast<unsigned char*>(text.data());
}

Number number_of(std::string_view bytes)
{
    Number number(BN_bin2bn(bytes_of(bytes), static_cast<int>(bytes.size()), nullptr));
    require(number != nullptr);
    return number;
}

// The key's point; empty where the scalar is none: zero, or not below the group's order.
std::string point_of(const BIGNUM* scalar)
{
    const Group group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
    require(group != nullptr);
    if (BN_is_zero(scalar) == 1 || BN_cmp(scalar, EC_GROUP_get0_order(group.get())) >= 0) {
        return {};
    }
    const Point point(EC_POINT_new(group.get()));
    require(point && EC_POINT_mul(group.get(), point.get(), scalar, nullptr, nullptr, nullptr) == 1);
    std::string bytes(point_bytes, '\0');
    const auto size = EC_POINT_point2oct(
        group.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED, bytes_of(bytes), bytes.size(), nullptr
    );
    require(size == bytes.size());
    return bytes;
}

// Null where the point is not on the curve. Without a scalar, the public half.
Key key_of(std::string_view point, const BIGNUM* scalar)
{
    const Builder builder(OSSL_PARAM_BLD_new());
    require(
        builder &&
        OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, SN_X9_62_prime256v1, 0) ==
            1 &&
        OSSL_PARAM_BLD_push_octet_string(
            builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()
        ) == 1 &&
        (scalar == nullptr || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, scalar) == 1)
    );
    const Parameters parameters(OSSL_PARAM_BLD_to_param(builder.get()));
    const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
    require(parameters && context && EVP_PKEY_fromdata_init(context.get()) == 1);
    EVP_PKEY* key = nullptr;
    const int selection = scalar == nullptr ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR;
    EVP_PKEY_fromdata(context.get(), &key, selection, parameters.get());
    return Key(key);
}

// Fixed-width numbers, and OpenSSL's DER.
std::string from_der(std::string_view der)
{
    const auto* begin = bytes_of(der);
    const Signature signature(d2i_ECDSA_SIG(nullptr, &begin, static_cast<long>(der.size())));
    require(signature != nullptr);
    std::string bytes(signature_bytes, '\0');
    require(
        BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), bytes_of(bytes), number_bytes) == number_bytes &&
        BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), bytes_of(bytes) + number_bytes, number_bytes) ==
            number_bytes
    );
    return bytes;
}

std::string to_der(std::string_view bytes)
{
    const Signature signature(ECDSA_SIG_new());
    require(signature != nullptr);
    auto r = number_of(bytes.substr(0, number_bytes));
    auto s = number_of(bytes.substr(number_bytes));
    require(ECDSA_SIG_set0(signature.get(), r.get(), s.get()) == 1);
    static_cast<void>(r.release());
    static_cast<void>(s.release());
    unsigned char* der = nullptr;
    const int size = i2d_ECDSA_SIG(signature.get(), &der);
    require(size > 0);
    std::string text(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    return text;
}

class P256 final : public SignatureKey::Pair {
public:
    P256(Key key, std::string_view public_key, std::string_view private_key)
        : key_(std::move(key)), public_(public_key), private_(private_key)
    {
    }

    ~P256() override { OPENSSL_cleanse(private_.data(), private_.size()); }

    SignatureAlgorithm algorithm() const override { return SignatureAlgorithm::es256; }

    bool can_sign() const override { return !private_.empty(); }

    std::string private_bytes() const override { return private_; }

    std::string public_bytes() const override { return public_; }

    std::string sign(std::string_view text) const override
    {
        const DigestContext context(EVP_MD_CTX_new());
        std::size_t size = 0;
        require(
            context && EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1 &&
            EVP_DigestSign(context.get(), nullptr, &size, bytes_of(text), text.size()) == 1
        );
        std::string der(size, '\0');
        require(EVP_DigestSign(context.get(), bytes_of(der), &size, bytes_of(text), text.size()) == 1);
        return from_der(std::string_view(der).substr(0, size));
    }

    bool verify(std::string_view text, std::string_view signature) const override
    {
        if (signature.size() != signature_bytes) {
            return false;
        }
        const auto der = to_der(signature);
        const DigestContext context(EVP_MD_CTX_new());
        require(
            context && EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1
        );
        return EVP_DigestVerify(context.get(), bytes_of(der), der.size(), bytes_of(text), text.size()) == 1;
    }

private:
    Key key_;
    std::string public_;
    std::string private_;
};

}  // namespace

std::shared_ptr<const SignatureKey::Pair> p256_from_private(std::string_view bytes)
{
    if (bytes.size() != number_bytes) {
        return nullptr;
    }
    const auto scalar = number_of(bytes);
    const auto point = point_of(scalar.get());
    if (point.empty()) {
        return nullptr;
    }
    auto key = key_of(point, scalar.get());
    require(key != nullptr);
    return std::make_shared<const P256>(std::move(key), point, bytes);
}

std::shared_ptr<const SignatureKey::Pair> p256_from_public(std::string_view bytes)
{
    if (bytes.size() != point_bytes || bytes.front() != uncompressed) {
        return nullptr;
    }
    auto key = key_of(bytes, nullptr);
    return key ? std::make_shared<const P256>(std::move(key), bytes, "") : nullptr;
}

}  // namespace kit
