#include "platform/crypto/jwt.hpp"

#include "platform/core/encoding.hpp"

#include <gtest/gtest.h>

#include <ostream>

namespace kit::jwt {

static std::ostream& operator<<(std::ostream& out, Failure failure)
{
    return out << to_string(failure);
}

namespace {

constexpr std::string_view secret = "an-access-secret-of-thirty-two-bytes!";
constexpr std::string_view other_secret = "another-secret-of-thirty-two-bytes!!!";
constexpr std::string_view header = R"({"alg":"HS256","typ":"JWT"})";
constexpr std::string_view claims =
    R"({"token_type":"access","roles":["admin","user"],"permissions":["a:read","b:write"],"iss":"kit","sub":"17","aud":["web"],)"
    R"("exp":2000,"iat":1000,"jti":"6f1e6f0e-0b5d-4c3f-9d4e-0a1b2c3d4e5f","sid":"42","gen":7})";

constexpr Timestamp at(std::int64_t seconds)
{
    return Timestamp(std::chrono::seconds(seconds));
}

// A token of any header and payload, rightly signed with `key`.
std::string token_of(std::string_view header_json, std::string_view payload, std::string_view key = secret)
{
    auto text = base64url_encode(header_json) + "." + base64url_encode(payload);
    return text + "." + base64url_encode(as_text(hmac_sha256(key, text)));
}

std::string replaced(std::string_view text, std::string_view from, std::string_view to)
{
    std::string result(text);
    result.replace(result.find(from), from.size(), to);
    return result;
}

struct Fixture {
    Signer signer{secret};
    Verifier verifier{secret, {.issuer = "kit", .audience = "web", .token_type = "access"}};

    std::optional<Failure> failure(std::string_view token, Expiry expiry = Expiry::enforced) const
    {
        const auto result = verifier.verify(token, at(1500), expiry);
        return result ? std::nullopt : std::optional(result.error());
    }
};

TEST(Jwt, SignsUnderTheFixedHeader)
{
    const Fixture f;
    EXPECT_EQ(f.signer.sign(claims), token_of(header, claims));
}

TEST(Jwt, GivesTheClaimsOfAGoodToken)
{
    const Fixture f;
    const auto result = f.verifier.verify(f.signer.sign(claims), at(1500));
    ASSERT_TRUE(result);
    EXPECT_EQ(result->subject, "17");
    EXPECT_EQ(result->id, "6f1e6f0e-0b5d-4c3f-9d4e-0a1b2c3d4e5f");
    EXPECT_EQ(result->session, "42");
    EXPECT_EQ(result->generation, 7);
    EXPECT_EQ(result->issued_at, at(1000));
    EXPECT_EQ(result->expires_at, at(2000));
    EXPECT_EQ(result->roles, (std::vector<std::string>{"admin", "user"}));
}

TEST(Jwt, WhatATokenDoesNotSayIsEmpty)
{
    const Fixture f;
    const auto result = f.verifier.verify(
        f.signer.sign(R"({"iss":"kit","aud":"web","token_type":"access","exp":2000})"), at(0)
    );
    ASSERT_TRUE(result);
    EXPECT_EQ(result->subject, "");
    EXPECT_EQ(result->session, "");
    EXPECT_EQ(result->generation, std::nullopt);
    EXPECT_EQ(result->issued_at, std::nullopt);
    EXPECT_TRUE(result->roles.empty());
}

// RFC 7515 appendix A.1
TEST(Jwt, VerifiesTheExampleOfRfc7515)
{
    const auto key = base64url_decode(
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
    );
    const std::string token =
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
        ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const Verifier verifier(*key, {.issuer = "joe", .audience = "", .token_type = ""});
    const auto payload = verifier.verify_signature(token);
    ASSERT_TRUE(payload);
    EXPECT_EQ(*payload, "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}");
    EXPECT_EQ(verifier.verify(token, at(1'300'819'379)).error(), Failure::wrong_audience);
    EXPECT_EQ(verifier.verify_signature(replaced(token, ".dB", ".eB")).error(), Failure::bad_signature);
}

// RFC 7515 appendix A.5: the unsecured form of the same claims
TEST(Jwt, RefusesTheUnsecuredExampleOfRfc7515)
{
    const Fixture f;
    EXPECT_EQ(
        f.failure(
            "eyJhbGciOiJub25lIn0."
            "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
        ),
        Failure::wrong_algorithm
    );
}

struct Forgery {
    std::string what;
    std::string token;
    Failure failure;
};

// Forged without the key, or with the key but in a form that must not pass.
std::vector<Forgery> forged_envelopes()  // NOLINT(readability-function-size): a table
{
    const auto good = token_of(header, claims);
    const auto first = good.find('.');
    const auto last = good.rfind('.');
    const auto head = good.substr(0, first);
    const auto body = good.substr(first + 1, last - first - 1);
    const auto mac = good.substr(last + 1);
    const auto unsigned_with = [&](std::string_view json) {
        return base64url_encode(json) + "." + body + ".";
    };
    const auto admin = base64url_encode(replaced(claims, R"("sub":"17")", R"("sub":"1")"));
    return {
        {"alg none, no signature", unsigned_with(R"({"alg":"none","typ":"JWT"})"), Failure::wrong_algorithm},
        {"alg None", unsigned_with(R"({"alg":"None"})"), Failure::wrong_algorithm},
        {"alg NONE", unsigned_with(R"({"alg":"NONE"})"), Failure::wrong_algorithm},
        {"alg nOnE", unsigned_with(R"({"alg":"nOnE"})"), Failure::wrong_algorithm},
        {"alg none with the signature kept",
         unsigned_with(R"({"alg":"none"})") + mac,
         Failure::wrong_algorithm},
        {"alg none, signed", token_of(R"({"alg":"none"})", claims), Failure::wrong_algorithm},
        {"alg RS256 over the HMAC key",
         token_of(R"({"alg":"RS256","typ":"JWT"})", claims),
         Failure::wrong_algorithm},
        {"alg HS384", token_of(R"({"alg":"HS384"})", claims), Failure::wrong_algorithm},
        {"alg hs256", token_of(R"({"alg":"hs256"})", claims), Failure::wrong_algorithm},
        {"alg with a space", token_of(R"({"alg":"HS256 "})", claims), Failure::wrong_algorithm},
        {"alg empty", token_of(R"({"alg":""})", claims), Failure::wrong_algorithm},
        {"alg missing", token_of(R"({"typ":"JWT"})", claims), Failure::wrong_algorithm},
        {"alg null", token_of(R"({"alg":null})", claims), Failure::malformed},
        {"alg a list", token_of(R"({"alg":["HS256"]})", claims), Failure::malformed},
        {"alg twice", token_of(R"({"alg":"none","alg":"HS256"})", claims), Failure::malformed},
        {"alg twice, once escaped",
         token_of(R"({"alg":"HS256","\u0061lg":"none"})", claims),
         Failure::malformed},
        {"typ of something else",
         token_of(R"({"alg":"HS256","typ":"at+jwt"})", claims),
         Failure::wrong_algorithm},
        {"crit", token_of(R"({"alg":"HS256","crit":["exp"],"exp":1})", claims), Failure::wrong_algorithm},
        {"crit b64",
         token_of(R"({"alg":"HS256","crit":["b64"],"b64":false})", claims),
         Failure::wrong_algorithm},
        {"crit empty", token_of(R"({"alg":"HS256","crit":[]})", claims), Failure::wrong_algorithm},
        {"embedded jwk, signed with it",
         token_of(
             R"({"alg":"HS256","jwk":{"kty":"oct","k":"YW5vdGhlci1zZWNyZXQ"}})", claims, "another-secret"
         ),
         Failure::malformed},
        {"kid that leaves the folder",
         token_of(R"({"alg":"HS256","kid":"../../dev/null"})", claims, "x"),
         Failure::bad_signature},
        {"kid that is SQL",
         token_of(R"({"alg":"HS256","kid":"' UNION SELECT 'x"})", claims, "x"),
         Failure::bad_signature},
        {"jku of the attacker",
         token_of(R"({"alg":"HS256","jku":"https://evil.example/"})", claims, "x"),
         Failure::bad_signature},
        {"header a list", token_of(R"(["HS256"])", claims), Failure::malformed},
        {"header empty text", token_of("", claims), Failure::malformed},
        {"header with text behind it", token_of(R"({"alg":"HS256"}x)", claims), Failure::malformed},
        {"header not UTF-8", token_of("{\"alg\":\"HS256\",\"kid\":\"\xff\"}", claims), Failure::malformed},
        {"signature empty", head + "." + body + ".", Failure::bad_signature},
        {"signature cut", good.substr(0, good.size() - 1), Failure::bad_signature},
        {"signature of half the length", head + "." + body + "." + mac.substr(0, 21), Failure::bad_signature},
        {"signature with more behind it", good + "A", Failure::bad_signature},
        {"signature padded", good + "=", Failure::bad_signature},
        {"signature with other trailing bits",
         good.substr(0, good.size() - 1) + static_cast<char>(good.back() + 1),
         Failure::bad_signature},
        {"signature of zeroes", head + "." + body + "." + std::string(43, 'A'), Failure::bad_signature},
        {"header padded", head + "=." + body + "." + mac, Failure::malformed},
        {"payload padded", head + "." + body + "=." + mac, Failure::bad_signature},
        {"payload swapped", head + "." + admin + "." + mac, Failure::bad_signature},
        {"payload empty", head + ".." + mac, Failure::bad_signature},
        {"signed with another key", token_of(header, claims, other_secret), Failure::bad_signature},
        {"four segments", good + "." + mac, Failure::malformed},
        {"five segments, as a JWE", good + ".." + mac, Failure::malformed},
        {"two segments", head + "." + body, Failure::malformed},
        {"one segment", head, Failure::malformed},
        {"dots only", "..", Failure::malformed},
        {"empty", "", Failure::malformed},
        {"JSON serialisation",
         R"({"payload":")" + body + R"(","signature":")" + mac + R"("})",
         Failure::malformed},
        {"space before", " " + good, Failure::malformed},
        {"space behind", good + " ", Failure::bad_signature},
        {"line feed behind", good + "\n", Failure::bad_signature},
        {"NUL behind", good + std::string(1, '\0'), Failure::bad_signature},
        {"Bearer before", "Bearer " + good, Failure::malformed},
        {"huge",
         token_of(header, replaced(claims, "17", std::string(token_bytes_max, '7'))),
         Failure::malformed},
    };
}

TEST(Jwt, RefusesForgedEnvelopes)
{
    const Fixture f;
    for (const auto& [what, token, failure] : forged_envelopes()) {
        EXPECT_EQ(f.failure(token), failure) << what;
        EXPECT_EQ(f.failure(token, Expiry::ignored), failure) << what;
    }
}

// Signed with the right key: what another of our own services, or a mistake of ours, may have made.
std::vector<Forgery> wrong_claims()
{
    const auto with = [](std::string_view from, std::string_view to) {
        return token_of(header, replaced(claims, from, to));
    };
    return {
        {"exp missing", with(R"("exp":2000,)", ""), Failure::missing_expiry},
        {"exp a string", with("2000", R"("2000")"), Failure::malformed},
        {"exp null", with("2000", "null"), Failure::malformed},
        {"exp fractional", with("2000", "2000.5"), Failure::malformed},
        {"exp beyond 64 bits", with("2000", "99999999999999999999"), Failure::malformed},
        {"exp beyond the year 9999", with("2000", "253402300800"), Failure::malformed},
        {"exp twice", with("2000", R"(2000,"exp":3000)"), Failure::malformed},
        {"exp negative", with("2000", "-2000"), Failure::expired},
        {"exp now", with("2000", "1500"), Failure::expired},
        {"nbf to come", with("2000", R"(2000,"nbf":1501)"), Failure::not_yet_valid},
        {"nbf a string", with("2000", R"(2000,"nbf":"1")"), Failure::malformed},
        {"iat a string", with("1000", R"("1000")"), Failure::malformed},
        {"iss of another", with(R"("kit")", R"("kit2")"), Failure::wrong_issuer},
        {"iss a prefix", with(R"("kit")", R"("ki")"), Failure::wrong_issuer},
        {"iss in capitals", with(R"("kit")", R"("KIT")"), Failure::wrong_issuer},
        {"iss missing", with(R"("iss":"kit",)", ""), Failure::wrong_issuer},
        {"iss a list", with(R"("kit")", R"(["kit"])"), Failure::malformed},
        {"aud of another", with(R"(["web"])", R"(["app"])"), Failure::wrong_audience},
        {"aud a string of another", with(R"(["web"])", R"("app")"), Failure::wrong_audience},
        {"aud an empty list", with(R"(["web"])", "[]"), Failure::wrong_audience},
        {"aud missing", with(R"("aud":["web"],)", ""), Failure::wrong_audience},
        {"aud a number", with(R"(["web"])", "1"), Failure::malformed},
        {"aud an object", with(R"(["web"])", R"({"web":1})"), Failure::malformed},
        {"aud nested", with(R"(["web"])", R"([["web"]])"), Failure::malformed},
        {"a refresh token", with(R"("access")", R"("refresh")"), Failure::wrong_type},
        {"token_type missing", with(R"("token_type":"access",)", ""), Failure::wrong_type},
        {"token_type a list", with(R"("access")", R"(["access"])"), Failure::malformed},
        {"sub a number", with(R"("17")", "17"), Failure::malformed},
        {"sid a number", with(R"("42")", "42"), Failure::malformed},
        {"gen a string", with("\"gen\":7", R"("gen":"7")"), Failure::malformed},
        {"roles a string", with(R"(["admin","user"])", R"("admin")"), Failure::malformed},
        {"text behind the object", token_of(header, std::string(claims) + "x"), Failure::malformed},
        {"two objects", token_of(header, std::string(claims) + "{}"), Failure::malformed},
        {"a list", token_of(header, "[]"), Failure::malformed},
        {"nothing", token_of(header, ""), Failure::malformed},
        {"not UTF-8", with("17", "\xff"), Failure::malformed},
        {"a lone surrogate", with("17", R"(\ud800)"), Failure::malformed},
    };
}

TEST(Jwt, RefusesWrongClaims)
{
    const Fixture f;
    for (const auto& [what, token, failure] : wrong_claims()) {
        EXPECT_EQ(f.failure(token), failure) << what;
    }
}

TEST(Jwt, AcceptsEveryHonestForm)
{
    const Fixture f;
    for (const auto& token :
         {token_of(R"({"typ":"JWT","alg":"HS256"})", claims),
          token_of(R"({"alg":"HS256"})", claims),
          token_of(R"({"alg":"HS256","typ":"jwt"})", claims),
          token_of(R"({"alg":"HS256","kid":"2026"})", claims),
          token_of(R"({"alg":"\u0048S256"})", claims),
          token_of(header, replaced(claims, R"(["web"])", R"("web")")),
          token_of(header, replaced(claims, R"(["web"])", R"(["app","web"])")),
          token_of(header, replaced(claims, "2000", R"(2000,"nbf":1500)")),
          token_of(header, replaced(claims, "2000", "1501"))}) {
        EXPECT_EQ(f.failure(token), std::nullopt) << token;
    }
}

TEST(Jwt, AccessAndRefreshTokensDoNotPassForEachOther)
{
    const Verifier access(secret, {.issuer = "kit", .audience = "web", .token_type = "access"});
    const Verifier refresh(secret, {.issuer = "kit", .audience = "web", .token_type = "refresh"});
    const auto access_token = token_of(header, claims);
    const auto refresh_token = token_of(header, replaced(claims, "access", "refresh"));
    EXPECT_TRUE(access.verify(access_token, at(0)));
    EXPECT_TRUE(refresh.verify(refresh_token, at(0)));
    EXPECT_EQ(access.verify(refresh_token, at(0)).error(), Failure::wrong_type);
    EXPECT_EQ(refresh.verify(access_token, at(0)).error(), Failure::wrong_type);
}

TEST(Jwt, ExpiryHasNoLeewayAndCanBeIgnored)
{
    const Fixture f;
    const auto token = f.signer.sign(claims);
    const auto microsecond = std::chrono::microseconds(1);
    EXPECT_TRUE(f.verifier.verify(token, at(2000) - microsecond));
    EXPECT_EQ(f.verifier.verify(token, at(2000)).error(), Failure::expired);
    const auto late = f.verifier.verify(token, at(9000), Expiry::ignored);
    ASSERT_TRUE(late);
    EXPECT_EQ(late->session, "42");
    EXPECT_EQ(
        f.failure(token_of(header, replaced(claims, R"("exp":2000,)", "")), Expiry::ignored),
        Failure::missing_expiry
    );
}

TEST(Jwt, NoFlippedBitPasses)
{
    const Fixture f;
    const auto token = f.signer.sign(claims);
    for (std::size_t bit = 0; bit < token.size() * 8; ++bit) {
        auto changed = token;
        changed[bit / 8] =
            static_cast<char>(static_cast<unsigned char>(changed[bit / 8]) ^ (1U << (bit % 8)));
        EXPECT_FALSE(f.verifier.verify(changed, at(1500), Expiry::ignored)) << bit;
    }
}

TEST(Jwt, NoCutTokenPasses)
{
    const Fixture f;
    const auto token = f.signer.sign(claims);
    for (std::size_t size = 0; size < token.size(); ++size) {
        EXPECT_FALSE(f.verifier.verify(token.substr(0, size), at(1500))) << size;
    }
}

TEST(Jwt, TakesTokensUpToTheLimit)
{
    const Fixture f;
    std::string largest;
    for (std::size_t padding = 5000; padding < token_bytes_max; ++padding) {
        auto token = f.signer.sign(replaced(claims, "17", std::string(padding, '7')));
        if (token.size() > token_bytes_max) {
            EXPECT_EQ(f.failure(token), Failure::malformed);
            break;
        }
        largest = std::move(token);
    }
    EXPECT_GE(largest.size(), token_bytes_max - 1);
    EXPECT_EQ(f.failure(largest), std::nullopt);
}

TEST(Jwt, AnEmptyKeyIsRefused)
{
    EXPECT_THROW(Signer(""), std::invalid_argument);
    EXPECT_THROW(Verifier("", {}), std::invalid_argument);
}

}  // namespace
}  // namespace kit::jwt
