// 4,000 clients that send or read as slowly as they can (Debian's slowhttptest): whoever asks whether the
// server is well is answered every time.
#include "chaos/release.hpp"
#include "support/account.hpp"
#include "support/open_load.hpp"
#include "support/server.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <sys/resource.h>
#include <thread>

using namespace kit::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* program = "/usr/bin/slowhttptest";
constexpr int connections = 4'000;
constexpr int attack_seconds = 20;
constexpr std::size_t files = 10'000;
constexpr auto answer_time_max = 1s;

struct Attack {
    const char* name;
    std::vector<std::string> options;
    const char* path;
};

std::vector<Attack> attacks()
{
    return {
        {"SlowHeaders", {"-H", "-t", "GET"}, "/api/v1/me"},
        {"SlowBody", {"-B", "-t", "POST", "-s", "8192"}, "/api/v1/auth/local/login"},
        {"SlowRead",
         {"-X", "-t", "GET", "-k", "10", "-w", "10", "-y", "20", "-n", "5", "-z", "32"},
         "/health/ready"},
    };
}

std::vector<std::string> command(const Attack& attack, const Server& server)
{
    std::vector<std::string> line{program};
    line.insert(line.end(), attack.options.begin(), attack.options.end());
    const auto add = [&line](std::initializer_list<std::string> words) { line.insert(line.end(), words); };
    add({"-c", std::to_string(connections), "-r", "2000", "-i", "2", "-x", "24", "-p", "3"});
    add({"-l", std::to_string(attack_seconds), "-v", "1"});
    add({"-u", fmt::format("http://127.0.0.1:{}{}", server.endpoint().port, attack.path)});
    return line;
}

struct Probes {
    std::size_t asked = 0;
    std::size_t failed = 0;
    std::vector<LoadTime> times;
};

// On a connection of its own each time, as an orchestrator asks.
void probe(const Server& server, Probes& probes)
{
    for (const auto* path : {"/health/live", "/health/ready"}) {
        const auto began = std::chrono::steady_clock::now();
        int status = 0;
        try {
            status = server.client().get(path).status;
        } catch (const std::exception&) {
            status = 0;
        }
        const LoadTime took = std::chrono::steady_clock::now() - began;
        ++probes.asked;
        probes.failed += status == 200 && took < answer_time_max ? 0U : 1U;
        probes.times.push_back(took);
    }
}

class SlowClients : public testing::TestWithParam<Attack> {};

INSTANTIATE_TEST_SUITE_P(Attacks, SlowClients, testing::ValuesIn(attacks()), [](const auto& info) {
    return info.param.name;
});

TEST_P(SlowClients, ProbesAreAnsweredEveryTime)
{
    if (!std::filesystem::exists(program)) {
        GTEST_SKIP() << "needs slowhttptest (Debian: slowhttptest)";
    }
    // The defaults but for the number of files, which a service manager sets.
    const Installation installation(Engine::sqlite, {}, release_binary());
    auto options = installation.command({"api"});
    options.files_max = files;
    Server server(options);
    ASSERT_EQ(server.client().get("/health/ready").status, 200);
    const auto before = server.process().cpu_time();

    Process attacker({.command = command(GetParam(), server), .environment = {}, .files_max = files});
    Probes probes;
    std::size_t most = 0;
    while (!attacker.wait(20ms)) {
        probe(server, probes);
        most = std::max(most, server.process().resident_bytes());
    }
    const auto used = server.process().cpu_time() - before;
    RecordProperty("probes", static_cast<int>(probes.asked));
    RecordProperty("probe_p99_us", static_cast<int>(percentile(probes.times, 0.99) / LoadTime(1us)));
    RecordProperty("resident_mib", static_cast<int>(most >> 20U));
    RecordProperty("cpu_ms", static_cast<int>(used.count()));
    EXPECT_GE(probes.asked, 100U) << attacker.output() << attacker.errors();
    EXPECT_EQ(probes.failed, 0U);
    EXPECT_EQ(server.stop(), 0) << server.process().errors();
}

}  // namespace
