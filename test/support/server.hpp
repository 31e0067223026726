// The server binary, as an operator runs it.
#pragma once

#include "support/http_client.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace kit::test {

enum class Engine : std::uint8_t { sqlite, postgres };

// Names the engine in test names and messages.
std::ostream& operator<<(std::ostream& out, Engine engine);

using Environment = std::map<std::string, std::string>;

// A running `api`. The constructor returns once it listens; throws std::runtime_error with its output if it
// does not come up.
class Server {
public:
    explicit Server(ProcessOptions options);
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // Kills it if it still runs. A sanitizer's report in its output fails the running test.
    ~Server();

    Endpoint endpoint() const { return {.port = port_}; }

    HttpClient client() const { return HttpClient(endpoint()); }

    Process& process() { return process_; }

    // SIGTERM; the exit code, and nothing if it does not end.
    std::optional<int> stop();

private:
    Process process_;
    std::uint16_t port_;
};

// Where servers live: a data folder, a database and settings. Those started one after another are the same
// installation.
class Installation {
public:
    // The settings come on top of those of environment(). The binary is that of KIT_BINARY unless given. The
    // PostgreSQL is PostgresCluster::shared(), with a database for each installation.
    explicit Installation(Engine engine, Environment settings = {}, std::filesystem::path binary = {});

    // Hermetic and without limits on how often a test may ask: port 0 on 127.0.0.1, no telemetry, no rate
    // limits.
    const Environment& environment() const { return environment_; }

    void set(const std::string& name, const std::string& value) { environment_[name] = value; }

    // Throws where the server does not come up.
    Server start() const;

    // The options that run `command` of the binary here.
    ProcessOptions command(std::vector<std::string> arguments) const;

    const std::filesystem::path& data_dir() const { return data_dir_.path(); }

    std::filesystem::path sqlite_path() const { return data_dir() / "everything-backend.db"; }

private:
    std::filesystem::path binary_;
    TempDir data_dir_;
    Environment environment_;
};

// Polls until `condition` holds; false if it does not within `limit`. For what no descriptor announces.
bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds limit = generous);

}  // namespace kit::test
