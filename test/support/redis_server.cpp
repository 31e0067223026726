#include "support/redis_server.hpp"

#include "support/descriptor.hpp"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <fstream>
#include <iterator>
#include <netinet/in.h>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <sys/socket.h>
#include <thread>

namespace kit::test {

namespace {

constexpr int start_attempts_max = 5;  // each with another port: one found free may be taken a moment later
constexpr std::uint16_t bus_port_offset = 10'000;

std::uint16_t free_port(std::uint16_t port_max = 65'535)
{
    while (true) {
        const Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (port_max < 65'535) {
            // Below the kernel's own choice: a cluster's servers talk on a port above the one they serve.
            static int next = 20'000 + static_cast<int>(::getpid() % 10'000);
            address.sin_port = htons(static_cast<std::uint16_t>(next++));
        }
        socklen_t length = sizeof address;
        auto* const generic = reinterpret_cast<sockaddr*>(&address);
        if (::bind(socket.get(), generic, length) == 0 &&
            ::getsockname(socket.get(), generic, &length) == 0) {
            return ntohs(address.sin_port);
        }
    }
}

std::string trimmed(std::string text)
{
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
        text.pop_back();
    }
    return text;
}

std::filesystem::path find_program(const std::string& name)
{
    for (const char* const folder : {"/usr/bin", "/usr/local/bin"}) {
        const auto path = std::filesystem::path(folder) / name;
        if (std::filesystem::exists(path)) {
            return path;
        }
    }
    throw std::runtime_error(name + " is not installed (Debian: redis-server)");
}

}  // namespace

RedisServer::RedisServer(Options options) : options_(std::move(options))
{
    if (options_.tls) {
        make_certificate();
    }
    for (int attempt = 0; attempt < start_attempts_max; ++attempt) {
        port_ = options_.cluster ? free_port(65'535 - bus_port_offset) : free_port();
        tls_port_ = options_.tls ? free_port() : std::uint16_t{0};
        if (launch()) {
            return;
        }
    }
    throw std::runtime_error("redis-server does not start: " + process_->output());
}

RedisServer::~RedisServer()
{
    if (process_ != nullptr) {
        process_->signal(SIGCONT);
    }
}

void RedisServer::make_certificate() const
{
    const auto file = [this](const char* name) { return (folder_.path() / name).string(); };
    const auto openssl = find_program("openssl");
    std::ofstream(file("server.ext")) << "subjectAltName=DNS:redis.test\n";
    const std::vector<std::vector<std::string>> commands{
        {openssl,
         "req",
         "-x509",
         "-newkey",
         "rsa:2048",
         "-nodes",
         "-days",
         "2",
         "-subj",
         "/CN=kit test CA",
         "-keyout",
         file("ca.key"),
         "-out",
         file("ca.pem")},
        {openssl,
         "req",
         "-newkey",
         "rsa:2048",
         "-nodes",
         "-subj",
         "/CN=redis.test",
         "-keyout",
         file("server.key"),
         "-out",
         file("server.csr")},
        {openssl,
         "x509",
         "-req",
         "-in",
         file("server.csr"),
         "-CA",
         file("ca.pem"),
         "-CAkey",
         file("ca.key"),
         "-CAcreateserial",
         "-days",
         "2",
         "-extfile",
         file("server.ext"),
         "-out",
         file("server.pem")},
    };
    for (const auto& command : commands) {
        const auto finished = run({.command = command, .environment = {}});
        if (finished.exit_code != 0) {
            throw std::runtime_error("openssl: " + finished.errors);
        }
    }
}

std::vector<std::string> RedisServer::command_line() const
{
    if (!options_.sentinel_file.empty()) {
        return {
            find_program("redis-server"),
            options_.sentinel_file,
            "--sentinel",
            "--bind",
            "127.0.0.1",
            "--port",
            std::to_string(port_)
        };
    }
    std::vector<std::string> line{
        find_program("redis-server"),
        "--bind",
        "127.0.0.1",
        "--port",
        std::to_string(port_),
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        folder_.path().string(),
        "--daemonize",
        "no"
    };
    const auto add = [&line](std::initializer_list<std::string> words) { line.insert(line.end(), words); };
    if (!options_.password.empty()) {
        add({"--requirepass", options_.password, "--masterauth", options_.password});
    }
    for (const auto& user : options_.acl_users) {
        // Redis takes the words one by one.
        line.emplace_back("--user");
        std::istringstream words(user);
        line.insert(line.end(), std::istream_iterator<std::string>(words), {});
    }
    if (!options_.memory_max.empty()) {
        add({"--maxmemory", options_.memory_max, "--maxmemory-policy", "noeviction"});
    }
    if (options_.cluster) {
        add(
            {"--cluster-enabled",
             "yes",
             "--cluster-config-file",
             "nodes.conf",
             "--cluster-node-timeout",
             "2000",
             "--cluster-require-full-coverage",
             "no"}
        );
    }
    if (options_.tls) {
        const auto file = [this](const char* name) { return (folder_.path() / name).string(); };
        add(
            {"--tls-port",
             std::to_string(tls_port_),
             "--tls-cert-file",
             file("server.pem"),
             "--tls-key-file",
             file("server.key"),
             "--tls-ca-cert-file",
             file("ca.pem"),
             "--tls-auth-clients",
             "no"}
        );
    }
    line.insert(line.end(), options_.more.begin(), options_.more.end());
    return line;
}

// False where it ended instead.
bool RedisServer::launch()
{
    process_ = std::make_unique<Process>(ProcessOptions{.command = command_line(), .environment = {}});
    const bool sentinel = !options_.sentinel_file.empty();
    return process_->wait_for_line(sentinel ? "Sentinel ID is" : "Ready to accept connections").has_value();
}

void RedisServer::start()
{
    if (!launch()) {
        throw std::runtime_error("redis-server does not start again: " + process_->output());
    }
}

void RedisServer::crash()
{
    process_->signal(SIGCONT);
    process_.reset();
}

void RedisServer::pause()
{
    process_->signal(SIGSTOP);
}

void RedisServer::resume()
{
    process_->signal(SIGCONT);
}

std::string RedisServer::command(const std::vector<std::string>& arguments) const
{
    std::vector<std::string> line{find_program("redis-cli"), "-p", std::to_string(port_)};
    if (!options_.password.empty()) {
        line.insert(line.end(), {"--no-auth-warning", "-a", options_.password});
    }
    line.insert(line.end(), arguments.begin(), arguments.end());
    const auto finished = run({.command = std::move(line), .environment = {}});
    if (finished.exit_code != 0) {
        throw std::runtime_error("redis-cli: " + finished.errors + finished.output);
    }
    return trimmed(finished.output);
}

std::string RedisServer::info(const std::string& section, const std::string& field) const
{
    const auto text = "\n" + command({"INFO", section});
    const auto begin = text.find("\n" + field + ":");
    if (begin == std::string::npos) {
        return "";
    }
    const auto value = begin + field.size() + 2;
    return trimmed(text.substr(value, text.find('\n', value) - value));
}

std::int64_t RedisServer::calls(const std::string& command) const
{
    constexpr std::string_view label = "calls=";
    const auto text = info("commandstats", "cmdstat_" + command);
    std::int64_t count = 0;
    if (text.starts_with(label)) {
        std::from_chars(text.data() + label.size(), text.data() + text.size(), count);
    }
    return count;
}

RedisCluster::RedisCluster()
{
    std::vector<std::string> create{"--cluster", "create"};
    for (std::size_t index = 0; index < size; ++index) {
        nodes_.push_back(std::make_unique<RedisServer>(RedisServer::Options{.cluster = true}));
        create.push_back(nodes_.back()->address());
    }
    create.insert(create.end(), {"--cluster-replicas", "0", "--cluster-yes"});
    nodes_.front()->command(create);
    const auto is_ready = [](const auto& node) {
        return node->command({"CLUSTER", "INFO"}).find("cluster_state:ok") != std::string::npos;
    };
    const auto deadline = std::chrono::steady_clock::now() + generous;
    while (!std::ranges::all_of(nodes_, is_ready)) {
        if (std::chrono::steady_clock::now() > deadline) {
            throw std::runtime_error("the Redis cluster does not get ready");
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(50));  // nothing tells when
    }
}

std::string RedisCluster::addresses() const
{
    std::string list;
    for (const auto& node : nodes_) {
        list += (list.empty() ? "" : ",") + node->address();
    }
    return list;
}

std::string RedisCluster::id(std::size_t index) const
{
    return nodes_[index]->command({"CLUSTER", "MYID"});
}

// As redis-cli shares them out.
std::size_t RedisCluster::owner_of(int slot)
{
    constexpr int first_of_second = 5'461;
    constexpr int first_of_third = 10'923;
    return slot < first_of_second ? 0 : slot < first_of_third ? 1 : 2;
}

void RedisCluster::begin_move(int slot, std::size_t from, std::size_t to)
{
    const auto number = std::to_string(slot);
    nodes_[to]->command({"CLUSTER", "SETSLOT", number, "IMPORTING", id(from)});
    nodes_[from]->command({"CLUSTER", "SETSLOT", number, "MIGRATING", id(to)});
}

void RedisCluster::end_move(int slot, std::size_t from, std::size_t to)
{
    const auto number = std::to_string(slot);
    const auto target = id(to);
    nodes_[to]->command({"CLUSTER", "SETSLOT", number, "NODE", target});
    nodes_[from]->command({"CLUSTER", "SETSLOT", number, "NODE", target});
}

}  // namespace kit::test
