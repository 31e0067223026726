#include "platform/crypto/signature_key.hpp"

#include "platform/core/encoding.hpp"
#include "platform/crypto/signed_token.hpp"
#include "support/manual_clock.hpp"

#include <gtest/gtest.h>

namespace kit {

namespace {

std::string bytes(std::string_view hex)
{
    return hex_decode(hex).value();
}

// RFC 8032 section 7.1, test 3
TEST(SignatureKey, SignsTheExampleOfRfc8032)
{
    const auto key = SignatureKey::from_private(
        SignatureAlgorithm::eddsa, bytes("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7")
    );
    ASSERT_TRUE(key);
    EXPECT_EQ(
        hex_encode(key->public_bytes()), "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"
    );
    const auto signature = key->sign(bytes("af82"));
    EXPECT_EQ(
        hex_encode(signature),
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
        "4a7c15e9716ed28dc027beceea1ec40a"
    );
    EXPECT_TRUE(key->verify(bytes("af82"), signature));
    EXPECT_FALSE(key->verify(bytes("af83"), signature));
}

// RFC 7515 appendix A.3
TEST(SignatureKey, VerifiesTheExampleOfRfc7515)
{
    const auto key = SignatureKey::from_private(
        SignatureAlgorithm::es256, base64url_decode("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI").value()
    );
    ASSERT_TRUE(key);
    const auto point = key->public_bytes();
    EXPECT_EQ(base64url_encode(point.substr(1, 32)), "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
    EXPECT_EQ(base64url_encode(point.substr(33)), "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
    const std::string text =
        "eyJhbGciOiJFUzI1NiJ9"
        ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    auto signature =
        base64url_decode(
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
        )
            .value();
    EXPECT_TRUE(key->verify(text, signature));
    signature[40] = static_cast<char>(signature[40] ^ 1);
    EXPECT_FALSE(key->verify(text, signature));
    EXPECT_FALSE(key->verify(text, ""));
    EXPECT_FALSE(key->verify(text, std::string(64, '\0')));
}

class EachAlgorithm : public testing::TestWithParam<SignatureAlgorithm> {};

INSTANTIATE_TEST_SUITE_P(
    All,
    EachAlgorithm,
    testing::Values(SignatureAlgorithm::eddsa, SignatureAlgorithm::es256),
    [](const auto& info) { return std::string(to_string(info.param)); }
);

TEST_P(EachAlgorithm, APairSurvivesItsBytes)
{
    test::SeededRandom random;
    const auto key = SignatureKey::make(GetParam(), random);
    EXPECT_TRUE(key.can_sign());
    const auto again = SignatureKey::from_private(GetParam(), key.private_bytes()).value();
    const auto half = SignatureKey::from_public(GetParam(), key.public_bytes()).value();
    EXPECT_FALSE(half.can_sign());
    EXPECT_EQ(half.public_bytes(), again.public_bytes());
    const auto signature = again.sign("text");
    EXPECT_EQ(signature.size(), 64U);
    EXPECT_TRUE(half.verify("text", signature));
    EXPECT_FALSE(half.verify("texT", signature));
    EXPECT_FALSE(half.verify("text", signature.substr(1)));
    EXPECT_FALSE(SignatureKey::make(GetParam(), random).verify("text", signature));
}

TEST_P(EachAlgorithm, WhatIsNoKeyIsNone)
{
    for (const std::size_t size : {0U, 31U, 32U, 33U, 65U}) {
        const std::string zeros(size, '\0');
        if (GetParam() == SignatureAlgorithm::es256 || size != 32) {
            EXPECT_FALSE(SignatureKey::from_private(GetParam(), zeros)) << size;
            EXPECT_FALSE(SignatureKey::from_public(GetParam(), zeros)) << size;
        }
    }
    EXPECT_FALSE(SignatureKey::from_private(SignatureAlgorithm::es256, std::string(32, '\xff')))
        << "above the order";
    EXPECT_FALSE(SignatureKey::from_public(SignatureAlgorithm::es256, '\x04' + std::string(64, '\x01')))
        << "not on the curve";
}

TEST_P(EachAlgorithm, ATokenIsItsKeysAlone)
{
    test::SeededRandom random;
    const jwt::NamedKey key("one", SignatureKey::make(GetParam(), random));
    const jwt::NamedKey namesake("one", SignatureKey::make(GetParam(), random));
    const jwt::NamedKey other(
        "two", SignatureKey::from_private(GetParam(), key.key().private_bytes()).value()
    );
    const auto token = key.sign(R"({"sub":"1"})");
    EXPECT_EQ(
        base64url_decode(token.substr(0, token.find('.'))),
        R"({"alg":")" + std::string(to_string(GetParam())) + R"(","typ":"JWT","kid":"one"})"
    );
    EXPECT_EQ(key.verify(token), R"({"sub":"1"})");
    EXPECT_FALSE(namesake.verify(token)) << "another key of the same name";
    EXPECT_FALSE(other.verify(token)) << "the same key under another name";
    for (const auto& broken : {token.substr(0, token.rfind('.')), token + "A", token + ".", "." + token}) {
        EXPECT_FALSE(key.verify(broken)) << broken;
    }
}

TEST(SignatureKey, IsPublishedWithoutItsPrivateHalf)
{
    test::SeededRandom random;
    const auto ed25519 = SignatureKey::make(SignatureAlgorithm::eddsa, random);
    EXPECT_EQ(
        jwt::NamedKey("a", ed25519).jwk(),
        R"({"kty":"OKP","crv":"Ed25519","x":")" + base64url_encode(ed25519.public_bytes()) +
            R"(","kid":"a","alg":"EdDSA","use":"sig"})"
    );
    const auto p256 = SignatureKey::make(SignatureAlgorithm::es256, random);
    const auto point = p256.public_bytes();
    EXPECT_EQ(
        jwt::NamedKey("b", p256).jwk(),
        R"({"kty":"EC","crv":"P-256","x":")" + base64url_encode(point.substr(1, 32)) + R"(","y":")" +
            base64url_encode(point.substr(33)) + R"(","kid":"b","alg":"ES256","use":"sig"})"
    );
}

}  // namespace

}  // namespace kit
