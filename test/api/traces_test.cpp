// What the process keeps of a request: its trace as a tree, its log lines, its route's numbers.
#include "api_fixture.hpp"
#include "app/telemetry_views.hpp"
#include "support/json.hpp"

#include <boost/json/array.hpp>

#include <set>

namespace kit::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;

constexpr const char* trace_id = "0af7651916cd43dd8448eb211c80319c";
constexpr const char* parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
constexpr const char* unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

class TraceApi : public ApiTest {
protected:
    Result<std::string> show(const std::string& path, const std::string& query = "")
    {
        const app::TelemetryViews views(
            {.recorder = &api_.recorder(),
             .routes = api_.product().pipeline().windows(),
             .clock = api_.clock()}
        );
        return views.show(path, query);
    }

    boost::json::value shown(const std::string& path, const std::string& query = "")
    {
        return parse_json(show(path, query).value());
    }

    ApiResponse register_traced(const char* traceparent = parent)
    {
        return api_.send(
            {.method = "POST",
             .path = "/api/v1/auth/local/register",
             .headers =
                 {{"Content-Type", "application/json"},
                  new_idempotency_key(),
                  {"traceparent", traceparent},
                  {"tracestate", "vendor=1"},
                  {"Host", "api.example.test:8443"},
                  {"User-Agent", "test/1"}},
             .body = R"({"email":"ada@example.com","name":"Ada","password":"Correct-Horse-42"})"}
        );
    }

    Api api_{GetParam()};
};

KIT_BOTH_ENGINES(TraceApi);

std::set<std::string> names_below(const boost::json::value& node)
{
    std::set<std::string> names;
    for (const auto& child : at(node, "/children").as_array()) {
        names.emplace(text_at(child, "/span/name"));
        names.merge(names_below(child));
    }
    return names;
}

TEST_P(TraceApi, ARequestIsATreeOfWhatItDid)
{
    ASSERT_EQ(register_traced().status, 201);
    const auto trace = shown("/telemetry/traces/" + std::string(trace_id));
    ASSERT_EQ(at(trace, "/roots").as_array().size(), 1);
    const auto& root = at(trace, "/roots/0");
    EXPECT_EQ(text_at(root, "/span/name"), "POST /api/v1/auth/local/register");
    EXPECT_EQ(text_at(root, "/span/kind"), "server");
    EXPECT_EQ(text_at(root, "/span/parent_span_id"), "b7ad6b7169203331");
    const auto& attributes = at(root, "/span/attributes");
    EXPECT_EQ(text_at(attributes, "/http.route"), "/api/v1/auth/local/register");
    EXPECT_EQ(text_at(attributes, "/http.request.method"), "POST");
    EXPECT_EQ(text_at(attributes, "/server.address"), "api.example.test");
    EXPECT_EQ(at(attributes, "/server.port").as_int64(), 8443);
    EXPECT_EQ(text_at(attributes, "/client.address"), "192.0.2.7");
    EXPECT_EQ(text_at(attributes, "/user_agent.original"), "test/1");
    EXPECT_EQ(at(attributes, "/http.response.status_code").as_int64(), 201);
    EXPECT_THAT(
        names_below(root), IsSupersetOf({std::string("password.hash"), std::string("db.transaction")})
    );
}

TEST_P(TraceApi, StatementsHangBelowTheirTransaction)
{
    register_traced();
    const auto trace = shown("/telemetry/traces/" + std::string(trace_id));
    std::set<std::string> names;
    for (const auto& child : at(trace, "/roots/0/children").as_array()) {
        if (text_at(child, "/span/name") != "db.transaction") {
            continue;
        }
        names.merge(names_below(child));
        const auto& first = at(child, "/children/0");
        EXPECT_EQ(text_at(first, "/span/kind"), "client");
        EXPECT_EQ(text_at(first, "/span/attributes/db.query.summary"), text_at(first, "/span/name"));
        EXPECT_EQ(
            text_at(first, "/span/attributes/db.system.name"),
            GetParam() == ApiEngine::sqlite ? "sqlite" : "postgresql"
        );
    }
    EXPECT_THAT(names, IsSupersetOf({std::string("audit.insert"), std::string("users.insert")}))
        << show("/telemetry/traces/" + std::string(trace_id)).value();
}

TEST_P(TraceApi, ItsLinesCarryItsIds)
{
    register_traced();
    const auto trace = shown("/telemetry/traces/" + std::string(trace_id));
    const auto& root = at(trace, "/roots/0");
    std::set<std::string> messages;
    for (const auto& line : at(root, "/lines").as_array()) {
        messages.emplace(text_at(line, "/message"));
        EXPECT_EQ(text_at(line, "/trace_id"), trace_id);
        EXPECT_EQ(text_at(line, "/span_id"), text_at(root, "/span/span_id"));
        EXPECT_FALSE(text_at(line, "/attributes/request_id").empty());
    }
    EXPECT_THAT(messages, IsSupersetOf({std::string("http.request"), std::string("audit.event")}));
}

TEST_P(TraceApi, NothingIsKeptOfAnUnsampledRequestButItsLines)
{
    register_traced(unsampled);
    const auto trace = shown("/telemetry/traces/" + std::string(trace_id));
    EXPECT_TRUE(at(trace, "/roots").as_array().empty());
    EXPECT_FALSE(at(trace, "/lines").as_array().empty());
    EXPECT_TRUE(at(shown("/telemetry/spans"), "/spans").as_array().empty());
}

TEST_P(TraceApi, NoSecretIsInIt)
{
    register_traced();
    for (const char* path : {"/telemetry/spans", "/telemetry/logs", "/telemetry/slow"}) {
        EXPECT_THAT(
            show(path, "limit=1000").value(),
            AllOf(Not(HasSubstr("Horse")), Not(HasSubstr("ada@")), Not(HasSubstr("argon2")))
        ) << path;
    }
}

TEST_P(TraceApi, RoutesHaveTheirNumbers)
{
    api_.send({.path = "/health/live"});
    api_.send({.path = "/health/live"});
    api_.send({.path = "/nowhere"});
    const auto page = shown("/telemetry/routes", "seconds=60");
    const auto& routes = at(page, "/routes");
    EXPECT_EQ(text_at(routes, "/0/route"), "GET /health/live");
    EXPECT_EQ(at(routes, "/0/count").as_int64(), 2);
    EXPECT_EQ(at(routes, "/0/errors").as_int64(), 0);
    EXPECT_EQ(text_at(routes, "/1/route"), "none");
}

TEST_P(TraceApi, ViewsFilter)
{
    register_traced();
    api_.send({.path = "/health/live", .headers = {{"traceparent", unsampled}}});
    const auto count = [this](const std::string& path, const std::string& query) {
        const auto page = shown(path, query);
        return at(page, path == "/telemetry/logs" ? "/lines" : "/spans").as_array().size();
    };
    EXPECT_EQ(count("/telemetry/spans", "route=/api/v1/auth/local/register"), 1);
    EXPECT_EQ(count("/telemetry/spans", "route=POST+/api/v1/auth/local/register"), 1);
    EXPECT_EQ(count("/telemetry/spans", "route=/other"), 0);
    EXPECT_EQ(count("/telemetry/spans", "limit=2"), 2);
    EXPECT_EQ(count("/telemetry/spans", "since=2100-01-01T00:00:00Z"), 0);
    EXPECT_EQ(count("/telemetry/slow", ""), 1);
    EXPECT_EQ(count("/telemetry/logs", "route=/health/live"), 1);
    EXPECT_GE(count("/telemetry/logs", "route=/api/v1/auth/local/register"), 2);
    EXPECT_EQ(count("/telemetry/logs", "level=error"), 0);
    EXPECT_EQ(count("/telemetry/logs", "trace_id=ffffffffffffffffffffffffffffffff"), 0);
}

TEST_P(TraceApi, BadParametersAreNamed)
{
    struct Case {
        const char* path;
        const char* query;
        const char* message;
    };

    for (const auto& [path, query, message] :
         {Case{"/telemetry/logs", "level=loud", "level: expected debug, info, warn or error"},
          Case{"/telemetry/logs", "limit=0", "limit: expected 1 to 1000"},
          Case{"/telemetry/logs", "limit=10x", "limit: expected 1 to 1000"},
          Case{"/telemetry/spans", "since=yesterday", "since: expected an RFC 3339 time"},
          Case{"/telemetry/spans", "trace_id=12", "trace_id: expected 32 lower-case hexadecimal digits"},
          Case{"/telemetry/spans", "level=info", "unknown parameter: level"},
          Case{"/telemetry/routes", "seconds=901", "seconds: expected 1 to 900"},
          Case{"/telemetry/traces/xyz", "", "trace_id: expected 32 lower-case hexadecimal digits"}}) {
        const auto answer = show(path, query);
        ASSERT_FALSE(answer.has_value()) << path << query;
        EXPECT_EQ(answer.error().code(), ErrorCode::invalid_input);
        EXPECT_EQ(answer.error().message(), message);
    }
    const auto unknown = show("/telemetry/traces/" + std::string(trace_id));
    ASSERT_FALSE(unknown.has_value());
    EXPECT_EQ(unknown.error().code(), ErrorCode::not_found);
    EXPECT_THAT(show("/").value(), HasSubstr("/telemetry/traces/{trace_id}"));
}

}  // namespace
}  // namespace kit::test
