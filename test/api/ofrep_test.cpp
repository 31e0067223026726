// The OpenFeature Remote Evaluation Protocol, on both engines.
#include "admin_fixture.hpp"

namespace kit::test {

namespace {

using testing::HasSubstr;

constexpr const char* all_path = "/ofrep/v1/evaluate/flags";
constexpr const char* one_path = "/ofrep/v1/evaluate/flags/beta";

class OfrepApi : public ApiTest {
protected:
    OfrepApi() : api_(GetParam())
    {
        sign_up_admin(api_, admin_);
        EXPECT_EQ(api_.sign_up(user_, "bob@example.com").status, 201);
        EXPECT_EQ(change("POST", "", R"({"key":"beta"})").status, 201);
    }

    ApiResponse change(const std::string& method, const std::string& below, const std::string& body)
    {
        return api_.send(admin_, request(method, "/api/v1/admin/feature-flags" + below, body));
    }

    void add_rule(const std::string& rule) { ASSERT_EQ(change("POST", "/1/rules", rule).status, 201); }

    ApiResponse ask(CookieJar& jar, const std::string& path, const std::string& context, Headers headers = {})
    {
        return api_.send(jar, request("POST", path, R"({"context":)" + context + "}", std::move(headers)));
    }

    Api api_;
    CookieJar admin_;
    CookieJar user_;
};

KIT_BOTH_ENGINES(OfrepApi);

TEST_P(OfrepApi, OneFlag)
{
    const auto plain = ask(user_, one_path, R"({"targetingKey":"2"})");
    EXPECT_EQ(plain.status, 200);
    EXPECT_EQ(plain.header("Content-Type"), "application/json");
    EXPECT_EQ(
        plain.body,
        R"({"key":"beta","value":false,"reason":"DEFAULT","variant":"off","metadata":{"source":"default"}})"
    );
    add_rule(R"({"type":"percent","percentage":100,"enabled":true})");
    EXPECT_THAT(
        ask(user_, one_path, R"({"targetingKey":"2"})").body, HasSubstr(R"("reason":"SPLIT","variant":"on")")
    );
    add_rule(R"({"type":"org","match_value":"acme","enabled":false})");
    EXPECT_EQ(
        ask(user_, one_path, R"({"targetingKey":" 2 ","org":" ACME ","plan":{"any":[1]}})").body,
        R"({"key":"beta","value":false,"reason":"TARGETING_MATCH","variant":"off","metadata":{"source":"rule:org"}})"
    );
}

TEST_P(OfrepApi, Refusals)
{
    const std::string good = R"({"context":{"targetingKey":"2"}})";

    struct Case {
        std::string path;
        std::string body;
        int status;
        std::string text;
    };

    const std::vector<Case> cases{
        {one_path, "{", 400, R"({"key":"beta","errorCode":"PARSE_ERROR","errorDetails":"invalid payload"})"},
        {one_path, "[]", 400, "PARSE_ERROR"},
        {all_path, "{", 400, R"({"errorCode":"PARSE_ERROR","errorDetails":"invalid payload"})"},
        {one_path, "", 400, R"("key":"beta","errorCode":"TARGETING_KEY_MISSING")"},
        {one_path, R"({"context":null})", 400, "TARGETING_KEY_MISSING"},
        {all_path, R"({"context":{"targetingKey":" "}})", 400, "TARGETING_KEY_MISSING"},
        {one_path, R"({"context":{"targetingKey":"ada"}})", 400, "INVALID_CONTEXT"},
        {one_path, R"({"context":{"targetingKey":2}})", 400, R"("errorDetails":"context/targetingKey: )"},
        {one_path, R"({"context":[]})", 400, "INVALID_CONTEXT"},
        {"/ofrep/v1/evaluate/flags/none",
         good,
         404,
         R"({"key":"none","errorCode":"FLAG_NOT_FOUND","errorDetails":"feature flag not found"})"},
        {"/ofrep/v1/evaluate/flags/-", good, 404, R"({"key":"-","errorCode":"FLAG_NOT_FOUND")"},
    };
    for (const auto& [path, body, status, text] : cases) {
        const auto refused = api_.send(user_, request("POST", path, body));
        EXPECT_EQ(refused.status, status) << path << ' ' << body;
        EXPECT_THAT(refused.body, HasSubstr(text)) << path << ' ' << body;
    }
    EXPECT_EQ(api_.send(request("POST", one_path, good)).status, 401);
    EXPECT_EQ(api_.send(user_, {.path = all_path}).status, 405);
}

// Others' flags tell of their roles: for who may read flags.
TEST_P(OfrepApi, ForWhom)
{
    add_rule(R"({"type":"role","match_value":"admin","enabled":true})");
    EXPECT_THAT(ask(admin_, one_path, R"({"targetingKey":"1"})").body, HasSubstr(R"("value":true)"));
    EXPECT_THAT(ask(admin_, one_path, R"({"targetingKey":"2"})").body, HasSubstr(R"("value":false)"));
    EXPECT_THAT(ask(admin_, one_path, R"({"targetingKey":"99"})").body, HasSubstr(R"("value":false)"));
    const auto refused = ask(user_, one_path, R"({"targetingKey":"1"})");
    EXPECT_EQ(refused.status, 403);
    EXPECT_THAT(refused.body, HasSubstr(R"("details":{"required":"feature_flags:read"})"));
    EXPECT_EQ(ask(user_, all_path, R"({"targetingKey":"1"})").status, 403);
}

TEST_P(OfrepApi, AllFlagsWithATagOverFlagsAndContext)
{
    ASSERT_EQ(change("POST", "", R"({"key":"alpha","enabled":true})").status, 201);
    const std::string bob = R"({"targetingKey":"2","org":"acme"})";
    const auto first = ask(user_, all_path, bob);
    EXPECT_EQ(first.status, 200);
    EXPECT_EQ(
        first.body,
        R"({"flags":[{"key":"alpha","value":true,"reason":"DEFAULT","variant":"on","metadata":{"source":"default"}},)"
        R"({"key":"beta","value":false,"reason":"DEFAULT","variant":"off","metadata":{"source":"default"}}]})"
    );
    const auto etag = first.header("ETag").value();
    const auto again = ask(user_, all_path, bob, {{"If-None-Match", "W/" + etag}});
    EXPECT_EQ(again.status, 304);
    EXPECT_EQ(again.body, "");
    EXPECT_EQ(again.header("ETag"), etag);
    EXPECT_EQ(
        ask(user_, all_path, R"({"targetingKey":"2","org":"other"})", {{"If-None-Match", etag}}).status, 200
    ) << "another context, though with the same values";
    ASSERT_EQ(change("PATCH", "/1", R"({"key":"beta","enabled":true})").status, 200);
    const auto changed = ask(user_, all_path, bob, {{"If-None-Match", etag}});
    EXPECT_EQ(changed.status, 200);
    EXPECT_NE(changed.header("ETag"), etag);
}

}  // namespace

}  // namespace kit::test
