#include "support/postgres_cluster.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <grp.h>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <pwd.h>
#include <stdexcept>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace kit::test {

namespace {

constexpr int start_ms_max = 60'000;
constexpr int start_attempts_max = 5;  // each with another port: one found free may be taken a moment later

[[noreturn]] void fail(const std::string& what)
{
    throw std::runtime_error(
        "postgres cluster: " + what + (errno != 0 ? std::string(": ") + std::strerror(errno) : "")
    );
}

// PostgreSQL refuses to run as root.
std::optional<passwd> other_user()
{
    if (::geteuid() != 0) {
        return std::nullopt;
    }
    for (const char* name : {"postgres", "nobody"}) {
        if (const auto* user = ::getpwnam(name); user != nullptr) {
            return *user;
        }
    }
    fail("no user to run as");
}

std::filesystem::path find_binaries()
{
    std::vector<std::filesystem::path> found;
    const std::filesystem::path root = "/usr/lib/postgresql";
    if (std::filesystem::is_directory(root)) {
        for (const auto& version : std::filesystem::directory_iterator(root)) {
            if (std::filesystem::exists(version.path() / "bin/postgres")) {
                found.push_back(version.path() / "bin");
            }
        }
    }
    if (found.empty()) {
        errno = 0;
        fail("PostgreSQL is not installed (Debian: postgresql)");
    }
    return *std::ranges::max_element(found);
}

struct Launch {
    std::vector<std::string> command;
    std::vector<std::string> environment{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"};
    bool as_other_user = false;
    bool dies_with_parent = false;
    int input = -1;
    int errors = -1;
};

std::vector<char*> pointers(std::vector<std::string>& texts)
{
    std::vector<char*> result;
    for (auto& text : texts) {
        result.push_back(text.data());
    }
    result.push_back(nullptr);
    return result;
}

pid_t spawn(Launch launch)
{
    const auto user = launch.as_other_user ? other_user() : std::nullopt;
    const auto arguments = pointers(launch.command);
    const auto environment = pointers(launch.environment);
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child != 0) {
        return child < 0 ? (fail("fork"), child) : child;
    }
    // Only calls that are safe after a fork from here on.
    const int null = ::open("/dev/null", O_RDWR);
    ::dup2(launch.input < 0 ? null : launch.input, STDIN_FILENO);
    ::dup2(null, STDOUT_FILENO);
    if (launch.errors >= 0) {
        ::dup2(launch.errors, STDERR_FILENO);
    }
    if (user &&
        (::setgroups(0, nullptr) != 0 || ::setgid(user->pw_gid) != 0 || ::setuid(user->pw_uid) != 0)) {
        ::_exit(126);
    }
    if (launch.dies_with_parent) {
        ::prctl(PR_SET_PDEATHSIG, SIGQUIT);  // after setuid, which resets it; PostgreSQL's immediate shutdown
        if (::getppid() != parent) {
            ::_exit(126);
        }
    }
    ::execve(arguments[0], arguments.data(), environment.data());
    ::_exit(127);
}

void run(Launch launch)
{
    const auto name = launch.command.front();
    const pid_t child = spawn(std::move(launch));
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (status != 0) {
        errno = 0;
        fail(name + " failed");
    }
}

int free_port()
{
    const Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        fail("no free port");
    }
    return ntohs(address.sin_port);
}

sockaddr_un unix_address(const std::filesystem::path& path)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    return address;
}

// The simple query protocol, as much of it as tests need: trusted over the server's own socket.
class Session {
public:
    Session(const std::filesystem::path& socket, std::string_view database)
        : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        const auto address = unix_address(socket);
        if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
            fail("connect");
        }
        constexpr std::int32_t version_3 = 196'608;
        std::string body = number(version_3);
        for (const auto text :
             {std::string_view("user"), std::string_view("kit"), std::string_view("database"), database}) {
            body.append(text).push_back('\0');
        }
        body.push_back('\0');
        write(number(static_cast<std::int32_t>(body.size() + 4)) + body);
        read_until_ready();
    }

    PostgresCluster::Table query(const std::string& sql)
    {
        write("Q" + number(static_cast<std::int32_t>(sql.size() + 5)) + sql + '\0');
        return read_until_ready();
    }

private:
    static std::string number(std::int32_t value)
    {
        const auto big = htonl(static_cast<std::uint32_t>(value));
        return {reinterpret_cast<const char*>(&big), sizeof big};
    }

    static std::int32_t number_at(const std::string& text, std::size_t position)
    {
        std::uint32_t big = 0;
        std::memcpy(&big, text.data() + position, sizeof big);
        return static_cast<std::int32_t>(ntohl(big));
    }

    void write(std::string_view data) const
    {
        while (!data.empty()) {
            const auto written = ::send(socket_.get(), data.data(), data.size(), MSG_NOSIGNAL);
            if (written <= 0) {
                fail("send");
            }
            data.remove_prefix(static_cast<std::size_t>(written));
        }
    }

    std::string read(std::size_t size) const
    {
        std::string data(size, '\0');
        for (std::size_t have = 0; have < size;) {
            const auto got = ::recv(socket_.get(), data.data() + have, size - have, 0);
            if (got <= 0) {
                fail("recv");
            }
            have += static_cast<std::size_t>(got);
        }
        return data;
    }

    static std::vector<std::string> row(const std::string& body)
    {
        std::vector<std::string> values;
        for (std::size_t position = 2; position < body.size();) {
            const auto size = number_at(body, position);
            position += 4;
            values.push_back(size < 0 ? "" : body.substr(position, static_cast<std::size_t>(size)));
            position += size < 0 ? 0 : static_cast<std::size_t>(size);
        }
        return values;
    }

    PostgresCluster::Table read_until_ready() const
    {
        PostgresCluster::Table rows;
        std::string error;
        while (true) {
            const auto head = read(5);
            const auto body = read(static_cast<std::size_t>(number_at(head, 1)) - 4);
            if (head[0] == 'D') {
                rows.push_back(row(body));
            } else if (head[0] == 'E') {
                error = body;
                std::ranges::replace(error, '\0', ' ');
            } else if (head[0] == 'Z') {
                break;
            }
        }
        if (!error.empty()) {
            throw std::runtime_error("postgres cluster: " + error);
        }
        return rows;
    }

    Descriptor socket_;
};

}  // namespace

PostgresCluster::PostgresCluster() : binaries_(find_binaries())
{
    std::string name = std::filesystem::temp_directory_path() / "kit-pg-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) {
        fail("mkdtemp");
    }
    folder_ = name;
    guard();
    if (const auto user = other_user(); user && ::chown(folder_.c_str(), user->pw_uid, user->pw_gid) != 0) {
        fail("chown");
    }
    create_data();
    for (int attempt = 0; attempt < start_attempts_max; ++attempt) {
        port_ = free_port();
        launch();
        if (wait_until_ready()) {
            return;
        }
    }
    std::ifstream log(folder_ / "log");
    errno = 0;
    fail("does not start: " + std::string(std::istreambuf_iterator<char>(log), {}));
}

PostgresCluster::~PostgresCluster()
{
    signal_all(SIGCONT);
    crash();
    guard_pipe_ = Descriptor();
    ::waitpid(guard_pid_, nullptr, 0);
}

PostgresCluster& PostgresCluster::shared()
{
    static PostgresCluster cluster;
    return cluster;
}

// A shell that outlives this process, waits for its end, and cleans up.
void PostgresCluster::guard()
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        fail("pipe");
    }
    const Descriptor input(ends[0]);
    guard_pipe_ = Descriptor(ends[1]);
    // The number in the file may be another process's by now: only one that works in our folder is ended.
    const std::string script =
        "exec 2>/dev/null; trap '' INT TERM HUP; cat >/dev/null; read -r pid <\"$0/data/postmaster.pid\"; "
        "while test \"$(readlink \"/proc/$pid/cwd\")\" = \"$0/data\"; do kill -QUIT \"$pid\"; sleep 0.1; "
        "done; "
        "rm -rf \"$0\"";
    guard_pid_ = spawn({.command = {"/bin/sh", "-c", script, folder_}, .input = input.get()});
}

// initdb takes seconds; its result is kept beside the test's program and copied.
void PostgresCluster::create_data() const
{
    const auto builds = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    const auto version = binaries_.parent_path().filename().string();
    const auto kept = builds / ("postgres-" + version + "-data");
    const Descriptor lock(::open((kept.string() + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (lock.get() < 0 || ::flock(lock.get(), LOCK_EX) != 0) {
        fail("lock");
    }
    const auto data = folder_ / "data";
    if (std::filesystem::exists(kept)) {
        run({.command = {"/bin/cp", "-a", kept, data}});
        return;
    }
    run({
        .command =
            {binaries_ / "initdb",
             "--no-sync",
             "--auth=trust",
             "--username=kit",
             "--encoding=UTF8",
             "--locale=C.UTF-8",
             "--wal-segsize=1",
             "--pgdata=" + data.string()},
        .as_other_user = true,
    });
    const auto partial = kept.string() + ".partial";
    std::filesystem::remove_all(partial);
    run({.command = {"/bin/cp", "-a", data, partial}});
    std::filesystem::rename(partial, kept);
}

void PostgresCluster::launch()
{
    const auto socket = folder_ / "notify";
    ::unlink(socket.c_str());
    notify_ = Descriptor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto address = unix_address(socket);
    if (::bind(notify_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::chmod(socket.c_str(), 0666) != 0) {
        fail("notify socket");
    }
    const Descriptor log(::open((folder_ / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    Launch launch{.as_other_user = true, .dies_with_parent = true, .errors = log.get()};
    launch.command = {binaries_ / "postgres", "-D", folder_ / "data", "-p", std::to_string(port_)};
    const std::vector<std::string> settings{
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=" + folder_.string(),
        "fsync=off",
        "full_page_writes=off",
        "shared_buffers=32MB",
        "max_wal_size=256MB",
        "max_connections=200",
        "logging_collector=off",
        "log_destination=stderr",
        "shared_preload_libraries=pg_stat_statements",
    };
    for (const auto& setting : settings) {
        launch.command.emplace_back("-c");
        launch.command.push_back(setting);
    }
    launch.environment.push_back("NOTIFY_SOCKET=" + socket.string());
    pid_ = spawn(std::move(launch));
    watch_ = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
}

// The server tells the notify socket, as it would tell systemd, when it takes connections. False when it
// ended instead.
bool PostgresCluster::wait_until_ready()
{
    pollfd events[] = {
        {.fd = notify_.get(), .events = POLLIN, .revents = 0},
        {.fd = watch_.get(), .events = POLLIN, .revents = 0}
    };
    while (::poll(events, 2, start_ms_max) > 0) {
        if ((events[0].revents & POLLIN) != 0) {
            char message[512];
            const auto size = ::recv(notify_.get(), message, sizeof message, 0);
            if (size > 0 && std::string_view(message, static_cast<std::size_t>(size)).contains("READY=1")) {
                return true;
            }
            continue;
        }
        break;
    }
    crash();
    return false;
}

std::vector<pid_t> PostgresCluster::children() const
{
    const auto pid = std::to_string(pid_);
    std::ifstream list("/proc/" + pid + "/task/" + pid + "/children");
    std::vector<pid_t> found;
    for (pid_t child = 0; list >> child;) {
        found.push_back(child);
    }
    return found;
}

void PostgresCluster::signal_all(int number) const
{
    if (pid_ < 0) {
        return;
    }
    ::kill(pid_, number);
    // A fork may have been under way: again, until there is no new one.
    std::size_t reached = 0;
    for (auto all = children(); all.size() != reached; all = children()) {
        for (const auto child : all) {
            ::kill(child, number);
        }
        reached = all.size();
    }
}

void PostgresCluster::crash()
{
    if (pid_ < 0) {
        return;
    }
    ::kill(pid_, SIGSTOP);  // no new children meanwhile
    std::vector<Descriptor> watches;
    for (const auto child : children()) {
        watches.emplace_back(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
        ::kill(child, SIGKILL);
    }
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
    for (const auto& watch : watches) {
        pollfd ended{.fd = watch.get(), .events = POLLIN, .revents = 0};
        ::poll(&ended, 1, start_ms_max);
    }
}

void PostgresCluster::stop()
{
    if (pid_ < 0) {
        return;
    }
    ::kill(pid_, SIGINT);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
}

void PostgresCluster::start()
{
    launch();
    if (!wait_until_ready()) {
        errno = 0;
        fail("does not start again");
    }
}

void PostgresCluster::pause()
{
    signal_all(SIGSTOP);
}

void PostgresCluster::resume()
{
    signal_all(SIGCONT);
}

std::string PostgresCluster::url(std::string_view database) const
{
    return "postgres://kit@127.0.0.1:" + std::to_string(port_) + "/" + std::string(database);
}

std::string PostgresCluster::create_database()
{
    const auto name = "test_" + std::to_string(++databases_);
    execute("postgres", "CREATE DATABASE " + name);
    return url(name);
}

PostgresCluster::Table PostgresCluster::execute(std::string_view database, const std::string& sql) const
{
    return Session(folder_ / (".s.PGSQL." + std::to_string(port_)), database).query(sql);
}

}  // namespace kit::test
