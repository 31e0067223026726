// What other servers do wrong, and what we refuse to send.
#include "platform/core/error.hpp"
#include "unit/outbound/fixture.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include <future>

namespace kit::outbound {
namespace {

using std::chrono::milliseconds;
using test::StubServer;

struct HttpFaults : HttpClientTest {
    void expect(HttpFailure failure, HttpRequest request)
    {
        const auto result = send(std::move(request));
        ASSERT_FALSE(result.has_value()) << result->status;
        EXPECT_EQ(result.error(), failure) << to_string(result.error());
    }
};

TEST_F(HttpFaults, NobodyListens)
{
    expect(HttpFailure::refused, {.url = "http://127.0.0.1:" + std::to_string(test::unused_port()) + "/"});
}

TEST_F(HttpFaults, NoSuchHost)
{
    // RFC 6761: "invalid" never exists.
    expect(HttpFailure::refused, {.url = "http://nowhere.invalid/"});
}

TEST_F(HttpFaults, SilenceEndsAtTheDeadline)
{
    const StubServer server([](StubServer::Peer& peer) { peer.wait_for_end(); });
    expect(HttpFailure::timed_out, {.url = server.url(), .time_max = milliseconds(50)});
}

TEST_F(HttpFaults, TrickledBytesDoNotMoveTheDeadline)
{
    const StubServer server([](StubServer::Peer& peer) {
        peer.read_request();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
        while (!peer.wait_for_end(milliseconds(5))) {
            peer.send("x");
        }
    });
    expect(HttpFailure::timed_out, {.url = server.url(), .time_max = milliseconds(100)});
}

TEST_F(HttpFaults, TheDeadlineCountsWhileACallWaitsForAConnection)
{
    std::promise<void> arrived;
    const StubServer server([&](StubServer::Peer& peer) {
        peer.read_request();
        arrived.set_value();
        peer.wait_for_end();
    });
    HttpClient narrow({.connections_max = 1});
    auto first = asio::co_spawn(
        workers.executor(0),
        narrow.send({.url = server.url(), .time_max = milliseconds(300)}),
        asio::use_future
    );
    arrived.get_future().wait();
    const auto second = send(narrow, {.url = server.url(), .time_max = milliseconds(50)});
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error(), HttpFailure::timed_out);
    EXPECT_EQ(server.connections(), 1U);
    EXPECT_EQ(first.get().error(), HttpFailure::timed_out);
}

TEST_F(HttpFaults, MoreCallsThanAllowedAreOverload)
{
    std::promise<void> arrived;
    const StubServer server([&](StubServer::Peer& peer) {
        peer.read_request();
        arrived.set_value();
        peer.wait_for_end();
    });
    std::future<HttpResult> first;
    {
        HttpClient narrow({.calls_max = 1});
        first = asio::co_spawn(
            workers.executor(0),
            narrow.send({.url = server.url(), .time_max = std::chrono::minutes(5)}),
            asio::use_future
        );
        arrived.get_future().wait();
        EXPECT_THROW(static_cast<void>(send(narrow, {.url = server.url()})), Overloaded);
    }
    EXPECT_EQ(first.get().error(), HttpFailure::cancelled);
}

TEST_F(HttpFaults, ABodyOverTheLimitIsNotRead)
{
    constexpr std::size_t size = 10UL * 1024 * 1024;
    const StubServer server([](StubServer::Peer& peer) {
        peer.read_request();
        peer.send(answer(std::string(size, 'x')));
    });
    expect(HttpFailure::too_large, {.url = server.url()});
    expect(HttpFailure::too_large, {.url = server.url(), .response_bytes_max = size - 1});
    EXPECT_EQ(
        send({.url = server.url(), .time_max = test::generous, .response_bytes_max = size})->body.size(), size
    );
}

TEST_F(HttpFaults, SoAreTooManyHeaders)
{
    const StubServer server([](StubServer::Peer& peer) {
        peer.read_request();
        peer.send("HTTP/1.1 200 OK\r\n");
        while (peer.send("X-Filler: " + std::string(1000, 'x') + "\r\n")) {
        }
    });
    expect(HttpFailure::too_large, {.url = server.url()});
}

TEST_F(HttpFaults, AnAnswerThatIsCutShort)
{
    const StubServer server([](StubServer::Peer& peer) {
        peer.read_request();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    });
    expect(HttpFailure::protocol, {.url = server.url()});
}

TEST_F(HttpFaults, AnAnswerThatIsNoHttp)
{
    const StubServer server([](StubServer::Peer& peer) {
        peer.read_request();
        peer.send("SSH-2.0-OpenSSH_9.2\r\n");
    });
    expect(HttpFailure::protocol, {.url = server.url()});
}

TEST_F(HttpFaults, OtherProtocolsAreNeverSpoken)
{
    for (const auto* url :
         {"file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "smtp://127.0.0.1/", ""}) {
        expect(HttpFailure::protocol, {.url = url});
    }
}

TEST_F(HttpFaults, LineBreaksAreNeverSent)
{
    const StubServer server([](StubServer::Peer& peer) {
        peer.read_request();
        peer.send(answer(""));
    });
    expect(HttpFailure::protocol, {.url = server.url(), .headers = {{"X-A", "b\r\nX-Evil: 1"}}});
    expect(HttpFailure::protocol, {.url = server.url(), .headers = {{"X-A\nX-Evil", "b"}}});
    expect(HttpFailure::protocol, {.method = "GET / HTTP/1.1\r\nX-Evil: 1", .url = server.url()});
    expect(HttpFailure::protocol, {.url = server.url("/\r\nX-Evil: 1")});
    EXPECT_EQ(server.connections(), 0U);
}

}  // namespace
}  // namespace kit::outbound
