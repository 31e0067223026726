#include "unit/outbound/fixture.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <future>
#include <optional>

namespace kit::outbound {
namespace {

using test::StubServer;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;
using testing::StartsWith;

TEST_F(HttpClientTest, GetBringsStatusHeadersAndBody)
{
    const StubServer server([](StubServer::Peer& peer) {
        peer.read_request();
        peer.send("HTTP/1.1 404 Not Found\r\nX-One: 1 \r\nX-ONE: 2\r\nContent-Length: 5\r\n\r\nhello");
    });
    const auto result = send({.url = server.url("/a?b=c")});
    ASSERT_TRUE(result.has_value()) << to_string(result.error());
    EXPECT_EQ(result->status, 404);
    EXPECT_EQ(result->body, "hello");
    EXPECT_THAT(
        result->headers, ElementsAre(Pair("x-one", "1"), Pair("x-one", "2"), Pair("content-length", "5"))
    );
    EXPECT_EQ(result->header("x-one"), "2");
    EXPECT_EQ(result->header("x-two"), "");
}

TEST_F(HttpClientTest, SendsWhatItIsGivenAndNothingThatCurlWouldAdd)
{
    std::string seen;
    const StubServer server([&](StubServer::Peer& peer) {
        seen = peer.read_request();
        peer.send(answer(""));
    });
    const std::string body(2'000'000, 'x');  // large enough for libcurl's own "Expect"
    ASSERT_TRUE(send(
        {.method = "POST", .url = server.url("/v1"), .headers = {{"X-Empty", ""}, {"X-A", "b"}}, .body = body}
    ));
    EXPECT_THAT(seen, StartsWith("POST /v1 HTTP/1.1\r\n"));
    EXPECT_THAT(seen, HasSubstr("\r\nX-A: b\r\n"));
    EXPECT_THAT(seen, HasSubstr("\r\nX-Empty:\r\n"));
    EXPECT_THAT(seen, HasSubstr("\r\nContent-Length: 2000000\r\n"));
    EXPECT_THAT(seen, Not(HasSubstr("Expect")));
    EXPECT_THAT(seen, Not(HasSubstr("form-urlencoded")));
    EXPECT_THAT(seen, EndsWith("\r\n\r\n" + body));
}

TEST_F(HttpClientTest, EveryMethodGoesOutAsItIs)
{
    const StubServer server([](StubServer::Peer& peer) {
        for (auto request = peer.read_request(); !request.empty(); request = peer.read_request()) {
            const auto line = request.substr(0, request.find("\r\n"));
            if (line.starts_with("HEAD")) {
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n");
            } else {
                const bool has_length = request.find("Content-Length: 0\r\n") != std::string::npos;
                peer.send(answer(line + (has_length ? " +0" : "")));
            }
        }
    });
    EXPECT_EQ(send({.method = "GET", .url = server.url()})->body, "GET / HTTP/1.1");
    EXPECT_EQ(send({.method = "DELETE", .url = server.url()})->body, "DELETE / HTTP/1.1");
    EXPECT_EQ(send({.method = "POST", .url = server.url()})->body, "POST / HTTP/1.1 +0");
    EXPECT_EQ(send({.method = "PUT", .url = server.url()})->body, "PUT / HTTP/1.1 +0");
    const auto head = send({.method = "HEAD", .url = server.url()});
    EXPECT_EQ(head->header("content-length"), "99");
    EXPECT_EQ(head->body, "");
    EXPECT_EQ(server.connections(), 1U) << "kept and used again";
}

TEST_F(HttpClientTest, TrailersStandAfterTheHeaders)
{
    const StubServer server([](StubServer::Peer& peer) {
        peer.read_request();
        peer.send(
            "HTTP/1.1 200 OK\r\nTrailer: Grpc-Status\r\nTransfer-Encoding: chunked\r\n\r\n"
            "3\r\nabc\r\n0\r\nGrpc-Status: 14\r\n\r\n"
        );
    });
    const auto result = send({.url = server.url()});
    ASSERT_TRUE(result.has_value()) << to_string(result.error());
    EXPECT_EQ(result->body, "abc");
    EXPECT_EQ(result->header("grpc-status"), "14");
}

TEST_F(HttpClientTest, HeadersOfInterimResponsesAreForgotten)
{
    const StubServer server([](StubServer::Peer& peer) {
        peer.read_request();
        peer.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer("done"));
    });
    const auto result = send({.url = server.url()});
    ASSERT_TRUE(result.has_value()) << to_string(result.error());
    EXPECT_EQ(result->status, 200);
    EXPECT_EQ(result->header("link"), "");
}

TEST_F(HttpClientTest, RedirectsAreAnswersLikeAnyOther)
{
    const StubServer target([](StubServer::Peer& peer) { peer.send(answer("the target")); });
    const StubServer server([&](StubServer::Peer& peer) {
        peer.read_request();
        peer.send("HTTP/1.1 302 Found\r\nLocation: " + target.url() + "\r\nContent-Length: 0\r\n\r\n");
    });
    const auto result = send({.url = server.url()});
    ASSERT_TRUE(result.has_value()) << to_string(result.error());
    EXPECT_EQ(result->status, 302);
    EXPECT_EQ(result->header("location"), target.url());
    EXPECT_EQ(target.connections(), 0U);
}

TEST_F(HttpClientTest, BlockingCallsNeedNoLoop)
{
    const StubServer server([](StubServer::Peer& peer) {
        peer.read_request();
        peer.send(answer("hello"));
    });
    EXPECT_EQ(client.send_blocking({.url = server.url()})->body, "hello");
}

TEST_F(HttpClientTest, ACancelledCallerEndsTheCall)
{
    std::promise<void> arrived;
    std::promise<void> left;
    const StubServer server([&](StubServer::Peer& peer) {
        peer.read_request();
        arrived.set_value();
        peer.wait_for_end();
        left.set_value();
    });
    asio::cancellation_signal cancel;
    std::promise<std::optional<HttpResult>> outcome;
    asio::post(workers.executor(0), [&] {
        asio::co_spawn(
            workers.executor(0),
            client.send({.url = server.url(), .time_max = std::chrono::minutes(5)}),
            asio::bind_cancellation_slot(
                cancel.slot(),
                [&](const std::exception_ptr& failed, HttpResult result) {
                    outcome.set_value(failed ? std::nullopt : std::optional(std::move(result)));
                }
            )
        );
    });
    arrived.get_future().wait();
    asio::post(workers.executor(0), [&] { cancel.emit(asio::cancellation_type::terminal); });
    left.get_future().wait();  // the server sees its end
    const auto result = outcome.get_future().get();
    ASSERT_TRUE(result.has_value());
    ASSERT_FALSE(result->has_value());
    EXPECT_EQ(result->error(), HttpFailure::cancelled);
}

TEST_F(HttpClientTest, ItsEndCancelsWhatIsUnderWay)
{
    std::promise<void> arrived;
    const StubServer server([&](StubServer::Peer& peer) {
        peer.read_request();
        arrived.set_value();
        peer.wait_for_end();
    });
    std::promise<HttpResult> outcome;
    {
        HttpClient brief;
        asio::co_spawn(
            workers.executor(0),
            brief.send({.url = server.url(), .time_max = std::chrono::minutes(5)}),
            [&](const std::exception_ptr&, HttpResult result) { outcome.set_value(std::move(result)); }
        );
        arrived.get_future().wait();
    }
    const auto result = outcome.get_future().get();
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error(), HttpFailure::cancelled);
}

TEST_F(HttpClientTest, ManyCallsAtOnceShareTheThread)
{
    const StubServer server([](StubServer::Peer& peer) {
        for (auto request = peer.read_request(); !request.empty(); request = peer.read_request()) {
            peer.send(answer(request.substr(5, request.find(" HTTP") - 5)));
        }
    });
    std::vector<std::future<HttpResult>> results;
    results.reserve(200);
    for (int call = 0; call < 200; ++call) {
        results.push_back(asio::co_spawn(
            workers.executor(call % 2),
            client.send({.url = server.url("/" + std::to_string(call)), .time_max = std::chrono::minutes(1)}),
            asio::use_future
        ));
    }
    for (int call = 0; call < 200; ++call) {
        const auto result = results[static_cast<std::size_t>(call)].get();
        ASSERT_TRUE(result.has_value()) << to_string(result.error());
        EXPECT_EQ(result->body, std::to_string(call));
    }
    EXPECT_LE(server.connections(), 64U);
}

}  // namespace
}  // namespace kit::outbound
