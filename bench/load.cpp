// bench_load: a closed loop of C connections, each with one request under way; prints what came of it as
// JSON.
//
//   bench_load --port N --request FILE [--connections 32] [--requests N | --seconds S] [--status 200] [--jar
//   FILE]
//
// FILE holds the request's text as it goes over the wire. With --jar, a file of one "refresh_token=…;
// csrf_token=…" line for each connection, every request carries its connection's cookies (and X-CSRF-Token),
// and takes over what the answer sets: how a browser refreshes. The file is rewritten at the end. The request
// then ends after its last header: the blank line is added here.

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iterator>
#include <limits>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

using Instant = std::chrono::steady_clock;

constexpr std::size_t answer_bytes_max = 65536;

struct Options {
    std::uint16_t port = 0;
    std::string request;
    std::string jar;
    std::size_t connections = 32;
    std::uint64_t requests = 10'000;
    std::chrono::seconds time = std::chrono::hours(24);
    int status = 200;
};

struct Connection {
    int socket = -1;
    Instant::time_point sent;
    std::string request;
    std::string refresh_token;
    std::string csrf_token;
    std::string in;
};

struct Answer {
    int status = 0;
    std::size_t bytes = 0;
    std::string_view head;
};

std::uint64_t number(std::string_view text)
{
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        throw std::runtime_error("not a number: " + std::string(text));
    }
    return value;
}

std::string contents(const std::string& path)
{
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        throw std::runtime_error("cannot read " + path);
    }
    return {std::istreambuf_iterator<char>(file), {}};
}

Options parse(int argc, char** argv)
{
    Options options;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string_view name = argv[i];
        const std::string_view value = argv[i + 1];
        if (name == "--port") {
            options.port = static_cast<std::uint16_t>(number(value));
        } else if (name == "--request") {
            options.request = contents(argv[i + 1]);
        } else if (name == "--jar") {
            options.jar = value;
        } else if (name == "--connections") {
            options.connections = number(value);
        } else if (name == "--requests") {
            options.requests = number(value);
        } else if (name == "--seconds") {
            options.time = std::chrono::seconds(number(value));
            options.requests = std::numeric_limits<std::uint64_t>::max();
        } else if (name == "--status") {
            options.status = static_cast<int>(number(value));
        } else {
            throw std::runtime_error("unknown option " + std::string(name));
        }
    }
    if (argc % 2 == 0 || options.port == 0 || options.request.empty() || options.connections == 0) {
        throw std::runtime_error(
            "usage: bench_load --port N --request FILE [--connections C] [--requests N | --seconds S]"
            " [--status CODE] [--jar FILE]"
        );
    }
    return options;
}

// The answer at the front of `in` once it is whole; 0 bytes until then. Ours carry Content-Length, but for
// 304.
Answer parse_answer(std::string_view in)
{
    const auto end = in.find("\r\n\r\n");
    if (end == std::string_view::npos) {
        return {};
    }
    Answer answer{.status = static_cast<int>(number(in.substr(9, 3))), .head = in.substr(0, end + 2)};
    constexpr std::string_view name = "\r\ncontent-length: ";
    const auto same = [](char left, char right) {
        return (left >= 'A' && left <= 'Z' ? left + 32 : left) == right;
    };
    const auto found = std::ranges::search(answer.head, name, same);
    if (found.empty() && answer.status == 304) {
        answer.bytes = end + 4;
        return answer;
    }
    if (found.empty()) {
        throw std::runtime_error("an answer without Content-Length");
    }
    const auto value = answer.head.substr(static_cast<std::size_t>(found.end() - answer.head.begin()));
    const auto whole = end + 4 + number(value.substr(0, value.find('\r')));
    answer.bytes = in.size() >= whole ? whole : 0;
    return answer;
}

void take_cookie(std::string_view head, std::string_view name, std::string& value)
{
    const auto at = head.find(": " + std::string(name) + "=");
    if (at != std::string_view::npos) {
        head.remove_prefix(at + name.size() + 3);
        value = head.substr(0, head.find_first_of(";\r"));
    }
}

class Load {
public:
    explicit Load(Options options);

    void run();
    void report() const;

private:
    void connect(std::size_t index);
    void send_next(Connection& connection);
    void read(Connection& connection);
    void finished(Connection& connection, const Answer& answer);
    void read_jar();
    void write_jar() const;
    [[nodiscard]] double percentile(double share) const;

    Options options_;
    std::vector<Connection> connections_;
    std::vector<double> latencies_;  // microseconds
    Instant::time_point started_;
    Instant::duration elapsed_{};
    std::uint64_t sent_ = 0;
    std::uint64_t errors_ = 0;
    std::size_t answer_bytes_ = 0;
    int epoll_ = epoll_create1(EPOLL_CLOEXEC);
};

Load::Load(Options options) : options_(std::move(options)), connections_(options_.connections)
{
    latencies_.reserve(std::min<std::uint64_t>(options_.requests, 1'000'000));
    if (!options_.jar.empty()) {
        read_jar();
    }
    for (std::size_t i = 0; i < connections_.size(); ++i) {
        connect(i);
    }
}

void Load::read_jar()
{
    std::ifstream file(options_.jar);
    for (auto& connection : connections_) {
        std::string line;
        if (!std::getline(file, line)) {
            throw std::runtime_error("the jar has fewer lines than there are connections");
        }
        take_cookie(": " + line, "refresh_token", connection.refresh_token);
        take_cookie(
            ":" + line.substr(std::min(line.find(' '), line.size())), "csrf_token", connection.csrf_token
        );
    }
}

void Load::write_jar() const
{
    std::ofstream file(options_.jar);
    for (const auto& connection : connections_) {
        file << "refresh_token=" << connection.refresh_token << "; csrf_token=" << connection.csrf_token
             << '\n';
    }
    if (!file.flush()) {
        throw std::runtime_error("cannot write " + options_.jar);
    }
}

void Load::connect(std::size_t index)
{
    auto& connection = connections_[index];
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options_.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection.socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(connection.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    epoll_event event{.events = EPOLLIN, .data = {.u64 = index}};
    if (::connect(connection.socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
        epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.socket, &event) != 0) {
        throw std::runtime_error("cannot connect to 127.0.0.1:" + std::to_string(options_.port));
    }
}

void Load::send_next(Connection& connection)
{
    connection.request = options_.request;
    if (!options_.jar.empty()) {
        connection.request += "Cookie: refresh_token=" + connection.refresh_token +
                              "; csrf_token=" + connection.csrf_token +
                              "\r\nX-CSRF-Token: " + connection.csrf_token + "\r\n\r\n";
    }
    ++sent_;
    connection.sent = Instant::now();
    const auto size = static_cast<ssize_t>(connection.request.size());
    if (send(connection.socket, connection.request.data(), connection.request.size(), MSG_NOSIGNAL) != size) {
        throw std::runtime_error("the server closed a connection");
    }
}

void Load::read(Connection& connection)
{
    std::array<char, answer_bytes_max> buffer;
    const auto size = recv(connection.socket, buffer.data(), buffer.size(), 0);
    if (size <= 0) {
        throw std::runtime_error("the server closed a connection");
    }
    const std::string_view received(buffer.data(), static_cast<std::size_t>(size));
    if (connection.in.empty()) {  // nearly always: the answer came whole, and nothing is copied
        if (const auto answer = parse_answer(received); answer.bytes == received.size()) {
            finished(connection, answer);
            return;
        }
    }
    connection.in += received;
    if (const auto answer = parse_answer(connection.in); answer.bytes > 0) {
        if (answer.bytes != connection.in.size()) {
            throw std::runtime_error("an answer nobody asked for");
        }
        finished(connection, answer);
        connection.in.clear();
    }
}

void Load::finished(Connection& connection, const Answer& answer)
{
    const auto now = Instant::now();
    latencies_.push_back(std::chrono::duration<double, std::micro>(now - connection.sent).count());
    answer_bytes_ = answer.bytes;
    if (answer.status != options_.status && errors_++ == 0) {
        std::fprintf(stderr, "bench_load: status %d instead of %d\n", answer.status, options_.status);
    }
    if (!options_.jar.empty()) {
        take_cookie(answer.head, "refresh_token", connection.refresh_token);
        take_cookie(answer.head, "csrf_token", connection.csrf_token);
    }
    if (sent_ < options_.requests && now - started_ < options_.time) {
        send_next(connection);
    }
}

void Load::run()
{
    started_ = Instant::now();
    for (auto& connection : connections_) {
        if (sent_ < options_.requests) {
            send_next(connection);
        }
    }
    std::array<epoll_event, 256> events;
    while (latencies_.size() < sent_) {
        const int count = epoll_wait(epoll_, events.data(), events.size(), -1);
        for (int i = 0; i < count; ++i) {
            read(connections_[events[i].data.u64]);
        }
    }
    elapsed_ = Instant::now() - started_;
    std::ranges::sort(latencies_);
    if (!options_.jar.empty()) {
        write_jar();
    }
}

double Load::percentile(double share) const
{
    return latencies_[static_cast<std::size_t>(share * static_cast<double>(latencies_.size() - 1))];
}

void Load::report() const
{
    const double seconds = std::chrono::duration<double>(elapsed_).count();
    const auto requests = latencies_.size();
    std::printf(
        R"({"requests":%zu,"errors":%llu,"elapsed_s":%.6f,"rps":%.1f,"answer_bytes":%zu,)",
        requests,
        static_cast<unsigned long long>(errors_),
        seconds,
        static_cast<double>(requests) / seconds,
        answer_bytes_
    );
    std::printf(
        R"("p50_us":%.1f,"p90_us":%.1f,"p99_us":%.1f,"max_us":%.1f})"
        "\n",
        percentile(0.50),
        percentile(0.90),
        percentile(0.99),
        latencies_.back()
    );
}

}  // namespace

int main(int argc, char** argv)
{
    try {
        Load load(parse(argc, argv));
        load.run();
        load.report();
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "bench_load: %s\n", failure.what());
        return EXIT_FAILURE;
    }
}
