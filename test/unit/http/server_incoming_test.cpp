// Bodies that a handler reads while they arrive.
#include "unit/http/server_fixture.hpp"

namespace kit::http {

namespace {

constexpr std::string_view after = "GET /after HTTP/1.1\r\nHost: a\r\n\r\n";

std::string counted(std::string_view path, std::string_view body, std::string_view headers = "")
{
    return "POST " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" + std::string(headers) +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

class IncomingTest : public ServerTest {
protected:
    // The body arrives whole, and the connection goes on with what was sent behind it.
    void expect_arrival(std::string_view wire, std::string_view body)
    {
        for (const std::size_t step : {wire.size(), 1UL}) {
            if (step == 1 && wire.size() > 2'000) {
                continue;
            }
            auto browser = client();
            for (std::size_t at = 0; at < wire.size(); at += step) {
                ASSERT_TRUE(browser.send(wire.substr(at, step)));
            }
            browser.send(after);
            const auto answer = browser.receive();
            ASSERT_EQ(status_of(answer), 200);
            EXPECT_EQ(answer->body, body);
            EXPECT_EQ(status_of(browser.receive()), 200) << "on the same connection";
        }
    }
};

TEST_F(IncomingTest, CountedBodiesArrivePieceByPiece)
{
    start();
    expect_arrival(counted("/incoming", "hello"), "hello of 5");
    const std::string large(3'000'000, 'x');
    expect_arrival(counted("/incoming", large), large + " of 3000000");
    EXPECT_LT(application.largest_piece, 64UL * 1024) << "never more than the connection's buffer";
}

TEST_F(IncomingTest, ChunkedBodiesToo)
{
    start();
    const std::string head = "POST /incoming HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    expect_arrival(
        head + "3\r\nfoo\r\n1;x=y\r\n-\r\n3\r\nbar\r\n0\r\nTrailer: t\r\n\r\n", "foo-bar of chunks"
    );
    const std::string chunk(200'000, 'y');
    expect_arrival(head + "30d40\r\n" + chunk + "\r\n0\r\n\r\n", chunk + " of chunks");
    auto browser = client();
    browser.send(head + "3\r\nfoo\r\nnonsense\r\n");
    const auto answer = browser.receive();
    EXPECT_EQ(status_of(answer), 400);
    EXPECT_TRUE(browser.ends());
}

TEST_F(IncomingTest, WhatIsNotWantedIsNotWaitedFor)
{
    start();
    auto browser = client();
    browser.send("POST /unwanted HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\nfirst bytes");
    const auto answer = browser.receive();
    EXPECT_EQ(status_of(answer), 200);
    EXPECT_TRUE(answer->has("Connection: close"));
    EXPECT_TRUE(browser.ends());
}

TEST_F(IncomingTest, AClientThatWaitsIsToldToGoOnOnlyIfItsBodyIsWanted)
{
    start();
    const std::string expecting = "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    auto browser = client();
    browser.send("POST /incoming HTTP/1.1\r\nHost: a\r\n" + expecting);
    EXPECT_EQ(status_of(browser.receive()), 100);
    browser.send("ok");
    EXPECT_EQ(browser.receive().value().body, "ok of 2");
    browser.send("POST /unwanted HTTP/1.1\r\nHost: a\r\n" + expecting);
    EXPECT_EQ(status_of(browser.receive()), 200) << "and no 100 before";
}

TEST_F(IncomingTest, SlowAndLostClients)
{
    start({.body_bytes_per_second_min = 1'000'000});
    auto slow = client();
    slow.send("POST /incoming HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx");
    EXPECT_EQ(status_of(slow.receive()), 408);
    EXPECT_TRUE(slow.ends());
    auto lost = client();
    lost.send("POST /incoming HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx");
    lost.finish_sending();
    EXPECT_EQ(status_of(lost.receive()), 400);
    EXPECT_TRUE(eventually([this] { return server->connections() == 0; }));
    EXPECT_TRUE(faults().empty());
}

TEST_F(IncomingTest, ADrainCutsOffWhatDoesNotArrive)
{
    start({.body_bytes_per_second_min = 1});
    auto browser = client();
    browser.send(
        "POST /incoming HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + std::string(500, 'x')
    );
    EXPECT_TRUE(eventually([this] { return application.largest_piece > 0; }));
    EXPECT_EQ(server->drain(clock.steady_now() + 50ms), 1);
    EXPECT_TRUE(eventually([this] { return server->connections() == 0; }));
    EXPECT_TRUE(faults().empty());
}

}  // namespace

}  // namespace kit::http
