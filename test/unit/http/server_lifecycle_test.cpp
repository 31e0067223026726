// Listening sockets, shortage, and the server's end.
#include "unit/http/server_fixture.hpp"

#include <ctime>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <set>
#include <sys/resource.h>
#include <sys/socket.h>

namespace kit::http {

namespace {

// A foreign program's listening socket on a free loopback port.
class ForeignListener {
public:
    ForeignListener()
    {
        const int on = 1;
        ::setsockopt(socket_, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
        EXPECT_EQ(::listen(socket_, 1), 0);
        socklen_t size = sizeof(address);
        ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
        port = ntohs(address.sin_port);
    }

    ForeignListener(const ForeignListener&) = delete;
    ForeignListener& operator=(const ForeignListener&) = delete;

    ~ForeignListener() { ::close(socket_); }

    std::uint16_t port = 0;

private:
    int socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

std::uint16_t port_of(int socket, decltype(&::getsockname) which)
{
    sockaddr_in address{};
    socklen_t size = sizeof(address);
    return which(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0 && address.sin_family == AF_INET
               ? ntohs(address.sin_port)
               : 0;
}

// The server's end of a client's connection, which lives in the same process.
int server_side_of(const WireClient& client)
{
    const auto port = port_of(client.socket(), &::getsockname);
    for (int socket = 0; socket < 1000; ++socket) {
        if (socket != client.socket() && port_of(socket, &::getpeername) == port) {
            return socket;
        }
    }
    return -1;
}

std::chrono::nanoseconds cpu_time()
{
    timespec used{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace

TEST_F(ServerTest, APortIsTakenOnce)
{
    start();
    Workers others(2);
    const auto message =
        "listen tcp 127.0.0.1:" + std::to_string(server->port()) + ": bind: address already in use";
    EXPECT_THAT(
        [&] { Server({.address = "127.0.0.1", .port = server->port()}, others, clock, application); },
        testing::ThrowsMessage<Unavailable>(message)
    );
    const auto anywhere = "listen tcp :" + std::to_string(server->port()) + ": bind: address already in use";
    EXPECT_THAT(
        [&] { Server({.address = "", .port = server->port()}, others, clock, application); },
        testing::ThrowsMessage<Unavailable>(anywhere)
    );
}

TEST_F(ServerTest, DoesNotJoinAForeignListenerThatWouldShare)
{
    const ForeignListener foreign;
    const auto message =
        "listen tcp 127.0.0.1:" + std::to_string(foreign.port) + ": bind: address already in use";
    EXPECT_THAT(
        [&] { Server({.address = "127.0.0.1", .port = foreign.port}, workers, clock, application); },
        testing::ThrowsMessage<Unavailable>(message)
    );
}

TEST_F(ServerTest, OfManyThatStartTogetherOneGetsThePort)
{
    for (int round = 0; round < 20; ++round) {
        std::uint16_t port = 0;
        {
            const ForeignListener probe;
            port = probe.port;
        }
        std::atomic<int> won = 0;
        std::atomic<int> arrived = 0;
        std::atomic<int> refused = 0;
        std::atomic<int> tried = 0;
        std::vector<std::thread> rivals;
        rivals.reserve(4);
        for (int rival = 0; rival < 4; ++rival) {
            rivals.emplace_back([&] {
                Workers own(2);
                std::unique_ptr<Server> mine;
                ++arrived;
                while (arrived < 4) {
                }
                try {
                    mine = std::make_unique<Server>(
                        ServerOptions{.address = "127.0.0.1", .port = port}, own, clock, application
                    );
                    ++won;
                } catch (const Unavailable&) {
                    ++refused;
                }
                ++tried;
                while (tried < 4) {
                    std::this_thread::yield();
                }
            });
        }
        for (auto& rival : rivals) {
            rival.join();
        }
        EXPECT_EQ(won + refused, 4);
        EXPECT_LE(won, 1);  // none, if all claim in the same instant
    }
}

TEST_F(ServerTest, TellsWhyItCannotListen)
{
    EXPECT_THAT(
        [&] { Server({.address = "not-an-address", .port = 1}, workers, clock, application); },
        testing::ThrowsMessage<Unavailable>("listen tcp not-an-address:1: not an IP address")
    );
    EXPECT_THAT(
        [&] { Server({.address = "192.0.2.1", .port = 0}, workers, clock, application); },
        testing::ThrowsMessage<Unavailable>("listen tcp 192.0.2.1:0: bind: cannot assign requested address")
    );
}

TEST_F(ServerTest, BothWorkersServeAndAnswersAreNotDelayed)
{
    start();
    std::vector<WireClient> clients;
    for (int index = 0; index < 32; ++index) {
        auto& peer = clients.emplace_back(server->port());
        peer.send(test::line_only("GET /worker HTTP/1.1"));
    }
    std::set<std::string> seen;
    for (auto& peer : clients) {
        seen.insert(peer.receive()->body);
    }
    EXPECT_THAT(seen, testing::UnorderedElementsAre("0", "1"));
    int on = 0;
    socklen_t size = sizeof(on);
    ::getsockopt(server_side_of(clients.front()), IPPROTO_TCP, TCP_NODELAY, &on, &size);
    EXPECT_EQ(on, 1);
}

TEST_F(ServerTest, WithoutDescriptorsAcceptWaitsWithoutSpinning)
{
    start();
    std::vector<WireClient> waiting(4);
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const auto usual = limit.rlim_cur;
    const int highest = ::dup(waiting.back().socket());
    limit.rlim_cur = static_cast<rlim_t>(highest) + 1;  // every number below is in use
    ::setrlimit(RLIMIT_NOFILE, &limit);

    for (auto& peer : waiting) {
        ASSERT_TRUE(peer.connect(server->port()));
        peer.send(test::get_with(""));
    }
    const auto before = cpu_time();
    EXPECT_FALSE(waiting.front().readable(500));
    EXPECT_LT(cpu_time() - before, 100ms);

    limit.rlim_cur = usual;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    for (auto& peer : waiting) {
        EXPECT_EQ(status_of(peer.receive()), 200);
    }
    ::close(highest);
}

TEST_F(ServerTest, AfterTheAnnouncementEveryAnswerIsTheLast)
{
    start();
    auto busy = client();
    busy.send(test::line_only("GET /held HTTP/1.1"));
    auto idle = client();
    idle.send(test::get_with(""));
    EXPECT_EQ(status_of(idle.receive()), 200);
    EXPECT_TRUE(eventually([&] { return application.requests == 2; }));

    server->announce_close();
    EXPECT_TRUE(idle.ends());
    auto fresh = client();
    fresh.send(test::get_with(""));
    const auto answer = fresh.receive();
    ASSERT_EQ(status_of(answer), 200);
    EXPECT_TRUE(answer->has("Connection: close"));
    EXPECT_TRUE(fresh.ends());
    application.release();
    EXPECT_EQ(status_of(busy.receive()), 200);
}

TEST_F(ServerTest, TheDrainLetsRequestsFinish)
{
    start();
    auto busy = client();
    busy.send(test::line_only("GET /held HTTP/1.1"));
    EXPECT_TRUE(eventually([&] { return application.requests == 1; }));
    std::thread releaser([&] {
        // Once nobody listens any more.
        EXPECT_TRUE(eventually([&] { return !WireClient().connect(server->port()); }));
        application.release();
    });
    EXPECT_EQ(server->drain(clock.steady_now() + 20s), 0U);
    EXPECT_EQ(busy.receive()->body, "GET /held ");
    EXPECT_EQ(server->connections(), 0U);
    releaser.join();
}

TEST_F(ServerTest, TheDrainCancelsWhatIsLeftAtItsDeadline)
{
    start();
    auto slow = client();
    slow.send(test::line_only("GET /slow HTTP/1.1"));
    auto partial = client();
    partial.send("GET / HT");
    auto idle = client();
    EXPECT_TRUE(eventually([&] { return application.requests == 1 && server->connections() == 3; }));
    const auto begin = clock.steady_now();
    EXPECT_EQ(server->drain(begin + 300ms), 2U);
    EXPECT_LT(clock.steady_now() - begin, 1500ms);
    EXPECT_EQ(status_of(slow.receive()), 503);
    EXPECT_TRUE(idle.ends());
    EXPECT_EQ(server->connections(), 0U);
}

TEST_F(ServerTest, TheDrainOfAnIdleServerIsQuick)
{
    start();
    const auto begin = clock.steady_now();
    EXPECT_EQ(server->drain(begin + 10s), 0U);
    EXPECT_LT(clock.steady_now() - begin, 200ms);
}

// Clients that send one request after another, over kept and over fresh connections, until nobody listens:
// each request that was sent is answered.
TEST_F(ServerTest, UnderLoadNoRequestIsLostByTheEnd)
{
    start();
    std::atomic<int> answered = 0;
    std::atomic<int> lost = 0;
    std::vector<std::thread> load;
    load.reserve(8);
    for (int index = 0; index < 8; ++index) {
        load.emplace_back([this, &answered, &lost, reuse = index % 2 == 0] {
            while (true) {
                WireClient peer;
                if (!peer.connect(server->port())) {
                    return;
                }
                bool last = false;
                while (!last) {
                    const auto response = peer.send(test::get_with("")) ? peer.receive() : std::nullopt;
                    (status_of(response) == 200 ? answered : lost)++;
                    last = !reuse || !response || response->has("Connection: close");
                }
            }
        });
    }
    EXPECT_TRUE(eventually([&] { return answered > 500; }));
    server->announce_close();
    const auto before = answered.load();
    EXPECT_TRUE(eventually([&] { return answered > before + 200; }));
    server->drain(clock.steady_now() + 20s);
    for (auto& thread : load) {
        thread.join();
    }
    EXPECT_EQ(lost, 0);
}

}  // namespace kit::http
