// The rules of OpenID Connect Core 1.0, section 3.1.3.7, one by one.
#include "modules/auth/auth_id_token_service.hpp"
#include "platform/crypto/jwk_set.hpp"
#include "support/oidc_provider.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace kit::auth {
namespace {

using test::SigningKey;

constexpr std::int64_t now_seconds = 1'772'323'200;
constexpr Timestamp now{std::chrono::seconds(now_seconds)};

using Changes = std::map<std::string, std::string>;  // by name, as JSON; blank: the claim is absent

std::string payload_with(const Changes& changes)
{
    Changes claims{
        {"iss", R"("https://issuer.example")"},
        {"sub", R"("1234")"},
        {"aud", R"("client")"},
        {"exp", std::to_string(now_seconds + 60)},
        {"iat", std::to_string(now_seconds)},
        {"nonce", R"("nonce")"},
    };
    for (const auto& [name, value] : changes) {
        claims[name] = value;
    }
    std::string text;
    for (const auto& [name, value] : claims) {
        if (!value.empty()) {
            text += fmt::format(R"({}"{}":{})", text.empty() ? "" : ",", name, value);
        }
    }
    return "{" + text + "}";
}

std::expected<Claims, IdTokenFault> verify(const std::string& payload, const SigningKey& key = test::ed_key())
{
    const auto header = fmt::format(R"({{"alg":"{}","kid":"{}"}})", key.algorithm(), key.id());
    const auto token = jwt::SignedToken::parse(test::make_token(header, payload, [&](std::string_view text) {
        return key.sign(text);
    }));
    const auto keys = jwt::KeySet::parse(
        R"({"keys":[)" + test::ed_key().jwk() + "," + test::ec_key().jwk() + "," + test::rsa_key().jwk() +
        "]}"
    );
    return verify_id_token(
        token.value(),
        keys.value(),
        {.issuer = "https://issuer.example",
         .issuer_alias = "issuer.example",
         .client_id = "client",
         .nonce = "nonce",
         .now = now}
    );
}

std::string outcome(const Changes& changes)
{
    const auto claims = verify(payload_with(changes));
    return claims ? "good" : std::string(to_string(claims.error()));
}

TEST(IdToken, OfEachAlgorithm)
{
    for (const auto* key : {&test::rsa_key(), &test::ec_key(), &test::ed_key()}) {
        EXPECT_TRUE(verify(payload_with({}), *key)) << key->algorithm();
    }
    const auto foreign = verify(payload_with({}), test::other_rsa_key());
    EXPECT_EQ(foreign.error(), IdTokenFault::unknown_key);
    const SigningKey impostor("EdDSA", test::ed_key().id());
    EXPECT_EQ(verify(payload_with({}), impostor).error(), IdTokenFault::bad_signature);
}

struct Case {
    Changes changes;
    const char* outcome;
};

TEST(IdToken, RulesOfItsClaims)
{
    const auto seconds = [](std::int64_t after) { return std::to_string(now_seconds + after); };
    const std::vector<Case> cases{
        {{}, "good"},
        // Step 2: the issuer, exactly.
        {{{"iss", R"("issuer.example")"}}, "good"},
        {{{"iss", R"("https://issuer.example/")"}}, "wrong issuer"},
        {{{"iss", R"("https://ISSUER.example")"}}, "wrong issuer"},
        {{{"iss", ""}}, "wrong issuer"},
        // Step 3: for us.
        {{{"aud", R"("other")"}}, "wrong audience"},
        {{{"aud", R"(["client"])"}}, "good"},
        {{{"aud", "[]"}}, "wrong audience"},
        {{{"aud", ""}}, "wrong audience"},
        {{{"aud", R"("client ")"}}, "wrong audience"},
        // Steps 4 and 5: several audiences want an authorized party, and any that there is is us.
        {{{"aud", R"(["client","other"])"}}, "wrong authorized party"},
        {{{"aud", R"(["client","other"])"}, {"azp", R"("client")"}}, "good"},
        {{{"aud", R"(["client","other"])"}, {"azp", R"("other")"}}, "wrong authorized party"},
        {{{"azp", R"("other")"}}, "wrong authorized party"},
        // Step 9, with a minute for the clocks.
        {{{"exp", seconds(0)}}, "good"},
        {{{"exp", seconds(-59)}}, "good"},
        {{{"exp", seconds(-60)}}, "expired"},
        {{{"exp", ""}}, "malformed"},
        {{{"exp", R"("1772323260")"}}, "malformed"},
        {{{"exp", "-1"}}, "malformed"},
        {{{"exp", "99999999999999"}}, "malformed"},
        // Step 10, and RFC 7519 section 4.1.5.
        {{{"iat", seconds(60)}}, "good"},
        {{{"iat", seconds(61)}}, "not yet valid"},
        {{{"iat", ""}}, "malformed"},
        {{{"nbf", seconds(60)}}, "good"},
        {{{"nbf", seconds(61)}}, "not yet valid"},
        // Step 11.
        {{{"nonce", R"("other")"}}, "wrong nonce"},
        {{{"nonce", R"("")"}}, "wrong nonce"},
        {{{"nonce", ""}}, "wrong nonce"},
        // Section 2: 255 ASCII characters.
        {{{"sub", ""}}, "malformed"},
        {{{"sub", R"("")"}}, "malformed"},
        {{{"sub", "1234"}}, "malformed"},
        {{{"sub", '"' + std::string(255, 's') + '"'}}, "good"},
        {{{"sub", '"' + std::string(256, 's') + '"'}}, "malformed"},
        {{{"sub", R"("é")"}}, "malformed"},
        {{{"sub", R"("a\u0000b")"}}, "malformed"},
        // What we do not know passes, however it nests.
        {{{"address", R"({"country":{"code":["GB"]}})"}, {"amr", R"([["pwd"]])"}}, "good"},
        {{{"email", "7"}}, "malformed"},
        {{{"email_verified", R"("yes")"}}, "malformed"},
    };
    for (const auto& [changes, expected] : cases) {
        EXPECT_EQ(outcome(changes), expected) << payload_with(changes);
    }
    auto twice = payload_with({});
    twice.insert(1, R"("sub":"other",)");
    EXPECT_EQ(verify(twice).error(), IdTokenFault::malformed) << "RFC 7519 section 4: names are unique";
}

TEST(IdToken, SaysWhoItIs)
{
    const auto claims = verify(payload_with(
        {{"email", R"("Ada@Example.com")"},
         {"email_verified", R"("true")"},
         {"name", R"("Ada \u00e9")"},
         {"picture", "null"}}
    ));
    ASSERT_TRUE(claims);
    EXPECT_EQ(claims->subject, "1234");
    EXPECT_EQ(claims->email, "Ada@Example.com");
    EXPECT_EQ(claims->email_verified, true) << "as some providers write it";
    EXPECT_EQ(claims->name, "Ada é");
    EXPECT_EQ(claims->picture, "");
    EXPECT_EQ(verify(payload_with({{"email_verified", "false"}}))->email_verified, false);
    EXPECT_EQ(verify(payload_with({}))->email_verified, std::nullopt);
}

TEST(Userinfo, IsAnObjectWithASubject)
{
    EXPECT_EQ(read_userinfo(R"({"sub":"1","email":"a@b.c","email_verified":true})")->email, "a@b.c");
    for (const char* text : {"", "[]", "{}", R"({"sub":1})", R"({"email":"a@b.c"})", R"({"sub":"1"} x)"}) {
        EXPECT_FALSE(read_userinfo(text)) << text;
    }
}

}  // namespace
}  // namespace kit::auth
