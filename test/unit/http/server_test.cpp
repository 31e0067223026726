// Requests and limits. What concerns listening sockets and the server's end is in server_lifecycle_test.cpp.
#include "unit/http/server_fixture.hpp"

#include <sys/socket.h>

namespace kit::http {

TEST_F(ServerTest, KeepsConnectionsAlive)
{
    start();
    auto peer = client();
    for (int round = 0; round < 3; ++round) {
        ASSERT_TRUE(peer.send(test::get_with("")));
        const auto response = peer.receive();
        ASSERT_EQ(status_of(response), 200);
        EXPECT_EQ(response->body, "GET / ");
        EXPECT_FALSE(response->has("Connection: close"));
    }
    peer.send(test::get_with("Connection: close\r\n"));
    EXPECT_TRUE(peer.receive()->has("Connection: close"));
    EXPECT_TRUE(peer.ends());
    EXPECT_TRUE(eventually([&] { return server->connections() == 1 || server->connections() == 0; }));
}

TEST_F(ServerTest, ServesAfterLongIdleness)
{
    start();
    auto peer = client();
    for (int round = 0; round < 3; ++round) {
        std::this_thread::sleep_for(500ms);  // long enough to be parked, without a buffer
        ASSERT_TRUE(peer.send(test::get_with("")));
        ASSERT_EQ(status_of(peer.receive()), 200);
    }
}

TEST_F(ServerTest, JudgesEveryRawRequest)
{
    start();
    for (const auto& request : test::raw_requests()) {
        auto peer = client();
        ASSERT_TRUE(peer.send(request.bytes));
        peer.finish_sending();
        const auto response = peer.receive();
        EXPECT_EQ(status_of(response), request.status == 0 ? 200 : request.status) << request.name;
        if (request.status != 0) {
            EXPECT_TRUE(response && response->has("Connection: close")) << request.name;
        }
        EXPECT_TRUE(peer.ends()) << request.name;
    }
    EXPECT_EQ(application.requests, static_cast<int>(test::sound_requests().size()));
    EXPECT_THAT(faults(), testing::IsEmpty());
}

TEST_F(ServerTest, UnderstandsRequestsByteByByte)
{
    start();
    auto peer = client();
    for (const char byte :
         test::chunked_with("3;x\r\na=b\r\n0\r\n\r\n") + test::post_with("Content-Length: 3\r\n", "c=d")) {
        ASSERT_TRUE(peer.send(std::string_view(&byte, 1)));
    }
    EXPECT_EQ(peer.receive()->body, "POST / a=b");
    EXPECT_EQ(peer.receive()->body, "POST / c=d");
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder)
{
    start();
    auto peer = client();
    std::string requests;
    for (int index = 0; index < 100; ++index) {
        requests += index % 3 == 0
                        ? test::chunked_with("2\r\n" + std::to_string(10 + index % 90) + "\r\n0\r\n\r\n")
                        : test::line_only("GET /" + std::to_string(index) + " HTTP/1.1");
    }
    requests += test::post_with("Content-Length: 50000\r\nConnection: close\r\n", std::string(50000, 'x'));
    ASSERT_TRUE(peer.send(requests));
    for (int index = 0; index < 100; ++index) {
        const auto expected = index % 3 == 0 ? "POST / " + std::to_string(10 + index % 90)
                                             : "GET /" + std::to_string(index) + " ";
        EXPECT_EQ(peer.receive()->body, expected);
    }
    EXPECT_EQ(peer.receive()->body.size(), 50007U);
    EXPECT_TRUE(peer.ends());
}

TEST_F(ServerTest, APipelinedAnswerDoesNotWaitForASlowSuccessor)
{
    start();
    auto peer = client();
    peer.send(test::get_with("") + test::line_only("GET /held HTTP/1.1"));
    EXPECT_EQ(peer.receive()->body, "GET / ");
    application.release();
    EXPECT_EQ(peer.receive()->body, "GET /held ");
}

TEST_F(ServerTest, HeadHasNoBody)
{
    start();
    auto peer = client();
    peer.send(test::line_only("HEAD / HTTP/1.1"));
    EXPECT_TRUE(peer.receive(true)->has("Content-Length: 7"));
    peer.send(test::get_with(""));
    EXPECT_EQ(peer.receive()->body, "GET / ");
}

TEST_F(ServerTest, Http10EndsAfterOneRequestUnlessAsked)
{
    start();
    auto peer = client();
    peer.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_EQ(status_of(peer.receive()), 200);
    peer.send("GET / HTTP/1.0\r\n\r\n");
    EXPECT_EQ(status_of(peer.receive()), 200);
    EXPECT_TRUE(peer.ends());
}

TEST_F(ServerTest, SaysContinueOnlyIfItWillRead)
{
    start();
    auto peer = client();
    peer.send(test::post_with("Content-Length: 3\r\nExpect: 100-continue\r\n", ""));
    EXPECT_EQ(status_of(peer.receive()), 100);
    peer.send("a=b");
    EXPECT_EQ(peer.receive()->body, "POST / a=b");

    peer.send(test::post_with("Content-Length: 3\r\nExpect: 100-continue\r\n", "a=b"));
    EXPECT_EQ(status_of(peer.receive()), 200);

    peer.send(test::post_with("Content-Length: 100001\r\nExpect: 100-continue\r\n", ""));
    EXPECT_EQ(status_of(peer.receive()), 413);
    EXPECT_TRUE(peer.ends());
}

TEST_F(ServerTest, KeepsTheBodyLimit)
{
    start();
    const std::string at_limit(100'000, 'x');
    auto peer = client();
    peer.send(test::post_with("Content-Length: 100000\r\n", at_limit));
    EXPECT_EQ(peer.receive()->body.size(), 100'007U);
    peer.send(test::chunked_with("186A0\r\n" + at_limit + "\r\n0\r\n\r\n"));
    EXPECT_EQ(peer.receive()->body.size(), 100'007U);
    peer.send(test::chunked_with("186A1\r\n" + at_limit));
    EXPECT_EQ(status_of(peer.receive()), 413);
}

TEST_F(ServerTest, ARefusedClientCanReadItsAnswerWhileItStillSends)
{
    start({.linger_time_max = 300ms});
    auto peer = client();
    ASSERT_TRUE(peer.send(test::post_with("Content-Length: 50000000\r\nAccept: text/x\r\n", "")));
    const std::string piece(100'000, 'x');
    for (int round = 0; round < 20; ++round) {
        ASSERT_TRUE(peer.send(piece));
    }
    const auto response = peer.receive();
    EXPECT_EQ(status_of(response), 413);
    EXPECT_EQ(response->body, "text/x");  // the refusal can be negotiated
    EXPECT_TRUE(peer.ends());
    // Half-closed until the linger time is over, then gone.
    EXPECT_TRUE(eventually([&] { return server->connections() == 0; }));
    EXPECT_TRUE(eventually([&] { return !peer.send(piece); }));
}

TEST_F(ServerTest, ASlowHeaderSectionIs408)
{
    start({.header_time_max = 100ms});
    auto peer = client();
    peer.send("GET / HTTP/1.1\r\n");
    while (!peer.readable(20)) {
        peer.send("X-A: b\r\n");  // activity does not help
    }
    EXPECT_EQ(status_of(peer.receive()), 408);
    EXPECT_TRUE(peer.ends());
}

TEST_F(ServerTest, ASlowBodyIs408)
{
    start({.body_bytes_per_second_min = 100'000});
    auto counted = client();
    auto chunked = client();
    counted.send(test::post_with("Content-Length: 50000\r\n", ""));
    chunked.send(test::chunked_with("5000\r\n"));
    while (!counted.readable(20) || !chunked.readable(20)) {
        counted.send("x");
        chunked.send("x");
    }
    EXPECT_EQ(status_of(counted.receive()), 408);
    EXPECT_EQ(status_of(chunked.receive()), 408);
}

TEST_F(ServerTest, ASteadyBodyMayTakeLong)
{
    start({.body_bytes_per_second_min = 1000});
    auto peer = client();
    peer.send(test::post_with("Content-Length: 4000\r\n", ""));
    for (int round = 0; round < 8; ++round) {
        EXPECT_FALSE(peer.readable(200));
        peer.send(std::string(500, 'x'));
    }
    EXPECT_EQ(status_of(peer.receive()), 200);
}

TEST_F(ServerTest, IdleConnectionsEndSilently)
{
    start({.idle_time_max = 100ms});
    auto fresh = client();
    auto used = client();
    used.send(test::get_with(""));
    EXPECT_EQ(status_of(used.receive()), 200);
    EXPECT_TRUE(used.ends());
    EXPECT_TRUE(fresh.ends());
}

TEST_F(ServerTest, AClientThatDoesNotReadIsDropped)
{
    start({.write_time_max = 100ms});
    auto peer = client();
    peer.send(test::line_only("GET /large HTTP/1.1"));
    EXPECT_TRUE(eventually([&] { return application.requests == 1 && server->connections() == 0; }));
    EXPECT_FALSE(peer.receive().has_value());
}

TEST_F(ServerTest, LargeAnswersArriveWhole)
{
    start();
    auto peer = client();
    peer.send(test::line_only("GET /large HTTP/1.1") + test::get_with(""));
    EXPECT_EQ(peer.receive()->body.size(), 64UL * 1024 * 1024);
    EXPECT_EQ(peer.receive()->body, "GET / ");
}

TEST_F(ServerTest, AHandlerThatTakesTooLongIsCancelled)
{
    start({.request_time_max = 100ms});
    auto slow = client();
    auto silent = client();
    slow.send(test::line_only("GET /slow HTTP/1.1"));
    silent.send(test::line_only("GET /silent HTTP/1.1"));
    const auto own_answer = slow.receive();
    EXPECT_EQ(status_of(own_answer), 503);
    EXPECT_EQ(own_answer->body, "cancelled");
    EXPECT_EQ(status_of(silent.receive()), 503);  // the server's, since the handler had nothing to say
    EXPECT_TRUE(slow.ends());
    EXPECT_TRUE(silent.ends());
    EXPECT_EQ(application.cancelled, 2);
    EXPECT_THAT(faults(), testing::IsEmpty());
}

TEST_F(ServerTest, AClientThatGoesAwayCancelsItsRequest)
{
    start();
    {
        auto peer = client();
        peer.send(test::line_only("GET /slow HTTP/1.1"));
        EXPECT_TRUE(eventually([&] { return application.requests == 1; }));
        const linger reset{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(peer.socket(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    }
    EXPECT_TRUE(eventually([&] { return application.cancelled == 1 && server->connections() == 0; }));
}

TEST_F(ServerTest, AClientThatClosesCancelsARequestThatTakesLong)
{
    start();
    {
        auto peer = client();
        peer.send(test::line_only("GET /slow HTTP/1.1"));
        EXPECT_TRUE(eventually([&] { return application.requests == 1; }));
    }
    EXPECT_TRUE(eventually([&] { return application.cancelled == 1 && server->connections() == 0; }));
}

TEST_F(ServerTest, AHalfClosedClientGetsItsAnswer)
{
    start();
    auto peer = client();
    peer.send(test::line_only("GET /held HTTP/1.1"));
    peer.finish_sending();
    EXPECT_FALSE(peer.readable(500));
    application.release();
    EXPECT_EQ(peer.receive()->body, "GET /held ");
    EXPECT_TRUE(peer.ends());
}

TEST_F(ServerTest, AnExceptionEndsItsConnectionAndIsTold)
{
    start();
    auto peer = client();
    peer.send(test::get_with("") + test::line_only("GET /throw HTTP/1.1") + test::get_with(""));
    EXPECT_EQ(peer.receive()->body, "GET / ");
    EXPECT_TRUE(peer.ends());
    EXPECT_THAT(faults(), testing::ElementsAre("broken promise"));
    auto other = client();
    other.send(test::get_with(""));
    EXPECT_EQ(status_of(other.receive()), 200);
}

TEST_F(ServerTest, ConnectionsBeyondTheMostAreClosedAtOnce)
{
    start({.connections_max = 2});
    auto first = client();
    auto second = client();
    for (auto* peer : {&first, &second}) {
        peer->send(test::get_with(""));
        EXPECT_EQ(status_of(peer->receive()), 200);
    }
    auto third = client();
    EXPECT_FALSE(third.receive().has_value());
    first.send(test::get_with("Connection: close\r\n"));
    EXPECT_EQ(status_of(first.receive()), 200);
    first.finish_sending();
    EXPECT_TRUE(eventually([&] { return server->connections() == 1; }));
    auto fourth = client();
    fourth.send(test::get_with(""));
    EXPECT_EQ(status_of(fourth.receive()), 200);
}

TEST_F(ServerTest, NamesThePeer)
{
    start({}, "");
    auto peer = client();
    peer.send(test::line_only("GET /peer HTTP/1.1"));
    EXPECT_EQ(peer.receive()->body, "127.0.0.1");  // not ::ffff:127.0.0.1
}

}  // namespace kit::http
