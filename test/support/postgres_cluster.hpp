// A real PostgreSQL of the test's own, on a free loopback port, gone with the test process however that ends.
#pragma once

#include "support/descriptor.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace kit::test {

// Not thread-safe. Start it on the test's main thread.
class PostgresCluster {
public:
    using Table = std::vector<std::vector<std::string>>;

    // Creates and starts one. Throws std::runtime_error where PostgreSQL is missing or does not start.
    PostgresCluster();
    PostgresCluster(const PostgresCluster&) = delete;
    PostgresCluster& operator=(const PostgresCluster&) = delete;
    ~PostgresCluster();

    // The one of this process, started with the first call.
    static PostgresCluster& shared();

    // A new, empty database; its URL.
    std::string create_database();

    std::string url(std::string_view database) const;

    // Runs statements past the code under test. Values as text, NULL as "".
    Table execute(std::string_view database, const std::string& sql) const;

    int port() const { return port_; }

    // Ends every process of the server at once, as a crash would.
    void crash();

    // Ends the server as an administrator would; clients are disconnected.
    void stop();

    // Starts it again on the same port, and waits until it takes connections.
    void start();

    // Stops and continues all its processes: nothing answers, nothing refuses.
    void pause();
    void resume();

private:
    void create_data() const;
    void launch();
    bool wait_until_ready();
    void guard();
    void signal_all(int number) const;
    std::vector<pid_t> children() const;

    std::filesystem::path folder_;
    std::filesystem::path binaries_;
    int port_ = 0;
    int databases_ = 0;
    pid_t pid_ = -1;
    Descriptor watch_;       // a pidfd of the server
    Descriptor notify_;      // where it says that it is ready
    Descriptor guard_pipe_;  // closed with this process: then the guard removes everything
    pid_t guard_pid_ = -1;
};

}  // namespace kit::test
