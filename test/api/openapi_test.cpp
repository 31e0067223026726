// The API's description of itself: that it is whole, that it is the committed file, how it is served.
#include "admin_fixture.hpp"
#include "app/reference_operation.hpp"
#include "platform/core/encoding.hpp"
#include "platform/http/body.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <stdexcept>

namespace kit::test {

namespace {

using testing::HasSubstr;
using testing::Not;

std::string lower_method(const http::Route& route)
{
    return to_lower(http::to_string(route.method));
}

// Of a path as part of a JSON pointer.
std::string escaped(std::string_view path)
{
    std::string out;
    for (const char letter : path) {
        out += letter == '/' ? "~1" : std::string(1, letter);
    }
    return out;
}

bool is_described(const http::Route& route)
{
    return !route.doc.for_people && !route.pattern.starts_with("/_dev/") && !route.pattern.ends_with('/');
}

// everything-backend openapi >api/openapi.json brings the file up to date.
TEST(OpenApi, IsTheCommittedFile)
{
    std::ifstream file("api/openapi.json");
    const std::string committed{std::istreambuf_iterator<char>(file), {}};
    EXPECT_TRUE(committed == app::documented_api())
        << "the API has changed: build/dev/everything-backend openapi >api/openapi.json";
}

TEST(OpenApi, DescribesEveryRoute)
{
    const auto document = parse_json(app::documented_api());
    EXPECT_EQ(text_at(document, "/openapi"), "3.1.0");
    std::set<std::string> ids;
    std::size_t operations = 0;
    for (const auto& route : app::documented_routes()) {
        if (!is_described(route)) {
            continue;
        }
        ++operations;
        const auto place = "/paths/" + escaped(route.pattern) + '/' + lower_method(route);
        SCOPED_TRACE(place);
        EXPECT_NE(text_at(document, place + "/summary"), "");
        EXPECT_TRUE(ids.insert(std::string(text_at(document, place + "/operationId"))).second);
        const auto& responses = at(document, place + "/responses").as_object();
        EXPECT_TRUE(responses.contains(std::to_string(route.doc.success)));
        for (const auto* status : {"400", "429", "500", "503"}) {
            EXPECT_TRUE(responses.contains(status)) << status;
        }
        const bool guarded = std::ranges::find(route.guards, http::authenticated) != route.guards.end();
        EXPECT_EQ(
            responses.contains("401"),
            guarded || route.doc.cookie == "refresh_token" || route.pattern == "/api/v1/auth/local/login" ||
                route.pattern.ends_with("/callback")
        ) << "who is not known";
        const bool unsafe = !http::is_safe(route.method) && route.method != http::Method::del;
        const std::set<std::string_view> without_body{
            "/api/v1/auth/refresh", "/api/v1/me/sessions/revoke-others", "/api/v1/admin/rbac/sync"
        };
        const bool has_body = route.doc.body.content.form() != http::Content::Form::none;
        EXPECT_TRUE(!unsafe || has_body || without_body.contains(route.pattern)) << "what does it take?";
    }
    std::size_t described = 0;
    for (const auto& path : at(document, "/paths").as_object()) {
        described += path.value().as_object().size();
    }
    EXPECT_EQ(described, operations) << "and nothing else";
}

TEST(OpenApi, RulesOfABodyAndOfAPath)
{
    const auto document = parse_json(app::documented_api());
    const std::string product = "/components/schemas/NewProduct";
    EXPECT_EQ(boost::json::serialize(at(document, product + "/required")), R"(["name","price"])");
    EXPECT_EQ(
        boost::json::serialize(at(document, product + "/properties/name")),
        R"({"type":"string","minLength":3,"maxLength":120,"pattern":"^\\s*\\S[\\s\\S]{1,118}\\S\\s*$"})"
    );
    EXPECT_EQ(
        boost::json::serialize(at(document, product + "/properties/price")),
        R"({"type":"number","exclusiveMinimum":0})"
    );
    EXPECT_EQ(
        boost::json::serialize(at(document, "/components/schemas/RuleInput/properties/percentage/type")),
        R"(["integer","null"])"
    );
    EXPECT_EQ(
        boost::json::serialize(at(document, "/paths/~1api~1v1~1products~1{id}/get/parameters/0")),
        R"({"name":"id","in":"path","required":true,"schema":{"type":"integer","format":"int64","minimum":1,)"
        R"("maximum":9223372036854775807}})"
    );
    EXPECT_EQ(
        boost::json::serialize(at(document, "/paths/~1api~1v1~1admin~1roles/post/parameters/1/name")),
        R"("Idempotency-Key")"
    );
    EXPECT_EQ(
        boost::json::serialize(at(document, "/paths/~1api~1v1~1me~1sessions~1{session_id}/delete/security")),
        R"([{"bearer":[]},{"session":[],"csrf":[]}])"
    );
}

// What is at odds with itself is refused when the document is made: at the first start of any test.
TEST(OpenApi, RefusesDescriptionsThatCannotBeTrue)
{
    const auto describe = [](std::string_view pattern, http::Body body) {
        const http::Route route{
            .method = http::Method::post,
            .pattern = pattern,
            .guards = {},
            .handler = {},
            .doc = {.summary = "x", .ok = http::no_body, .body = body}
        };
        app::operations({&route});
    };
    static constexpr std::array unknown{http::Field{.name = "surname"}};
    EXPECT_NO_THROW(describe("/things/{id}", http::body<http::StatusBody>()));
    EXPECT_THROW(describe("/things", http::body<http::StatusBody>(unknown)), std::logic_error);
    EXPECT_THROW(describe("/things/{key}", {}), std::logic_error);
}

class ReferenceApi : public ApiTest {};

KIT_BOTH_ENGINES(ReferenceApi);

TEST_P(ReferenceApi, IsServedFromMemoryAndRevalidated)
{
    Api api(GetParam());
    for (const auto& [path, type] : std::vector<std::pair<std::string, std::string>>{
             {"/openapi.json", "application/json"},
             {"/docs", "text/html; charset=utf-8"},
             {"/docs/reference.css", "text/css; charset=utf-8"},
             {"/docs/reference.js", "text/javascript; charset=utf-8"}
         }) {
        const auto first = api.send({.path = path});
        EXPECT_EQ(first.status, 200) << path;
        EXPECT_EQ(first.header("Content-Type"), type);
        const auto etag = first.header("ETag").value();
        const auto again = api.send({.path = path, .headers = {{"If-None-Match", etag}}});
        EXPECT_EQ(again.status, 304) << path;
        EXPECT_EQ(again.body, "");
        EXPECT_EQ(again.header("ETag"), etag);
        EXPECT_EQ(api.send({.path = path, .headers = {{"If-None-Match", "\"x\""}}}).status, 200);
    }
    EXPECT_TRUE(api.send({.path = "/openapi.json"}).body == app::documented_api()) << "whatever the profile";
}

TEST_P(ReferenceApi, ThePageNeedsNobodyElse)
{
    Api api(GetParam());
    const auto page = api.send({.path = "/docs"});
    EXPECT_THAT(page.all("Content-Security-Policy").back(), HasSubstr("default-src 'none'"));
    EXPECT_THAT(page.body, Not(HasSubstr("://")));
    EXPECT_THAT(page.body, Not(HasSubstr("style=")));
    EXPECT_THAT(page.body, Not(HasSubstr("<script>")));
    for (const auto& route : app::documented_routes()) {
        if (is_described(route)) {
            EXPECT_THAT(page.body, HasSubstr("<code>" + std::string(route.pattern) + "</code>"));
        }
    }
}

}  // namespace

}  // namespace kit::test
