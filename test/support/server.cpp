#include "support/server.hpp"

#include "support/json.hpp"
#include "support/postgres_cluster.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <stdexcept>
#include <thread>

namespace kit::test {
namespace {

std::uint16_t await_port(const Process& process)
{
    const auto line = process.wait_for_line("server starting");
    if (!line) {
        throw std::runtime_error("the server did not start; it said: " + process.output() + process.errors());
    }
    const auto address = std::string(text_at(parse_json(*line), "/addr"));
    return static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
}

Environment hermetic()
{
    return {
        {"APP_ENV", "development"},
        {"HTTP_BIND", "127.0.0.1"},
        {"HTTP_PORT", "0"},
        {"ADMIN_HTTP_ADDR", "off"},
        {"OTEL_METRICS_ENABLED", "false"},
        {"OTEL_TRACING_ENABLED", "false"},
        {"OTEL_LOGS_ENABLED", "false"},
        {"API_RATE_LIMIT_PER_MIN", "1000000"},
        {"AUTH_RATE_LIMIT_PER_MIN", "1000000"},
        {"AUTH_PASSWORD_FORGOT_RATE_LIMIT_PER_MIN", "1000000"},
        {"RATE_LIMIT_LOGIN_PER_MIN", "1000000"},
        {"RATE_LIMIT_REFRESH_PER_MIN", "1000000"},
        {"AUTH_ABUSE_PROTECTION_ENABLED", "false"},
    };
}

}  // namespace

std::ostream& operator<<(std::ostream& out, Engine engine)
{
    return out << (engine == Engine::sqlite ? "sqlite" : "postgres");
}

Server::Server(ProcessOptions options) : process_(std::move(options)), port_(await_port(process_)) {}

Server::~Server()
{
    const auto said = process_.errors();
    for (const std::string_view mark : {"Sanitizer", "runtime error:"}) {
        if (const auto found = said.find(mark); found != std::string::npos) {
            ADD_FAILURE() << "the server reports: " << said.substr(said.rfind('\n', found) + 1);
            return;
        }
    }
}

std::optional<int> Server::stop()
{
    process_.signal(SIGTERM);
    return process_.wait();
}

Installation::Installation(Engine engine, Environment settings, std::filesystem::path binary)
    : binary_(binary.empty() ? path_from("KIT_BINARY") : std::move(binary)), environment_(std::move(settings))
{
    environment_.merge(hermetic());
    environment_.emplace("DATA_DIR", data_dir_.path().string());
    if (engine == Engine::postgres) {
        environment_.emplace("DATABASE_URL", PostgresCluster::shared().create_database());
    }
}

Server Installation::start() const
{
    return Server(command({"api"}));
}

ProcessOptions Installation::command(std::vector<std::string> arguments) const
{
    arguments.insert(arguments.begin(), binary_.string());
    // Not the test's folder: a developer's .env there must not count.
    return {
        .command = std::move(arguments),
        .environment = environment_,
        .working_directory = data_dir_.path(),
    };
}

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds limit)
{
    constexpr std::chrono::milliseconds pause{2};
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
        if (std::chrono::steady_clock::now() >= deadline) {
            return false;
        }
        std::this_thread::sleep_for(pause);
    }
    return true;
}

}  // namespace kit::test
