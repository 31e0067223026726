// The limits of the wire: each one's last accepted and first refused size, and every time limit.
#include "support/account.hpp"
#include "support/json.hpp"
#include "support/raw_client.hpp"
#include "support/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

using namespace kit::test;
using testing::Eq;

namespace {

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;
constexpr std::string_view login = "POST /api/v1/auth/local/login HTTP/1.1\r\nHost: localhost\r\n";

class Limits : public testing::Test {
protected:
    static void SetUpTestSuite()
    {
        installation = std::make_unique<Installation>(
            Engine::sqlite,
            // The defaults of the contract but for the times, which would only make the test slow.
            Environment{
                {"HTTP_HEADER_TIMEOUT", "500ms"},
                {"HTTP_IDLE_TIMEOUT", "700ms"},
                {"HTTP_WRITE_TIMEOUT", "500ms"},
                {"HTTP_LINGER_TIMEOUT", "1s"},
            }
        );
        server = std::make_unique<Server>(installation->command({"api"}));
    }

    static void TearDownTestSuite()
    {
        if (!server) {
            return;
        }
        EXPECT_EQ(server->client().get("/health/live").status, 200) << "the server outlives all of this";
        EXPECT_EQ(server->stop(), 0) << server->process().errors();
        server.reset();
        installation.reset();
    }

    static RawClient connect() { return RawClient(server->endpoint()); }

    static std::unique_ptr<Installation> installation;
    static std::unique_ptr<Server> server;
};

std::unique_ptr<Installation> Limits::installation;
std::unique_ptr<Server> Limits::server;

// One response with that status and code, then the end.
void expect_refusal(RawClient& client, int status, std::string_view code)
{
    const auto ended = client.read_to_end();
    EXPECT_THAT(ended, testing::AnyOf(Eq(Ended::closed), Eq(Ended::reset)));
    const auto conversation = parse_conversation(client.received());
    ASSERT_EQ(conversation.responses.size(), 1U) << client.received();
    EXPECT_EQ(conversation.rest, "");
    const auto& response = conversation.responses.front();
    EXPECT_EQ(response.status, status);
    EXPECT_TRUE(response.closes());
    EXPECT_EQ(error_code(response), code) << response.body;
}

std::string get_with_line_of(std::size_t bytes)
{
    const std::string_view around = "GET / HTTP/1.1";
    return "GET /" + std::string(bytes - around.size(), 'a') + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
}

std::string get_with_fields(std::size_t count)
{
    std::string text = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n";
    for (std::size_t i = 1; i < count; ++i) {
        text += "X-Field-" + std::to_string(i) + ": 1\r\n";
    }
    return text + "\r\n";
}

// The header section as RFC 9112 counts it: every field line with its end, without the request line and the
// empty line.
std::string get_with_header_bytes(std::size_t bytes)
{
    const std::string host = "Host: localhost\r\n";
    const std::string around = "X: \r\n";
    return "GET /health/live HTTP/1.1\r\n" + host +
           "X: " + std::string(bytes - host.size() - around.size(), 'a') + "\r\n\r\n";
}

std::string chunked(std::size_t bytes, std::size_t chunk)
{
    std::string text;
    while (bytes > 0) {
        const auto size = std::min(bytes, chunk);
        std::array<char, 20> head{};
        const auto length = std::snprintf(head.data(), head.size(), "%zx\r\n", size);
        text.append(head.data(), static_cast<std::size_t>(length)).append(size, ' ').append("\r\n");
        bytes -= size;
    }
    return text + "0\r\n\r\n";
}

TEST_F(Limits, RequestLineOf8KiB)
{
    auto client = connect();
    // The line's end may count or not: 16 bytes below the limit is below it either way.
    ASSERT_TRUE(client.send(get_with_line_of(8 * kib - 16)));
    EXPECT_EQ(client.read_response().response.value().status, 404);
    client.send(get_with_line_of(8 * kib + 16));
    expect_refusal(client, 414, "URI_TOO_LONG");
}

TEST_F(Limits, RequestLineThatNeverEnds)
{
    auto client = connect();
    client.send("GET /" + std::string(64 * kib, 'a'));
    expect_refusal(client, 414, "URI_TOO_LONG");
}

TEST_F(Limits, HeaderSectionOf16KiB)
{
    auto client = connect();
    ASSERT_TRUE(client.send(get_with_header_bytes(16 * kib - 128)));
    EXPECT_EQ(client.read_response().response.value().status, 200);
    client.send(get_with_header_bytes(16 * kib + 16));
    expect_refusal(client, 431, "HEADERS_TOO_LARGE");
}

TEST_F(Limits, HeaderSectionThatNeverEnds)
{
    auto client = connect();
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(64 * kib, 'a'));
    expect_refusal(client, 431, "HEADERS_TOO_LARGE");
}

TEST_F(Limits, HundredHeaderFields)
{
    auto client = connect();
    ASSERT_TRUE(client.send(get_with_fields(100)));
    EXPECT_EQ(client.read_response().response.value().status, 200);
    client.send(get_with_fields(101));
    expect_refusal(client, 431, "HEADERS_TOO_LARGE");
}

TEST_F(Limits, BodyOfOneMiB)
{
    auto client = connect();
    const auto head = std::string(login) + "Content-Length: " + std::to_string(mib) + "\r\n\r\n";
    ASSERT_TRUE(client.send(head + std::string(mib, ' ')));
    EXPECT_EQ(client.read_response().response.value().status, 400) << "white space is no JSON value";
    client.send(std::string(login) + "Content-Length: " + std::to_string(mib + 1) + "\r\n\r\n");
    expect_refusal(client, 413, "PAYLOAD_TOO_LARGE");
}

TEST_F(Limits, ChunkedBodyOfOneMiB)
{
    auto client = connect();
    const auto head = std::string(login) + "Transfer-Encoding: chunked\r\n\r\n";
    ASSERT_TRUE(client.send(head + chunked(mib, 64 * kib)));
    EXPECT_EQ(client.read_response().response.value().status, 400);
    client.send(head + chunked(mib + 1, 64 * kib));
    expect_refusal(client, 413, "PAYLOAD_TOO_LARGE");
}

// A client that keeps sending still gets the answer: no reset before it was read.
TEST_F(Limits, RefusedBodyIsAnsweredWhileItIsStillBeingSent)
{
    auto client = connect();
    client.send(std::string(login) + "Content-Length: 4194304\r\n\r\n");
    client.send(std::string(4 * mib, 'a'));
    const auto answer = client.read_response();
    ASSERT_EQ(answer.ended, Ended::got_it);
    EXPECT_EQ(answer.response->status, 413);
    EXPECT_TRUE(answer.response->closes());
}

TEST_F(Limits, AClientThatNeverStopsSendingIsCutOff)
{
    auto client = connect();
    client.send(std::string(login) + "Content-Length: 1000000000000\r\n\r\n");
    const std::string block(64 * kib, 'a');
    const auto started = std::chrono::steady_clock::now();
    while (client.send(block)) {
        ASSERT_LT(std::chrono::steady_clock::now() - started, generous);
    }
    EXPECT_GE(std::chrono::steady_clock::now() - started, std::chrono::milliseconds(500));
    EXPECT_EQ(server->client().get("/health/live").status, 200);
}

TEST_F(Limits, ExpectedContinueIsRefusedBeforeTheBody)
{
    auto client = connect();
    client.send(std::string(login) + "Expect: 100-continue\r\nContent-Length: 4194304\r\n\r\n");
    expect_refusal(client, 413, "PAYLOAD_TOO_LARGE");
}

TEST_F(Limits, ExpectedContinueIsGiven)
{
    auto client = connect();
    client.send(std::string(login) + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    EXPECT_EQ(client.read_response().response.value().status, 100);
    client.send("{}");
    EXPECT_EQ(client.read_response().response.value().status, 401);
}

TEST_F(Limits, HeaderSectionThatComesTooSlowly)
{
    auto client = connect();
    ASSERT_TRUE(client.send("GET /health/live HTTP/1.1\r\nHost: loc"));
    expect_refusal(client, 408, "REQUEST_TIMEOUT");
}

// A byte now and then must not win time.
TEST_F(Limits, HeaderSectionThatDrips)
{
    auto client = connect();
    ASSERT_TRUE(client.send("GET /health/live HTTP/1.1\r\nHost: localhost\r\nX: "));
    const auto started = std::chrono::steady_clock::now();
    while (!client.stirred()) {
        ASSERT_LT(std::chrono::steady_clock::now() - started, generous);
        client.send("a");
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    expect_refusal(client, 408, "REQUEST_TIMEOUT");
}

TEST_F(Limits, BodyThatStalls)
{
    auto client = connect();
    ASSERT_TRUE(client.send(std::string(login) + "Content-Length: 100\r\n\r\n{"));
    expect_refusal(client, 408, "REQUEST_TIMEOUT");
}

TEST_F(Limits, BodyThatDripsBelowTheMinimumRate)
{
    auto client = connect();
    ASSERT_TRUE(client.send(std::string(login) + "Content-Length: 100000\r\n\r\n{"));
    const auto started = std::chrono::steady_clock::now();
    while (!client.stirred()) {
        ASSERT_LT(std::chrono::steady_clock::now() - started, generous);
        client.send("a");
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    expect_refusal(client, 408, "REQUEST_TIMEOUT");
}

TEST_F(Limits, IdleConnectionIsClosedWithoutAWord)
{
    auto client = connect();
    ASSERT_TRUE(client.send("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    ASSERT_EQ(client.read_response().response.value().status, 200);
    EXPECT_EQ(client.read_to_end(), Ended::closed);
    EXPECT_EQ(client.received(), "");
}

TEST_F(Limits, ConnectionThatSaysNothingIsClosedWithoutAWord)
{
    auto client = connect();
    EXPECT_EQ(client.read_to_end(), Ended::closed);
    EXPECT_EQ(client.received(), "");
}

// Pipelines requests and reads nothing: the server must stop reading, then give the connection up.
TEST_F(Limits, AClientThatReadsNothingIsCutOff)
{
    auto client = connect();
    std::string requests;
    for (int i = 0; i < 100; ++i) {
        requests += "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    }
    const auto started = std::chrono::steady_clock::now();
    while (client.send(requests)) {
        ASSERT_LT(std::chrono::steady_clock::now() - started, generous);
    }
    EXPECT_LT(server->process().resident_bytes(), 1024 * mib);
}

TEST_F(Limits, PipelinedRequestsAreAnsweredInOrder)
{
    auto client = connect();
    std::string requests;
    for (int i = 0; i < 50; ++i) {
        requests += "GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: number-" +
                    std::to_string(i) + "\r\n\r\n";
    }
    ASSERT_TRUE(client.send(requests));
    for (int i = 0; i < 50; ++i) {
        const auto response = client.read_response().response.value();
        ASSERT_EQ(response.status, 200);
        EXPECT_EQ(
            text_at(parse_json(response.body), "/meta/request_id"), std::string("number-") + std::to_string(i)
        );
    }
    EXPECT_EQ(client.received(), "");
}

TEST_F(Limits, PipelinedRequestsBeforeARefusedOneAreAnswered)
{
    auto client = connect();
    const std::string good = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    ASSERT_TRUE(client.send(good + good + "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + good));
    EXPECT_EQ(client.read_response().response.value().status, 200);
    EXPECT_EQ(client.read_response().response.value().status, 200);
    expect_refusal(client, 400, "BAD_REQUEST");
}

TEST_F(Limits, AHalfClosedClientGetsItsAnswers)
{
    auto client = connect();
    const std::string good = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    ASSERT_TRUE(client.send(good + good));
    client.finish();
    EXPECT_EQ(client.read_to_end(), Ended::closed);
    EXPECT_EQ(parse_conversation(client.received()).responses.size(), 2U);
}

TEST(ConnectionLimit, BeyondItConnectionsAreClosedAtOnce)
{
    constexpr std::size_t connections_max = 16;
    const Installation installation(
        Engine::sqlite, {{"HTTP_CONNECTIONS_MAX", std::to_string(connections_max)}}
    );
    auto server = installation.start();
    std::vector<HttpClient> clients;
    for (std::size_t i = 0; i < connections_max; ++i) {
        clients.push_back(server.client());
        ASSERT_EQ(clients.back().get("/health/live").status, 200);
    }
    RawClient refused(server.endpoint());
    EXPECT_NE(refused.read_to_end(), Ended::timed_out);
    EXPECT_EQ(refused.received(), "");

    clients.back().disconnect();
    const auto accepted_again = [&server] {
        try {
            return server.client().get("/health/live").status == 200;
        } catch (const std::exception&) {
            return false;
        }
    };
    EXPECT_TRUE(eventually(accepted_again));
}

}  // namespace
