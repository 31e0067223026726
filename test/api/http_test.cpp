// What holds for every route: headers, negotiation, routing, request ids, health.
#include "api_fixture.hpp"

namespace kit::test {

namespace {

using testing::HasSubstr;

class HttpApi : public ApiTest {};

KIT_BOTH_ENGINES(HttpApi);

TEST_P(HttpApi, EveryAnswerHasTheStandardHeaders)
{
    Api api(GetParam());
    for (const auto* path : {"/health/live", "/nowhere", "/api/v1/me"}) {
        const auto response = api.send({.path = path});
        EXPECT_EQ(response.header("x-content-type-options"), "nosniff") << path;
        EXPECT_EQ(response.header("x-frame-options"), "DENY") << path;
        EXPECT_EQ(response.header("referrer-policy"), "strict-origin-when-cross-origin") << path;
        EXPECT_EQ(response.header("content-security-policy"), "default-src 'self'") << path;
        EXPECT_EQ(response.header("date"), "Sun, 01 Mar 2026 00:00:00 GMT") << path;
        EXPECT_EQ(response.header("content-length"), std::to_string(response.body.size())) << path;
        EXPECT_FALSE(response.header("server")) << path;
        EXPECT_TRUE(response.header("x-request-id")) << path;
    }
}

TEST_P(HttpApi, Envelopes)
{
    Api api(GetParam());
    const auto live = api.send({.path = "/health/live", .headers = {{"X-Request-Id", "abc"}}});
    EXPECT_EQ(live.header("content-type"), "application/json");
    EXPECT_EQ(
        live.body,
        "{\"success\":true,\"data\":{\"status\":\"ok\"},\"meta\":{\"request_id\":\"abc\",\"timestamp\":"
        "\"2026-03-01T00:00:00Z\"}}\n"
    );
    const auto missing = api.send({.path = "/nowhere", .headers = {{"X-Request-Id", "abc"}}});
    EXPECT_EQ(
        missing.body,
        "{\"success\":false,\"error\":{\"code\":\"NOT_FOUND\",\"message\":\"not found\"},"
        "\"meta\":{\"request_id\":\"abc\",\"timestamp\":\"2026-03-01T00:00:00Z\"}}\n"
    );
}

TEST_P(HttpApi, ProblemDetails)
{
    Api api(GetParam());
    const auto response = api.send(
        {.path = "/api/v1/me?secret=1",
         .headers = {{"Accept", "application/problem+json"}, {"X-Request-Id", "abc"}}}
    );
    EXPECT_EQ(response.status, 401);
    EXPECT_EQ(response.header("content-type"), "application/problem+json");
    EXPECT_EQ(response.header("vary"), "Origin, Accept");
    EXPECT_EQ(
        response.body,
        "{\"type\":\"urn:problem:everything-backend:unauthorized\",\"title\":\"Unauthorized\",\"status\":401,"
        "\"detail\":\"missing access "
        "token\",\"instance\":\"/api/v1/me\",\"code\":\"UNAUTHORIZED\",\"request_id\":\"abc\"}\n"
    );
}

TEST_P(HttpApi, AcceptIsNegotiatedByQuality)
{
    Api api(GetParam());
    const std::vector<std::pair<Headers, bool>> cases{
        {{}, false},
        {{{"Accept", "*/*"}}, false},
        {{{"Accept", "application/*"}}, false},
        {{{"Accept", "application/json"}}, false},
        {{{"Accept", "application/problem+json"}}, true},
        {{{"Accept", "Application/Problem+JSON ; Q=0.5"}}, true},
        {{{"Accept", "application/json, application/problem+json"}}, true},
        {{{"Accept", "application/json;q=0.9, application/problem+json;q=0.8"}}, false},
        {{{"Accept", "application/json;q=0.8, application/problem+json;q=0.8"}}, true},
        {{{"Accept", "*/*;q=0.9, application/problem+json;q=0.8"}}, false},
        {{{"Accept", "application/problem+json;q=0"}}, false},
        {{{"Accept", "application/problem+json;q=0.000"}}, false},
        {{{"Accept", "text/html"}, {"Accept", "application/problem+json"}}, true},
        {{{"Accept", "application/problem+jsonx"}}, false},
    };
    for (const auto& [headers, problem] : cases) {
        const auto response = api.send({.path = "/nowhere", .headers = headers});
        EXPECT_EQ(response.header("content-type"), problem ? "application/problem+json" : "application/json")
            << (headers.empty() ? "" : headers.front().second);
    }
}

TEST_P(HttpApi, RequestIds)
{
    Api api(GetParam());
    const auto made = api.send({.path = "/health/live"}).header("x-request-id").value();
    EXPECT_THAT(made, testing::MatchesRegex("[^/]+/[0-9A-Za-z]{10}-000001"));
    const std::string longest(128, 'x');
    EXPECT_EQ(
        api.send({.path = "/health/live", .headers = {{"X-Request-Id", longest}}}).header("x-request-id"),
        longest
    );
    for (const auto& bad : {longest + "x", std::string("a b"), std::string("\xc3\xa9"), std::string()}) {
        EXPECT_NE(
            api.send({.path = "/health/live", .headers = {{"X-Request-Id", bad}}}).header("x-request-id"), bad
        );
    }
}

TEST_P(HttpApi, Routing)
{
    Api api(GetParam());

    struct Case {
        const char* method;
        const char* path;
        int status;
        const char* allow;
    };

    const std::vector<Case> cases{
        {"GET", "/api/v1/nowhere", 404, ""},
        {"GET", "/api/v1/me/", 404, ""},
        {"GET", "/API/v1/me", 404, ""},
        {"GET", "//health/live", 404, ""},
        {"GET", "/", 404, ""},
        {"GET", "/api/v1/%6De", 401, ""},
        {"GET", "/api/v1%2Fme", 404, ""},
        {"POST", "/health/live", 405, "GET, HEAD, OPTIONS"},
        {"DELETE", "/api/v1/auth/refresh", 405, "OPTIONS, POST"},
        {"FOO", "/health/live", 405, "GET, HEAD, OPTIONS"},
        {"HEAD", "/health/live", 200, ""},
        {"OPTIONS", "/anything", 204, ""},
    };
    for (const auto& [method, path, status, allow] : cases) {
        const auto response = api.send({.method = method, .path = path});
        EXPECT_EQ(response.status, status) << method << ' ' << path;
        EXPECT_EQ(response.header("allow").value_or(""), allow) << method << ' ' << path;
    }
    const auto head =
        api.send({.method = "HEAD", .path = "/health/live", .headers = {{"X-Request-Id", "abc"}}});
    const auto get = api.send({.path = "/health/live", .headers = {{"X-Request-Id", "abc"}}});
    EXPECT_EQ(head.body, "");
    EXPECT_EQ(head.header("content-length"), get.header("content-length"));
    EXPECT_EQ(api.send({.method = "OPTIONS", .path = "/x"}).header("content-length"), std::nullopt);
}

TEST_P(HttpApi, Cors)
{
    Api api(GetParam());
    const auto allowed = api.send({.path = "/health/live", .headers = {{"Origin", "http://localhost:3000"}}});
    EXPECT_EQ(allowed.header("access-control-allow-origin"), "http://localhost:3000");
    EXPECT_EQ(allowed.header("access-control-allow-credentials"), "true");
    EXPECT_THAT(allowed.header("access-control-allow-methods").value(), HasSubstr("DELETE"));
    EXPECT_THAT(allowed.header("access-control-allow-headers").value(), HasSubstr("Idempotency-Key"));
    EXPECT_THAT(allowed.header("access-control-expose-headers").value(), HasSubstr("Retry-After"));
    EXPECT_EQ(allowed.header("vary"), "Origin");
    const auto foreign = api.send({.path = "/health/live", .headers = {{"Origin", "http://evil.example"}}});
    EXPECT_EQ(foreign.status, 200);
    EXPECT_FALSE(foreign.header("access-control-allow-origin"));
    EXPECT_FALSE(foreign.header("access-control-allow-credentials"));
    EXPECT_EQ(foreign.header("vary"), "Origin");
    EXPECT_FALSE(api.send({.path = "/health/live"}).header("access-control-allow-methods"));
}

TEST_P(HttpApi, ReadinessNamesItsChecks)
{
    Api api(GetParam());
    const auto ready = api.send({.path = "/health/ready"});
    EXPECT_EQ(ready.status, 200);
    const std::string redis = api.config().redis.configured() ? R"(,{"name":"redis","healthy":true})" : "";
    EXPECT_THAT(
        ready.body,
        HasSubstr(R"("data":{"checks":[{"name":"db","healthy":true})" + redis + R"(],"status":"ready"})")
    );
    api.product().health().stopping();
    const auto stopping = api.send({.path = "/health/ready"});
    EXPECT_EQ(stopping.status, 503);
    EXPECT_THAT(
        stopping.body,
        HasSubstr(
            R"("error":{"code":"DEPENDENCY_UNREADY","message":"dependencies are not ready","details":{"checks":[{"name":"shutdown")"
        )
    );
    EXPECT_EQ(api.send({.path = "/health/live"}).status, 200);
}

TEST_P(HttpApi, ReadinessWaitsForTheStartGrace)
{
    Api api(GetParam(), [](config::Config& config) { config.health.start_grace = std::chrono::hours(1); });
    const auto response = api.send({.path = "/health/ready"});
    EXPECT_EQ(response.status, 503);
    EXPECT_THAT(
        response.body,
        HasSubstr(R"({"name":"startup_grace","healthy":false,"error":"startup grace period active"})")
    );
}

TEST_P(HttpApi, AnUnreachableDatabaseIs503AndNeverA404Or401)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    api.database().close();
    const auto me = api.send(jar, {.path = "/api/v1/me"});
    EXPECT_EQ(me.status, 503);
    EXPECT_THAT(me.body, HasSubstr("service temporarily unavailable"));
    EXPECT_EQ(me.header("retry-after"), "1");
    const auto refresh = api.send(jar, {.method = "POST", .path = "/api/v1/auth/refresh"});
    EXPECT_EQ(refresh.status, 503);
    const auto ready = api.send({.path = "/health/ready"});
    EXPECT_EQ(ready.status, 503);
    EXPECT_THAT(ready.body, HasSubstr(R"({"name":"db","healthy":false,"error":"unavailable"})"));
}

}  // namespace

}  // namespace kit::test
