// Responses that go on: piece by piece, to a client that reads, is slow or gone, of a server that closes.
#include "unit/http/server_fixture.hpp"

namespace kit::http {

namespace {

constexpr std::string_view stream_request = "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n";

class StreamTest : public ServerTest {
protected:
    WireClient open()
    {
        auto browser = client();
        browser.send(stream_request);
        EXPECT_EQ(status_of(browser.receive()), 200);
        EXPECT_TRUE(eventually([this] { return application.feed.open == 1; }));
        return browser;
    }

    bool is_over()
    {
        return eventually([this] { return application.feed.open == 0 && server->connections() == 0; });
    }
};

std::string receive(WireClient& client, std::size_t size)
{
    std::string text(size, '\0');
    const auto got = ::recv(client.socket(), text.data(), size, MSG_WAITALL);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
}

TEST_F(StreamTest, PiecesComeAsTheyArise)
{
    start();
    auto browser = open();
    application.feed.put("one");
    EXPECT_EQ(receive(browser, 3), "one");
    application.feed.put("two");
    EXPECT_EQ(receive(browser, 3), "two");
    application.feed.put("");
    EXPECT_TRUE(browser.ends());
    EXPECT_TRUE(is_over());
}

TEST_F(StreamTest, NoTimeLimitOfARequestOrAnIdleConnectionEndsIt)
{
    start({.idle_time_max = 200ms, .request_time_max = 200ms});
    auto browser = open();
    EXPECT_FALSE(browser.readable(1'000));
    application.feed.put("late");
    EXPECT_EQ(receive(browser, 4), "late");
}

TEST_F(StreamTest, AClientThatLeavesEndsIt)
{
    start();
    {
        const auto browser = open();
    }
    EXPECT_TRUE(is_over());
    EXPECT_TRUE(faults().empty());
}

TEST_F(StreamTest, ASlowReaderHoldsOnePieceAndIsCutOff)
{
    start({.write_time_max = 300ms});
    const auto browser = open();
    for (int piece = 0; piece < 4; ++piece) {
        application.feed.put(std::string(64UL * 1024 * 1024, 'x'));
    }
    EXPECT_TRUE(is_over());
    EXPECT_EQ(application.feed.taken, 1);
}

TEST_F(StreamTest, AServerThatClosesEndsItAtOnce)
{
    start();
    auto browser = open();
    const auto before = std::chrono::steady_clock::now();
    EXPECT_EQ(server->drain(clock.steady_now() + 30s), 0) << "nothing was cut short";
    EXPECT_LT(std::chrono::steady_clock::now() - before, 10s);
    EXPECT_TRUE(browser.ends());
    EXPECT_TRUE(is_over());
}

TEST_F(StreamTest, AFaultEndsItAndIsReported)
{
    start();
    auto browser = open();
    application.feed.put("fault");
    EXPECT_TRUE(browser.ends());
    EXPECT_TRUE(is_over());
    EXPECT_EQ(faults(), std::vector<std::string>{"stream fault"});
}

TEST_F(StreamTest, ManyAtOnce)
{
    start();
    std::vector<WireClient> browsers;
    for (int number = 0; number < 200; ++number) {
        browsers.push_back(client());
        browsers.back().send(stream_request);
        ASSERT_EQ(status_of(browsers.back().receive()), 200);
    }
    EXPECT_TRUE(eventually([this] { return application.feed.open == 200; }));
    browsers.clear();
    EXPECT_TRUE(is_over());
}

}  // namespace

}  // namespace kit::http
