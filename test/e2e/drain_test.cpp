// SIGTERM under load loses no request.
#include "support/account.hpp"
#include "support/raw_client.hpp"
#include "support/server.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <thread>

using namespace kit::test;

namespace {

constexpr int runs = 20;
constexpr int keep_alive_clients = 6;
constexpr int fresh_clients = 3;
constexpr int warm_up_requests = 5;  // of each client before the signal

// What all clients of one run share.
struct Load {
    Endpoint endpoint;
    std::string request;
    std::atomic<bool> unready{false};  // what a balancer knows: no new connection from now on
    std::atomic<int> warm{0};          // clients that have had their first answers
    std::atomic<int> answered{0};
    std::atomic<int> lost{0};
};

enum class Outcome : std::uint8_t { answered, closing, silent, lost };

// Sends the request and reads its answer. `silent`: the connection ended and not a byte was said.
Outcome exchange(RawClient& connection, Load& load)
{
    connection.send(load.request);
    const auto answer = connection.read_response();
    if (answer.response && answer.response->status == 200) {
        ++load.answered;
        return answer.response->closes() ? Outcome::closing : Outcome::answered;
    }
    const bool said_nothing =
        !answer.response && connection.received().empty() && answer.ended != Ended::timed_out;
    return said_nothing ? Outcome::silent : Outcome::lost;
}

// A new connection; nothing where nobody listens any more.
std::optional<RawClient> connect(const Load& load)
{
    try {
        return RawClient(load.endpoint);
    } catch (const std::system_error&) {
        return std::nullopt;
    }
}

// Connects for every request, as long as the server calls itself ready. An accepted connection that is not
// answered is a loss.
void ask_on_fresh_connections(Load& load)
{
    for (int count = 1; !load.unready; ++count) {
        auto connection = connect(load);
        if (!connection) {
            return;
        }
        const auto outcome = exchange(*connection, load);
        load.lost += outcome == Outcome::silent || outcome == Outcome::lost ? 1 : 0;
        load.warm += count == warm_up_requests ? 1 : 0;
    }
}

// Reuses its connection until told that it closes. One that ends between two requests without a word is the
// race that RFC 9112 section 9.5 allows: the request is repeated, once, on a new connection, and then it must
// be answered.
void ask_on_one_connection(Load& load)
{
    auto connection = connect(load);
    bool fresh = true;
    for (int count = 1; connection; ++count) {
        const auto outcome = exchange(*connection, load);
        load.warm += count == warm_up_requests ? 1 : 0;
        if (outcome == Outcome::lost || (outcome == Outcome::silent && fresh)) {
            ++load.lost;
            return;
        }
        fresh = outcome != Outcome::answered;
        if (outcome == Outcome::closing && load.unready) {
            return;
        }
        if (fresh) {
            connection = connect(load);
            load.lost += outcome == Outcome::silent && !connection ? 1 : 0;
        }
    }
}

// The status of /health/ready; 0 where there is no answer.
int readiness(HttpClient& client)
{
    try {
        return client.get("/health/ready").status;
    } catch (const std::exception&) {
        return 0;
    }
}

// The balancer's probe: anything but 200 takes the server out.
void probe_readiness(Load& load)
{
    HttpClient client(load.endpoint);
    int status = 200;
    while (status == 200) {
        status = readiness(client);
    }
    load.unready = true;
}

TEST(Drain, SigtermUnderLoadLosesNoRequest)
{
    const Installation installation(Engine::sqlite, {{"SHUTDOWN_PRESTOP_DELAY", "300ms"}});
    HttpClient::Jar jar;
    {
        auto server = installation.start();
        auto client = server.client();
        ASSERT_EQ(sign_up(client, "ada@example.com").status, 201);
        jar = client.jar();
    }
    const HttpRequest me{
        .target = "/api/v1/me", .headers = {{"Cookie", "access_token=" + jar.at("access_token").value}}
    };
    int answered = 0;
    for (int run = 0; run < runs; ++run) {
        auto server = installation.start();
        Load load{.endpoint = server.endpoint(), .request = to_wire(me)};
        std::vector<std::jthread> clients;
        clients.emplace_back(probe_readiness, std::ref(load));
        for (int i = 0; i < keep_alive_clients; ++i) {
            clients.emplace_back(ask_on_one_connection, std::ref(load));
        }
        for (int i = 0; i < fresh_clients; ++i) {
            clients.emplace_back(ask_on_fresh_connections, std::ref(load));
        }
        EXPECT_TRUE(eventually([&load] { return load.warm == keep_alive_clients + fresh_clients; }));
        server.process().signal(SIGTERM);
        clients.clear();
        EXPECT_EQ(server.process().wait(), 0) << server.process().errors();
        ASSERT_EQ(load.lost, 0) << "run " << run;
        answered += load.answered;
    }
    RecordProperty("answered", answered);
}

TEST(Drain, ARequestThatHasBegunIsFinished)
{
    const Installation installation(Engine::sqlite);
    auto server = installation.start();
    auto client = server.client();
    ASSERT_EQ(sign_up(client, "ada@example.com").status, 201);

    RawClient idle(server.endpoint());
    ASSERT_TRUE(idle.send(to_wire({.target = "/health/live"})));
    ASSERT_EQ(idle.read_response().response.value().status, 200);
    RawClient connection(server.endpoint());
    const std::string body =
        R"({"email":"ada@example.com","password":")" + std::string(good_password) + "\"}";
    auto request = to_wire(
        {.method = "POST",
         .target = "/api/v1/auth/local/login",
         .headers = {{"Expect", "100-continue"}},
         .body = body}
    );
    ASSERT_TRUE(connection.send(std::string_view(request).substr(0, request.size() - body.size())));
    // The server has the head: the request has begun.
    ASSERT_EQ(connection.read_response().response.value().status, 100);
    server.process().signal(SIGTERM);
    ASSERT_EQ(idle.read_to_end(), Ended::closed) << "the drain begins with those who wait for nothing";
    ASSERT_TRUE(connection.send(body));
    const auto answer = connection.read_response();
    ASSERT_EQ(answer.ended, Ended::got_it);
    EXPECT_EQ(answer.response->status, 200) << answer.response->body;
    EXPECT_TRUE(answer.response->closes());
    EXPECT_EQ(server.process().wait(), 0);
}

}  // namespace
