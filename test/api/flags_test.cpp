// The wire contract of feature flags, on both engines and both stores of caches.
#include "modules/flags/flags.hpp"

#include "admin_fixture.hpp"

namespace kit::test {

namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* flags_path = "/api/v1/admin/feature-flags";

class FlagsApi : public CachedApiTest {
protected:
    FlagsApi() : api_(engine(), configure) { sign_up_admin(api_, admin_); }

    ApiResponse send(const std::string& method, const std::string& path, const std::string& body = "")
    {
        return api_.send(admin_, request(method, path, body));
    }

    void create(const std::string& key, const std::string& enabled = "false")
    {
        ASSERT_EQ(
            send("POST", flags_path, R"({"key":")" + key + R"(","enabled":)" + enabled + "}").status, 201
        );
    }

    void add_rule(const std::string& rule)
    {
        const auto added = send("POST", "/api/v1/admin/feature-flags/1/rules", rule);
        ASSERT_EQ(added.status, 201) << added.body;
    }

    std::string evaluate(const std::string& query = "")
    {
        return send("GET", "/api/v1/feature-flags/beta" + query).body;
    }

    Api api_;
    CookieJar admin_;
};

KIT_BOTH_STORES(FlagsApi);

TEST_P(FlagsApi, LifeOfAFlag)
{
    const auto created = send("POST", flags_path, R"({"key":" Beta-1 ","description":"new","enabled":true})");
    EXPECT_EQ(created.status, 201);
    EXPECT_THAT(
        created.body,
        HasSubstr(
            R"("data":{"id":1,"key":"beta-1","description":"new","enabled":true,"created_at":"2026-03-01T00:00:00Z",)"
            R"("updated_at":"2026-03-01T00:00:00Z"})"
        )
    );
    // Q25: what is absent stays, and the answer is the stored row.
    api_.clock().advance(std::chrono::seconds(5));
    const auto changed = send("PATCH", "/api/v1/admin/feature-flags/1", R"({"key":"beta"})");
    EXPECT_EQ(changed.status, 200);
    EXPECT_THAT(
        changed.body,
        HasSubstr(
            R"("data":{"id":1,"key":"beta","description":"new","enabled":true,"created_at":"2026-03-01T00:00:00Z",)"
            R"("updated_at":"2026-03-01T00:00:05Z"})"
        )
    );
    const auto rule = send(
        "POST",
        "/api/v1/admin/feature-flags/1/rules",
        R"({"type":" Role ","match_value":" Admin ","percentage":7,"enabled":true})"
    );
    EXPECT_EQ(rule.status, 201);
    EXPECT_THAT(
        rule.body,
        HasSubstr(
            R"("data":{"id":1,"feature_flag_id":1,"type":"role","match_value":"admin","percentage":0,"enabled":true,"priority":100,)"
        )
    );
    EXPECT_THAT(send("GET", "/api/v1/admin/feature-flags/1").body, HasSubstr(R"("rules":[{"id":1,)"));
    EXPECT_THAT(send("GET", flags_path).body, HasSubstr(R"("data":{"items":[{"id":1,)"));
    const auto moved =
        send("PATCH", "/api/v1/admin/feature-flags/1/rules/1", R"({"type":"role","priority":-5})");
    EXPECT_THAT(
        moved.body, HasSubstr(R"("match_value":"admin","percentage":0,"enabled":true,"priority":-5,)")
    );
    EXPECT_THAT(
        send("GET", "/api/v1/admin/feature-flags/1/rules").body, HasSubstr(R"("data":{"items":[{"id":1,)")
    );
    EXPECT_THAT(
        send("DELETE", "/api/v1/admin/feature-flags/1/rules/1").body, HasSubstr(R"("data":{"deleted":true})")
    );
    EXPECT_THAT(send("GET", "/api/v1/admin/feature-flags/1/rules").body, HasSubstr(R"("data":{"items":[]})"));
    EXPECT_THAT(
        send("DELETE", "/api/v1/admin/feature-flags/1").body, HasSubstr(R"("data":{"deleted":true})")
    );
    EXPECT_EQ(send("GET", "/api/v1/admin/feature-flags/1").status, 404);
}

TEST_P(FlagsApi, Refusals)
{
    create("beta");
    create("gamma");
    add_rule(R"({"type":"org","match_value":"acme"})");
    const std::string one = "/api/v1/admin/feature-flags/1";
    const char* key = "invalid feature flag key";
    const char* value = "invalid feature flag rule value";
    expect_refusals(
        api_,
        admin_,
        {
            {request("POST", flags_path, "{"), 400, "invalid payload"},
            {request("POST", flags_path, "{}"), 400, key},
            {request("POST", flags_path, R"({"key":"-x"})"), 400, key},
            {request("POST", flags_path, R"({"key":")" + std::string(129, 'x') + R"("})"), 400, key},
            {request("POST", flags_path, R"({"key":"BETA"})"), 409, "feature flag already exists"},
            {request("GET", flags_path + std::string("/x")), 400, "invalid flag id"},
            {request("GET", flags_path + std::string("/9")), 404, "feature flag not found"},
            {request("PATCH", one, "{}"), 400, key},
            {request("PATCH", "/api/v1/admin/feature-flags/9", R"({"key":"x"})"),
             404,
             "feature flag not found"},
            {request("PATCH", one, R"({"key":"gamma"})"), 409, "feature flag already exists"},
            {request("DELETE", "/api/v1/admin/feature-flags/9"), 404, "feature flag not found"},
            {request("POST", one + "/rules", R"({"type":"x"})"), 400, "invalid feature flag rule type"},
            {request("POST", one + "/rules", R"({"type":"user"})"), 400, value},
            {request("POST", one + "/rules", R"({"type":"percent","percentage":101})"), 400, value},
            {request("POST", one + "/rules", R"({"type":"percent","percentage":-1})"), 400, value},
            // Q69
            {request("GET", "/api/v1/admin/feature-flags/9/rules"), 404, "feature flag not found"},
            {request("POST", "/api/v1/admin/feature-flags/9/rules", R"({"type":"percent","percentage":1})"),
             404,
             "feature flag not found"},
            {request("PATCH", one + "/rules/x", "{}"), 400, "invalid rule id"},
            {request("PATCH", one + "/rules/1", "{}"), 400, "invalid feature flag rule type"},
            {request("PATCH", one + "/rules/9", R"({"type":"percent"})"), 404, "feature flag rule not found"},
            {request("PATCH", "/api/v1/admin/feature-flags/2/rules/1", R"({"type":"percent"})"),
             404,
             "feature flag rule not found"},
            {request("DELETE", "/api/v1/admin/feature-flags/2/rules/1"), 404, "feature flag rule not found"},
            {request("GET", "/api/v1/feature-flags/-"), 400, key},
            {request("GET", "/api/v1/feature-flags/none"), 404, "feature flag not found"},
        }
    );
}

TEST_P(FlagsApi, TypesDecideInTheirOrder)
{
    create("beta");
    EXPECT_THAT(
        evaluate(), HasSubstr(R"("data":{"key":"beta","enabled":false,"source":"default","description":""})")
    );
    add_rule(R"({"type":"percent","percentage":100,"enabled":true,"priority":-100})");
    EXPECT_THAT(evaluate(), HasSubstr(R"("enabled":true,"source":"rule:percent")"));
    add_rule(R"({"type":"environment","match_value":"prod","enabled":false})");
    EXPECT_THAT(
        evaluate("?environment=%20PROD"), HasSubstr(R"("enabled":false,"source":"rule:environment")")
    );
    add_rule(R"({"type":"org","match_value":"Acme","enabled":true})");
    EXPECT_THAT(evaluate("?environment=prod&org=ACME"), HasSubstr(R"("enabled":true,"source":"rule:org")"));
    add_rule(R"({"type":"role","match_value":"admin","enabled":false})");
    EXPECT_THAT(evaluate("?org=acme"), HasSubstr(R"("enabled":false,"source":"rule:role")"));
    add_rule(R"({"type":"user","match_value":"1","enabled":false,"priority":2})");
    add_rule(R"({"type":"user","match_value":"1","enabled":true,"priority":1})");
    EXPECT_THAT(evaluate(), HasSubstr(R"("enabled":true,"source":"rule:user")")) << "priority within a type";
    EXPECT_THAT(
        send("GET", "/api/v1/feature-flags").body,
        HasSubstr(R"("data":{"items":[{"key":"beta","enabled":true,)")
    );
}

TEST_P(FlagsApi, ChangesCountAtOnce)
{
    create("beta");
    EXPECT_THAT(send("GET", "/api/v1/feature-flags").body, HasSubstr(R"("enabled":false)"));
    ASSERT_EQ(send("PATCH", "/api/v1/admin/feature-flags/1", R"({"key":"beta","enabled":true})").status, 200);
    EXPECT_THAT(send("GET", "/api/v1/feature-flags").body, HasSubstr(R"("enabled":true)"));
}

// Q27: a role that was taken away counts no more, whatever the token says.
TEST_P(FlagsApi, Q27RolesComeFromTheDatabase)
{
    create("beta");
    add_rule(R"({"type":"role","match_value":"editor","enabled":true})");
    ASSERT_EQ(send("POST", "/api/v1/admin/roles", R"({"name":"editor"})").status, 201);
    CookieJar jar;
    ASSERT_EQ(api_.sign_up(jar, "bob@example.com").status, 201);
    ASSERT_EQ(send("PATCH", "/api/v1/admin/users/2/roles", R"({"role_ids":[3]})").status, 200);
    EXPECT_THAT(api_.send(jar, {.path = "/api/v1/feature-flags/beta"}).body, HasSubstr("rule:role"));
    ASSERT_EQ(send("PATCH", "/api/v1/admin/users/2/roles", R"({"role_ids":[]})").status, 200);
    EXPECT_THAT(api_.send(jar, {.path = "/api/v1/feature-flags/beta"}).body, HasSubstr("default"));
}

TEST(FlagRules, BucketsOfTheContract)
{
    const std::vector<std::tuple<int, int, int>> vectors{
        {1, 1, 65},
        {1, 2, 26},
        {1, 3, 90},
        {1, 42, 92},
        {1, 1000, 40},
        {2, 1, 35},
        {2, 2, 81},
        {2, 42, 4},
        {2, 1000, 7},
        {5, 1, 76},
        {6, 1, 51},
        {7, 1, 0},
        {7, 42, 96},
        {8, 1, 35},
    };
    for (const auto& [flag, user, bucket] : vectors) {
        EXPECT_EQ(flags::percent_bucket(flag, user), bucket) << flag << ':' << user;
    }
}

TEST(FlagRules, PercentAtItsEdges)
{
    flags::Flag flag{.id = 1, .key = "x"};
    const auto rule_of = [&flag](std::int64_t percentage) {
        flag.rules = {{.type = "percent", .percentage = percentage, .enabled = true}};
    };
    rule_of(65);
    EXPECT_FALSE(flags::evaluate(flag, {.user_id = 1}).enabled);
    rule_of(66);
    EXPECT_TRUE(flags::evaluate(flag, {.user_id = 1}).enabled);
    EXPECT_FALSE(flags::evaluate(flag, {.user_id = 0}).enabled);
    rule_of(100);
    EXPECT_TRUE(flags::evaluate(flag, {.user_id = 0}).enabled);
    rule_of(0);
    EXPECT_FALSE(flags::evaluate(flag, {.user_id = 1}).enabled);
}

TEST(FlagRules, CacheKeyOfTheContract)
{
    EXPECT_EQ(
        flags::subject_key({.user_id = 1, .roles = {"user", " Admin"}, .org = "X", .environment = ""}),
        "u:1|roles:admin,user|org:x|env:"
    );
    EXPECT_EQ(flags::subject_key({.user_id = 2}), "u:2|roles:|org:|env:");
}

}  // namespace

}  // namespace kit::test
