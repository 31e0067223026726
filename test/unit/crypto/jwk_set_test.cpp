#include "platform/crypto/jwk_set.hpp"

#include "platform/core/encoding.hpp"
#include "platform/crypto/signed_token.hpp"
#include "support/oidc_provider.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace kit::jwt {
namespace {

using test::ec_key;
using test::ed_key;
using test::rsa_key;
using testing::HasSubstr;

struct Vector {
    const char* source;
    const char* jwk;
    const char* token;
};

// NOLINTBEGIN(modernize-raw-string-literal)
const Vector rs256{
    "RFC 7515 A.2",
    R"({"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL)"
    R"(-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTB)"
    R"(EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9)"
    R"(gb54h4FRWyuXpoQ","e":"AQAB"})",
    "eyJhbGciOiJSUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlf"
    "Q.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
    "O8W2Fp5jujGbds9uJdbF9CUAr7t1"
    "dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_"
    "dO--xi12jzDwus"
    "C-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_"
    "IoypGlUPQGe77Rw"
};
const Vector es256{
    "RFC 7515 A.3",
    R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
    R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})",
    "eyJhbGciOiJFUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlf"
    "Q.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
};
const Vector eddsa{
    "RFC 8037 A.4",
    R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})",
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-"
    "09PGcvMg3AIbQR6dWbhijcNR4ki4i"
    "ylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
};

// NOLINTEND(modernize-raw-string-literal)

TEST(PublicKey, VerifiesTheVectorsOfTheRfcs)
{
    for (const auto& vector : {rs256, es256, eddsa}) {
        const auto key = PublicKey::parse(vector.jwk);
        const auto token = SignedToken::parse(vector.token);
        ASSERT_TRUE(key && token) << vector.source;
        EXPECT_EQ(key->algorithm(), token->algorithm) << vector.source;
        EXPECT_TRUE(key->verify(token->signed_text, token->signature)) << vector.source;
        EXPECT_FALSE(key->verify(token->signed_text + "x", token->signature)) << vector.source;
        for (std::size_t at = 0; at < token->signature.size(); at += 7) {
            auto changed = token->signature;
            changed[at] = static_cast<char>(changed[at] ^ 1);
            EXPECT_FALSE(key->verify(token->signed_text, changed)) << vector.source << at;
        }
        EXPECT_FALSE(key->verify(token->signed_text, "")) << vector.source;
        EXPECT_FALSE(key->verify(token->signed_text, token->signature + '\0')) << vector.source;
    }
}

TEST(PublicKey, IsOneThatVerifiesSignatures)
{
    const auto usable = [](const std::string& jwk) { return PublicKey::parse(jwk).has_value(); };
    EXPECT_TRUE(
        usable(rsa_key().jwk(R"(,"use":"sig","alg":"RS256","key_ops":["verify"],"x5c":["a"],"ext":{"a":1})"))
    );
    // RFC 7517 sections 4.2 to 4.4.
    EXPECT_FALSE(usable(rsa_key().jwk(R"(,"use":"enc")")));
    EXPECT_FALSE(usable(rsa_key().jwk(R"(,"alg":"RS512")")));
    EXPECT_FALSE(usable(rsa_key().jwk(R"(,"alg":"HS256")")));
    EXPECT_FALSE(usable(rsa_key().jwk(R"(,"key_ops":["sign"])")));
    EXPECT_FALSE(usable(rsa_key().jwk(R"(,"kty":"EC")"))) << "a member twice";
    EXPECT_TRUE(usable(ed_key().jwk(R"(,"alg":"Ed25519")")));
    EXPECT_FALSE(usable(R"({"kty":"oct","k":"AAAA"})"));
    EXPECT_FALSE(usable(R"({"kty":"RSA","n":"AQAB","e":"AQAB"})")) << "RFC 7518 3.3: 2048 bits at least";
    EXPECT_FALSE(usable(R"({"kty":"EC","crv":"P-384","x":"AA","y":"AA"})"));
    EXPECT_FALSE(usable(R"({"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})"));
    EXPECT_FALSE(usable(R"({"kty":"OKP","crv":"Ed25519","x":"AA"})"));
    EXPECT_FALSE(usable("{}"));
    EXPECT_FALSE(usable("[]"));
    const std::string off_the_curve(43, 'A');
    EXPECT_FALSE(usable(fmt::format(R"({{"kty":"EC","crv":"P-256","x":"{0}","y":"{0}"}})", off_the_curve)));
    const auto huge = base64url_encode(std::string(PublicKey::rsa_bits_max / 8 + 1, '\xff'));
    EXPECT_FALSE(usable(R"({"kty":"RSA","n":")" + huge + R"(","e":"AQAB"})"));
    auto exponent = rsa_key().jwk();
    exponent.replace(exponent.find(R"("e":"AQAB")"), 10, R"("e":"AQAAAAAAAAAAAQ")");
    EXPECT_FALSE(usable(exponent)) << "more than 64 bits";
}

TEST(KeySet, FindsTheOneKeyThatAHeaderCanMean)
{
    const auto set = KeySet::parse(
        R"({"other":[{}],"keys":[)" + rsa_key().jwk() + "," + test::other_rsa_key().jwk() + "," +
        ec_key().jwk() + R"(,{"kty":"oct"}]})"
    );
    ASSERT_TRUE(set);
    EXPECT_EQ(set->size(), 3) << "a key of no use is left out";
    EXPECT_EQ(set->find("rsa-2", Algorithm::rs256)->id(), "rsa-2");
    EXPECT_EQ(set->find("", Algorithm::es256)->id(), "ec-1") << "no choice";
    EXPECT_EQ(set->find("", Algorithm::rs256), nullptr) << "OpenID Connect Core 10.1: two could be meant";
    EXPECT_EQ(set->find("rsa-1", Algorithm::es256), nullptr) << "a key serves its own algorithm only";
    EXPECT_EQ(set->find("nobody", Algorithm::rs256), nullptr);
    const auto twice = KeySet::parse(R"({"keys":[)" + rsa_key().jwk() + "," + rsa_key().jwk() + "]}");
    EXPECT_EQ(twice->find("rsa-1", Algorithm::rs256), nullptr);
}

TEST(KeySet, IsBounded)
{
    const auto document = [](std::size_t keys) {
        std::string text = R"({"keys":[)";
        for (std::size_t key = 0; key < keys; ++key) {
            text += (key > 0 ? "," : "") + ed_key().jwk();
        }
        return text + "]}";
    };
    EXPECT_TRUE(KeySet::parse(document(KeySet::keys_max)));
    EXPECT_FALSE(KeySet::parse(document(KeySet::keys_max + 1)));
    for (const char* text : {"", "{}", "[]", R"({"keys":{}})", R"({"keys":[})", R"({"keys":[]} x)"}) {
        EXPECT_FALSE(KeySet::parse(text)) << text;
    }
    EXPECT_TRUE(KeySet::parse(R"({"keys":[]})"));
    const std::string deep(100, '[');
    EXPECT_FALSE(KeySet::parse(R"({"keys":[)" + deep + std::string(100, ']') + "]}"));
}

TEST(SignedToken, IsTakenApart)
{
    const auto parse = [](std::string_view header) {
        return SignedToken::parse(base64url_encode(header) + ".e30.AAAA");
    };
    const auto token = parse(R"({"kid":"k","alg":"ES256","typ":"JWT","jwk":{"kty":"oct"}})");
    ASSERT_TRUE(token);
    EXPECT_EQ(token->key_id, "k");
    EXPECT_EQ(token->payload, "{}");
    for (const char* header :
         {R"({"alg":"none"})",  // RFC 8725 section 3.1: what we verify, and nothing else
          R"({"alg":"None"})",
          R"({"alg":"HS256"})",
          R"({"alg":"RS1"})",
          R"({"alg":""})",
          R"({})",
          R"({"alg":"RS256","alg":"none"})",  // RFC 7515 section 4
          R"({"alg":"RS256","crit":["b64"],"b64":false})",
          R"({"alg":["RS256"]})",
          R"("RS256")"}) {
        EXPECT_FALSE(parse(header)) << header;
    }
    const auto header = base64url_encode(R"({"alg":"RS256"})");
    for (const auto& text :
         {std::string(),
          header,
          header + ".e30",
          header + ".e30.AA.AA",
          header + ".e30=.AAAA",
          header + ".e30.A+AA",
          header + ".e30." + std::string(SignedToken::bytes_max, 'A')}) {
        EXPECT_FALSE(SignedToken::parse(text)) << text.substr(0, 40);
    }
}

TEST(NamedKey, SignsWhatItsKeyVerifies)
{
    const auto seed =
        base64url_decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").value();  // RFC 8037 A.1
    const NamedKey signer("a key", SignatureKey::from_private(SignatureAlgorithm::eddsa, seed).value());
    EXPECT_THAT(signer.jwk(), HasSubstr(R"("x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")"));
    const auto token = SignedToken::parse(signer.sign(R"({"a":1})"));
    const auto keys = KeySet::parse(R"({"keys":[)" + signer.jwk() + "]}");
    ASSERT_TRUE(token && keys);
    const auto* const key = keys->find(token->key_id, token->algorithm);
    ASSERT_NE(key, nullptr);
    EXPECT_TRUE(key->verify(token->signed_text, token->signature));
    EXPECT_EQ(token->payload, R"({"a":1})");
}

}  // namespace
}  // namespace kit::jwt
