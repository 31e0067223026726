// Memory, start and behaviour at the edge of what the system gives.
#include "chaos/release.hpp"
#include "support/raw_client.hpp"
#include "support/server.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <sys/resource.h>
#include <thread>

using namespace kit::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;
constexpr std::string_view live = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";

Installation fresh(Environment settings = {})
{
    return Installation(Engine::sqlite, std::move(settings), release_binary());
}

// From nothing to the first 200 of /health/ready, with an empty data folder.
std::chrono::milliseconds time_to_ready()
{
    const auto installation = fresh();
    const auto began = std::chrono::steady_clock::now();
    auto server = installation.start();
    auto client = server.client();
    while (client.get("/health/ready").status != 200) {
        if (std::chrono::steady_clock::now() - began > generous) {
            throw std::runtime_error("never ready");
        }
    }
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
}

// The most descriptors that this process, and so the server, may have.
std::size_t raise_files_limit()
{
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

TEST(Budgets, ReadyWithin100MillisecondsFromAnEmptyFolder)
{
    std::array<std::chrono::milliseconds, 7> times{};
    std::ranges::generate(times, time_to_ready);
    std::ranges::sort(times);
    const auto median = times[times.size() / 2];
    RecordProperty("ready_ms", static_cast<int>(median.count()));
    EXPECT_LE(median, 100ms);
}

TEST(Budgets, IdleMemoryOf12MB)
{
    const auto installation = fresh();
    auto server = installation.start();
    ASSERT_EQ(server.client().get("/health/ready").status, 200);
    const auto resident = server.process().resident_bytes();
    RecordProperty("idle_kib", static_cast<int>(resident / kib));
    EXPECT_LE(resident, 12 * mib);
}

TEST(Budgets, IdleExitWithin200Milliseconds)
{
    std::array<std::chrono::milliseconds, 7> times{};
    for (auto& time : times) {
        const auto installation = fresh();
        auto server = installation.start();
        ASSERT_EQ(server.client().get("/health/ready").status, 200);
        const auto began = std::chrono::steady_clock::now();
        ASSERT_EQ(server.stop(), 0);
        time = std::chrono::ceil<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
    }
    std::ranges::sort(times);
    const auto median = times[times.size() / 2];
    RecordProperty("exit_ms", static_cast<int>(median.count()));
    EXPECT_LE(median, 200ms);
}

TEST(Budgets, AnIdleServerUsesNoProcessorTime)
{
    const auto installation = fresh();
    auto server = installation.start();
    ASSERT_EQ(server.client().get("/health/ready").status, 200);
    const auto before = server.process().cpu_time();
    // Measured over a span of time: there is no event to wait for.
    std::this_thread::sleep_for(2s);
    EXPECT_LE(server.process().cpu_time() - before, 20ms);
}

TEST(Budgets, TenThousandIdleConnectionsOf6KBEach)
{
    constexpr std::size_t connections = 10'000;
    const auto files = raise_files_limit();
    if (files < connections + 200) {
        GTEST_SKIP() << "needs " << connections + 200 << " open files, the hard limit is " << files;
    }
    const auto installation = fresh({{"HTTP_IDLE_TIMEOUT", "10m"}, {"HTTP_CONNECTIONS_MAX", "20000"}});
    auto options = installation.command({"api"});
    options.files_max = files;
    Server server(options);
    for (int i = 0; i < 100; ++i) {
        ASSERT_EQ(server.client().get("/health/live").status, 200);
    }
    const auto before = server.process().resident_bytes();

    std::vector<RawClient> clients;
    clients.reserve(connections);
    for (std::size_t i = 0; i < connections; ++i) {
        auto& client = clients.emplace_back(server.endpoint());
        ASSERT_TRUE(client.send(live));
        ASSERT_EQ(client.read_response().response.value().status, 200);
    }
    const auto each = (server.process().resident_bytes() - before) / connections;
    RecordProperty("bytes_per_connection", static_cast<int>(each));
    EXPECT_LE(each, 6 * kib);

    // Every one of them still works.
    for (std::size_t i = 0; i < connections; i += 97) {
        ASSERT_TRUE(clients[i].send(live));
        ASSERT_EQ(clients[i].read_response().response.value().status, 200);
    }
}

TEST(Shortage, WithoutDescriptorsTheServerWaitsAndRecovers)
{
    constexpr std::size_t files = 64;
    constexpr std::size_t clients_count = 200;
    constexpr std::chrono::milliseconds window = 2s;
    const auto installation = fresh({{"HTTP_IDLE_TIMEOUT", "10m"}, {"HTTP_HEADER_TIMEOUT", "5m"}});
    auto options = installation.command({"api"});
    options.files_max = files;
    Server server(options);
    ASSERT_EQ(server.client().get("/health/live").status, 200);

    std::vector<RawClient> clients;
    for (std::size_t i = 0; i < clients_count; ++i) {
        clients.emplace_back(server.endpoint()).send("G");
    }
    const auto before = server.process().cpu_time();
    // Measured over a span of time: there is no event to wait for.
    std::this_thread::sleep_for(window);
    const auto used = server.process().cpu_time() - before;
    RecordProperty("cpu_ms", static_cast<int>(used.count()));
    EXPECT_LE(used, window / 5);

    clients.clear();
    const auto answers = [&server] {
        RawClient client(server.endpoint());
        client.send(live);
        const auto answer = client.read_response(false, 1s);
        return answer.response && answer.response->status == 200;
    };
    EXPECT_TRUE(eventually(answers, 10s));
    EXPECT_EQ(server.stop(), 0) << server.process().errors();
}

}  // namespace
