// Behind nginx and haproxy the server and the proxy agree on where every request ends: no response that
// nobody asked for, and no answer that reaches another client.
#include "proxies/proxy.hpp"
#include "proxies/relay.hpp"
#include "support/account.hpp"
#include "support/json.hpp"
#include "support/raw_requests.hpp"
#include "support/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace kit::test;
using namespace std::chrono_literals;

namespace {

// Longer than the proxies' own patience of 2 s with a client.
constexpr auto proxy_patience = 10s;

class Proxies : public testing::TestWithParam<Product> {
protected:
    Installation installation{Engine::sqlite};
    Server server = installation.start();
    Relay relay{server.endpoint().port};
    Proxy proxy{GetParam(), relay.port()};
};

INSTANTIATE_TEST_SUITE_P(
    Products, Proxies, testing::Values(Product::nginx, Product::haproxy), testing::PrintToStringParamName()
);

// A new client of the proxy gets its own answers, in order.
void expect_own_answers(const Proxy& proxy, const std::string& name)
{
    HttpClient client(proxy.endpoint());
    for (int i = 0; i < 3; ++i) {
        const auto id = "probe-" + std::to_string(i) + "-after-" + name;
        const auto response = client.send({.target = "/health/live", .headers = {{"X-Request-Id", id}}});
        ASSERT_EQ(response.status, 200) << name;
        EXPECT_EQ(text_at(parse_json(response.body), "/meta/request_id"), id);
    }
}

// The end of a tape, for a message.
std::string_view end_of(std::string_view tape)
{
    constexpr std::size_t shown = 1000;
    return tape.substr(tape.size() - std::min(tape.size(), shown));
}

// The server never said more than it was asked.
void expect_nothing_unsolicited(const Relay& relay)
{
    for (const auto& tape : relay.tapes()) {
        const auto methods = request_methods(tape.to_server);
        std::size_t answered = 0;
        std::string_view said = tape.from_server;
        while (!said.empty()) {
            const bool to_head = answered < methods.size() && methods[answered] == "HEAD";
            const auto taken = take_response(said, to_head, true);
            if (!taken) {
                // Half a response counts: the other half is on its way.
                ++answered;
                break;
            }
            answered += taken->response.status >= 200 ? 1U : 0U;
            said.remove_prefix(taken->bytes);
        }
        EXPECT_LE(answered, methods.size()) << "to the server:\n"
                                            << end_of(tape.to_server) << "\nfrom the server:\n"
                                            << end_of(tape.from_server);
    }
}

TEST_P(Proxies, NoRawRequestMakesThemDisagree)
{
    int count = 0;
    for (const auto& request : raw_requests()) {
        SCOPED_TRACE(request.name);
        {
            RawClient client(proxy.endpoint());
            client.send(request.bytes);
            client.finish();
            EXPECT_NE(client.read_to_end(proxy_patience), Ended::timed_out);
        }
        expect_own_answers(proxy, "case-" + std::to_string(++count));
        expect_nothing_unsolicited(relay);
        if (HasFailure()) {
            break;
        }
    }
    EXPECT_EQ(server.client().get("/health/live").status, 200);
}

// The refused client stays connected and asks again: a proxy that kept the connection must not mix answers
// up.
TEST_P(Proxies, NoRawRequestSpoilsTheConnectionThatFollows)
{
    for (const auto& request : raw_requests()) {
        SCOPED_TRACE(request.name);
        RawClient client(proxy.endpoint());
        client.send(request.bytes);
        client.send("GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: follower\r\n\r\n");
        client.finish();
        EXPECT_NE(client.read_to_end(proxy_patience), Ended::timed_out);
        expect_nothing_unsolicited(relay);
        if (HasFailure()) {
            break;
        }
    }
    expect_own_answers(proxy, "all");
}

TEST_P(Proxies, GoodRequestsGetTheAnswersThatTheServerGivesDirectly)
{
    const std::string login = "/api/v1/auth/local/login";
    const std::vector<HttpRequest> requests{
        {.target = "/health/live"},
        {.target = "/health/ready"},
        {.method = "HEAD", .target = "/health/live"},
        {.target = "/nowhere?a=b&c=%20"},
        {.method = "DELETE", .target = "/health/live"},
        {.method = "OPTIONS", .target = "/api/v1/me"},
        {.target = "/api/v1/me"},
        {.method = "POST",
         .target = login,
         .headers = {},
         .body = R"({"email":"a@example.com","password":"x"})"},
        {.method = "POST", .target = login},
        {.method = "POST", .target = login, .headers = {}, .body = std::string(1024UL * 1024, ' ')},
        {.target = "/health/live", .headers = {}, .body = "a body nobody wants"},
    };
    auto direct = server.client();
    HttpClient through(proxy.endpoint());
    for (const auto& request : requests) {
        const auto expected = direct.send(request);
        const auto actual = through.send(request);
        EXPECT_EQ(actual.status, expected.status) << request.method << ' ' << request.target;
        EXPECT_EQ(error_code(actual), error_code(expected));
    }
    expect_own_answers(proxy, "good");
    expect_nothing_unsolicited(relay);
}

TEST_P(Proxies, PipelinedAndChunkedRequestsAreAnsweredInOrder)
{
    RawClient client(proxy.endpoint());
    std::string requests;
    constexpr int count = 20;
    for (int i = 0; i < count; ++i) {
        requests += "POST /api/v1/auth/local/login HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: " +
                    std::to_string(i) + "\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    }
    client.send(requests);
    for (int i = 0; i < count; ++i) {
        const auto response = client.read_response().response.value();
        EXPECT_EQ(response.status, 401);
        EXPECT_EQ(text_at(parse_json(response.body), "/meta/request_id"), std::to_string(i));
    }
    expect_nothing_unsolicited(relay);
}

TEST_P(Proxies, ABodyOverTheLimitIsRefusedAndTheNextClientServed)
{
    for (int i = 0; i < 5; ++i) {
        RawClient client(proxy.endpoint());
        client.send(
            "POST /api/v1/auth/local/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4194304\r\n\r\n" +
            std::string(4194304, ' ')
        );
        const auto answer = client.read_response();
        ASSERT_EQ(answer.ended, Ended::got_it);
        EXPECT_EQ(answer.response->status, 413);
        expect_own_answers(proxy, "too-large");
    }
    expect_nothing_unsolicited(relay);
}

}  // namespace
