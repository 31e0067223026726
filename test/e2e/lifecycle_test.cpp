// Start, readiness, stop and start again.
#include "support/account.hpp"
#include "support/json.hpp"
#include "support/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <netinet/in.h>
#include <regex>
#include <sys/socket.h>
#include <sys/stat.h>

using namespace kit::test;
using testing::HasSubstr;

namespace {

class Lifecycle : public testing::TestWithParam<Engine> {
protected:
    Installation installation{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(
    Engines, Lifecycle, testing::Values(Engine::sqlite, Engine::postgres), testing::PrintToStringParamName()
);

// The status of /health/ready on a connection of its own; 0 where there is no answer.
int readiness(const Server& server)
{
    try {
        return server.client().get("/health/ready").status;
    } catch (const std::exception&) {
        return 0;
    }
}

// A listener that is not ours and does not share its port.
class Listener {
public:
    Listener() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        if (!socket_) {
            throw std::runtime_error("no socket");
        }
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* generic = reinterpret_cast<sockaddr*>(&address);
        if (bind(socket_.get(), generic, size) != 0 || listen(socket_.get(), 1) != 0 ||
            getsockname(socket_.get(), generic, &size) != 0) {
            throw std::runtime_error("cannot listen");
        }
        port_ = ntohs(address.sin_port);
    }

    std::uint16_t port() const { return port_; }

private:
    Descriptor socket_;
    std::uint16_t port_ = 0;
};

void expect_port_refused(Installation& installation, std::uint16_t port)
{
    installation.set("HTTP_PORT", std::to_string(port));
    const auto refused = run(installation.command({"api"}));
    EXPECT_EQ(refused.exit_code, 1);
    // The contract's words, Go's: the host may stand before the port.
    const std::regex message("listen tcp [^ ]*:" + std::to_string(port) + ": bind: address already in use");
    const auto said = refused.output + refused.errors;
    EXPECT_TRUE(std::regex_search(said, message)) << said;
}

TEST_P(Lifecycle, StartsServesAndStops)
{
    auto server = installation.start();
    auto client = server.client();

    const auto live = client.get("/health/live");
    EXPECT_EQ(live.status, 200);
    EXPECT_EQ(text_at(parse_json(live.body), "/data/status"), "ok");

    const auto ready = client.get("/health/ready");
    EXPECT_EQ(ready.status, 200) << ready.body;
    const auto body = parse_json(ready.body);
    EXPECT_EQ(text_at(body, "/data/status"), "ready");
    EXPECT_EQ(text_at(body, "/data/checks/0/name"), "db");
    EXPECT_TRUE(at(body, "/data/checks/0/healthy").as_bool());

    EXPECT_EQ(server.stop(), 0) << server.process().errors();
}

TEST_P(Lifecycle, StaysLoggedInOverARestart)
{
    HttpClient::Jar jar;
    {
        auto server = installation.start();
        auto client = server.client();
        ASSERT_EQ(sign_up(client, "ada@example.com").status, 201);
        jar = client.jar();
        ASSERT_EQ(server.stop(), 0);
    }
    auto server = installation.start();
    auto client = server.client();
    client.set_jar(jar);
    const auto me = client.get("/api/v1/me");
    EXPECT_EQ(me.status, 200) << me.body;
    EXPECT_EQ(text_at(parse_json(me.body), "/data/email"), "ada@example.com");
    const auto refreshed = refresh(client);
    EXPECT_EQ(refreshed.status, 200) << refreshed.body;
    EXPECT_EQ(log_in(client, "ada@example.com").status, 200);
}

TEST_P(Lifecycle, AKilledServerStartsAgain)
{
    HttpClient::Jar jar;
    {
        auto server = installation.start();
        auto client = server.client();
        ASSERT_EQ(sign_up(client, "ada@example.com").status, 201);
        jar = client.jar();
        server.process().signal(SIGKILL);
        ASSERT_EQ(server.process().wait(), 128 + SIGKILL);
    }
    auto server = installation.start();
    auto client = server.client();
    client.set_jar(jar);
    EXPECT_EQ(client.get("/api/v1/me").status, 200);
}

TEST(LifecycleEmbedded, MakesItsSecretsOnceForItselfOnly)
{
    const Installation installation(Engine::sqlite);
    const auto secrets = installation.data_dir() / "secrets.env";
    installation.start();
    struct stat before{};
    ASSERT_EQ(stat(secrets.c_str(), &before), 0);
    EXPECT_EQ(before.st_mode & 0777, 0600U);
    EXPECT_GT(before.st_size, 0);

    installation.start();
    struct stat after{};
    ASSERT_EQ(stat(secrets.c_str(), &after), 0);
    EXPECT_EQ(after.st_ino, before.st_ino);
    EXPECT_EQ(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
}

TEST(LifecycleEmbedded, BannerNamesTheDataAndACommandThatWorks)
{
    const Installation installation(Engine::sqlite);
    auto server = installation.start();
    const auto line = server.process().wait_for_line("curl ");
    ASSERT_TRUE(line) << server.process().output() << server.process().errors();
    const auto said = server.process().output() + server.process().errors();
    EXPECT_THAT(said, HasSubstr("http://localhost:" + std::to_string(server.endpoint().port)));
    EXPECT_THAT(said, HasSubstr(installation.data_dir().filename().string()));

    const auto command = line->substr(line->find("curl "));
    // In a folder of its own: it may leave its cookies there.
    const auto result = run(
        {.command = {"/bin/sh", "-c", command},
         .environment = {},
         .working_directory = installation.data_dir()}
    );
    EXPECT_EQ(result.exit_code, 0) << command << '\n' << result.errors;
    EXPECT_THAT(result.output, HasSubstr(R"("success":true)")) << command;
}

TEST(LifecycleEmbedded, RefusesAPortThatAnotherServerOfOursHas)
{
    const Installation first(Engine::sqlite);
    auto server = first.start();
    Installation second(Engine::sqlite);
    expect_port_refused(second, server.endpoint().port);
    EXPECT_EQ(server.client().get("/health/live").status, 200);
}

TEST(LifecycleEmbedded, RefusesAPortThatAStrangerHas)
{
    const Listener stranger;
    Installation installation(Engine::sqlite);
    expect_port_refused(installation, stranger.port());
}

TEST(LifecycleEmbedded, PortIsFreeForTheNextServerAtOnce)
{
    Installation installation(Engine::sqlite);
    std::uint16_t port = 0;
    {
        auto server = installation.start();
        port = server.endpoint().port;
        ASSERT_EQ(server.client().get("/health/live").status, 200);
        ASSERT_EQ(server.stop(), 0);
    }
    installation.set("HTTP_PORT", std::to_string(port));
    auto server = installation.start();
    EXPECT_EQ(server.endpoint().port, port);
}

TEST(LifecycleEmbedded, NamesEveryFaultOfTheSettingsAndExits1)
{
    const Installation installation(
        Engine::sqlite, {{"SHUTDOWN_TIMEOUT", "-1s"}, {"OTEL_LOG_LEVEL", "loud"}}
    );
    const auto refused = run(installation.command({"api"}));
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_THAT(refused.errors, HasSubstr("SHUTDOWN_TIMEOUT must be > 0"));
    EXPECT_THAT(refused.errors, HasSubstr("OTEL_LOG_LEVEL must be one of debug, info, warn, error"));
}

TEST(LifecycleEmbedded, NotReadyDuringTheStartGrace)
{
    const Installation installation(Engine::sqlite, {{"SERVER_START_GRACE_PERIOD", "1h"}});
    auto server = installation.start();
    const auto ready = server.client().get("/health/ready");
    EXPECT_EQ(ready.status, 503);
    const auto body = parse_json(ready.body);
    EXPECT_EQ(text_at(body, "/error/code"), "DEPENDENCY_UNREADY");
    EXPECT_EQ(text_at(body, "/error/details/checks/0/name"), "startup_grace");
    EXPECT_EQ(text_at(body, "/error/details/checks/0/error"), "startup grace period active");
}

TEST(Shutdown, ReadinessFallsAtOnceWhileTheServerServesOn)
{
    const Installation installation(Engine::sqlite, {{"SHUTDOWN_PRESTOP_DELAY", "3s"}});
    auto server = installation.start();
    ASSERT_EQ(readiness(server), 200);

    const auto signalled = std::chrono::steady_clock::now();
    server.process().signal(SIGTERM);
    // A second is far within the delay, and ample for a signal to arrive at a sanitized binary.
    EXPECT_TRUE(eventually([&] { return readiness(server) == 503; }, std::chrono::seconds(1)));
    // Each worker hears of the stop by itself, and from then on closes what it has answered.
    EXPECT_TRUE(eventually([&] {
        const auto live = server.client().get("/health/live");
        return live.status == 200 && live.closes();
    }));
    auto client = server.client();
    const auto refused = sign_up(client, "ada@example.com");
    EXPECT_EQ(refused.status, 201) << refused.body;

    EXPECT_EQ(server.process().wait(), 0);
    EXPECT_GE(std::chrono::steady_clock::now() - signalled, std::chrono::seconds(3));
}

TEST(Shutdown, WithoutDelayAnIdleServerIsGoneQuickly)
{
    const Installation installation(Engine::sqlite);
    auto server = installation.start();
    auto idle = server.client();
    ASSERT_EQ(idle.get("/health/live").status, 200);
    server.process().signal(SIGTERM);
    EXPECT_EQ(server.process().wait(std::chrono::seconds(5)), 0);
}

TEST(Shutdown, SigintStopsToo)
{
    const Installation installation(Engine::sqlite);
    auto server = installation.start();
    server.process().signal(SIGINT);
    EXPECT_EQ(server.process().wait(), 0);
}

TEST(Shutdown, ASecondSignalExitsAtOnce)
{
    const Installation installation(
        Engine::sqlite, {{"SHUTDOWN_PRESTOP_DELAY", "60s"}, {"SHUTDOWN_TIMEOUT", "90s"}}
    );
    auto server = installation.start();
    server.process().signal(SIGTERM);
    ASSERT_TRUE(eventually([&] { return readiness(server) == 503; }));
    server.process().signal(SIGTERM);
    EXPECT_TRUE(server.process().wait(std::chrono::seconds(3)));
}

}  // namespace
