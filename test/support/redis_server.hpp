// A real Redis of the test's own, on a free port of 127.0.0.1, gone with the test process however that ends.
#pragma once

#include "support/process.hpp"
#include "support/temp_dir.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace kit::test {

// Not thread-safe. Start it on the test's main thread.
class RedisServer {
public:
    struct Options {
        std::string password{};                // of the default user
        std::vector<std::string> acl_users{};  // as in redis.conf: "app on >secret ~* +@all"
        std::string memory_max{};              // "2mb"; nothing is evicted
        bool cluster = false;
        bool tls = false;                 // on tls_port(), with a certificate for "redis.test" of ca_file()
        std::vector<std::string> more{};  // further arguments
        std::filesystem::path sentinel_file{};  // a sentinel with this file, which it rewrites
    };

    // Throws std::runtime_error where Redis is missing or does not start.
    RedisServer() : RedisServer(Options{}) {}

    explicit RedisServer(Options options);
    RedisServer(const RedisServer&) = delete;
    RedisServer& operator=(const RedisServer&) = delete;
    ~RedisServer();

    std::uint16_t port() const { return port_; }

    std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

    std::uint16_t tls_port() const { return tls_port_; }

    std::filesystem::path ca_file() const { return folder_.path() / "ca.pem"; }

    // Runs redis-cli past the code under test; its output, trimmed. Throws std::runtime_error where the
    // server does not answer.
    std::string command(const std::vector<std::string>& arguments) const;

    // A field of INFO, such as "role"; "" where it has none.
    std::string info(const std::string& section, const std::string& field) const;

    // How often the server was asked to run a command ("evalsha"), by INFO commandstats.
    std::int64_t calls(const std::string& command) const;

    // Ends it at once, as a crash would; start() brings it back on the same port, empty.
    void crash();
    void start();

    // Nothing answers, nothing refuses.
    void pause();
    void resume();

private:
    void make_certificate() const;
    std::vector<std::string> command_line() const;
    bool launch();

    Options options_;
    TempDir folder_;
    std::uint16_t port_ = 0;
    std::uint16_t tls_port_ = 0;
    std::unique_ptr<Process> process_;
};

// Three masters that share the slots.
class RedisCluster {
public:
    static constexpr std::size_t size = 3;

    RedisCluster();

    RedisServer& node(std::size_t index) { return *nodes_[index]; }

    // For REDIS_ADDR.
    std::string addresses() const;

    // The node that has the slot at first.
    static std::size_t owner_of(int slot);

    // Moves a slot without its keys. In between, its old owner answers ASK for keys that it lacks.
    void begin_move(int slot, std::size_t from, std::size_t to);
    void end_move(int slot, std::size_t from, std::size_t to);

private:
    std::string id(std::size_t index) const;

    std::vector<std::unique_ptr<RedisServer>> nodes_;
};

}  // namespace kit::test
