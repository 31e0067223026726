// The admin listener of the binary, and a request's trace in its log.
#include "support/json.hpp"
#include "support/raw_client.hpp"
#include "support/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace kit::test;
using testing::HasSubstr;
using testing::Not;

namespace {

std::uint16_t admin_port(Server& server)
{
    const auto line = server.process().wait_for_line("admin server starting").value();
    const auto address = std::string(text_at(parse_json(line), "/addr"));
    EXPECT_THAT(address, testing::StartsWith("127.0.0.1:"));
    return static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
}

const Environment with_metrics{
    {"ADMIN_HTTP_ADDR", "127.0.0.1:0"}, {"OTEL_METRICS_ENABLED", "true"}, {"OTEL_TRACING_ENABLED", "true"}
};

TEST(Admin, ServesMetricsOfItsOwnListenerOnly)
{
    const Installation installation(Engine::sqlite, with_metrics);
    auto server = installation.start();
    HttpClient admin(kit::test::Endpoint{.port = admin_port(server)});
    EXPECT_EQ(server.client().get("/health/live").status, 200);
    EXPECT_EQ(server.client().get("/metrics").status, 404);
    const auto page = admin.get("/metrics");
    EXPECT_EQ(page.status, 200);
    EXPECT_THAT(page.body, HasSubstr("http_route=\"/health/live\""));
    EXPECT_THAT(
        page.body, HasSubstr("database_startup_events_total{phase=\"open\",outcome=\"success\"} 1\n")
    );
    EXPECT_THAT(page.body, Not(HasSubstr("# EOF")));
    EXPECT_EQ(admin.get("/nothing").status, 404);
    EXPECT_EQ(server.stop(), 0);
}

TEST(Admin, CountsBodiesThatAreTooLargeOrCannotBeRead)
{
    const Installation installation(Engine::sqlite, with_metrics);
    auto server = installation.start();
    const auto refused = [&](const std::string& rest) {
        RawClient client(server.endpoint());
        client.send("POST /api/v1/auth/local/login HTTP/1.1\r\nHost: a\r\n" + rest);
        return client.read_response().response.value().status;
    };
    EXPECT_EQ(refused("Content-Length: 999999999\r\n\r\n"), 413);
    EXPECT_EQ(refused("Transfer-Encoding: chunked\r\n\r\nnot a size\r\n"), 400);
    EXPECT_EQ(refused("Content-Length: 1\r\nContent-Length: 2\r\n\r\n"), 400);  // a head, no body
    HttpClient admin(kit::test::Endpoint{.port = admin_port(server)});
    const auto page = admin.get("/metrics").body;
    const std::string series = "http_middleware_validation_events_total{middleware=\"body_limit\",outcome=";
    EXPECT_THAT(page, HasSubstr(series + "\"rejected_too_large\"} 1\n"));
    EXPECT_THAT(page, HasSubstr(series + "\"read_error\"} 1\n"));
    EXPECT_EQ(server.stop(), 0);
}

TEST(Admin, ShowsARequestAsATreeWithItsLines)
{
    const Installation installation(Engine::sqlite, with_metrics);
    auto server = installation.start();
    HttpClient admin(kit::test::Endpoint{.port = admin_port(server)});
    auto client = server.client();
    client.send(
        {.target = "/health/ready",
         .headers = {{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}}
    );
    const auto trace = admin.get("/telemetry/traces/0af7651916cd43dd8448eb211c80319c");
    EXPECT_EQ(trace.status, 200);
    const auto page = parse_json(trace.body);
    EXPECT_EQ(text_at(page, "/roots/0/span/name"), "GET /health/ready");
    EXPECT_EQ(text_at(page, "/roots/0/children/0/span/name"), "db.ping");
    EXPECT_EQ(text_at(page, "/roots/0/lines/0/message"), "http.request");
    EXPECT_THAT(admin.get("/telemetry/routes").body, HasSubstr("GET /health/ready"));
    EXPECT_THAT(admin.get("/").body, HasSubstr("/telemetry/slow"));
    EXPECT_EQ(admin.get("/telemetry/logs?limit=0").status, 400);
    EXPECT_EQ(admin.get("/telemetry/traces/ffffffffffffffffffffffffffffffff").status, 404);
    EXPECT_EQ(server.stop(), 0);
}

TEST(Admin, ABusyAddressFailsTheStartWhereItWasAskedFor)
{
    const Installation installation(Engine::sqlite, with_metrics);
    auto server = installation.start();
    const Installation second(
        Engine::sqlite, {{"ADMIN_HTTP_ADDR", "127.0.0.1:" + std::to_string(admin_port(server))}}
    );
    const auto refused = run(second.command({"api"}));
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_THAT(refused.output + refused.errors, HasSubstr("bind: address already in use"));
}

TEST(Trace, OfTheCallerIsOnTheRequestsLine)
{
    const Installation installation(Engine::sqlite, with_metrics);
    auto server = installation.start();
    auto client = server.client();
    client.send(
        {.target = "/health/live",
         .headers = {{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}}
    );
    const auto line = server.process().wait_for_line("\"http.request\"").value();
    EXPECT_EQ(text_at(parse_json(line), "/trace_id"), "0af7651916cd43dd8448eb211c80319c");
    const auto span = std::string(text_at(parse_json(line), "/span_id"));
    EXPECT_EQ(span.size(), 16);
    EXPECT_NE(span, "b7ad6b7169203331");
    EXPECT_EQ(line.find("trace_id"), line.rfind("trace_id"));
}

}  // namespace
