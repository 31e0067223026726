// bench_floor: the least a server can do for the paths that are measured, as one thread on epoll; the kit's
// cost is read against it. It speaks enough HTTP/1.1 for a well-behaved client (keep-alive, pipelined
// requests without bodies) and nothing else of a product.
//
//   bench_floor [--postgres URL | --sqlite FILE] [--redis PORT] [--list FILE]
//
// JWT_ACCESS_SECRET, JWT_ISSUER and JWT_AUDIENCE come from the environment, as for the server. Prints its
// port, then serves until killed.

#include "floor_me.hpp"
#include "floor_redis.hpp"

#include <arpa/inet.h>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace bench {

namespace {

constexpr std::size_t request_bytes_max = 8192;
constexpr std::size_t answer_bytes_max = user_bytes_max + 1024;

struct Connection {
    int socket = -1;
    bool gone = false;
    bool waiting = false;       // for Redis or the database; its next request stays in `in`
    std::uint64_t subject = 0;  // of the request that is being counted
    bool lists = false;         // that request is for the list, else for /me
    bool known = false;         // its client has the list already
    bool blocked = false;       // the peer does not read; nothing is served until `out` has left
    std::size_t in_used = 0;
    std::size_t out_used = 0;
    std::array<char, request_bytes_max> in;
    std::array<char, 4 * answer_bytes_max> out;

    [[nodiscard]] bool has_room() const { return out.size() - out_used >= answer_bytes_max; }
};

// The parts of an answer that change with the second.
struct Clock {
    timespec now{};
    std::time_t formatted = 0;
    std::array<char, 40> date{};
    std::array<char, 24> timestamp{};

    void tick()
    {
        clock_gettime(CLOCK_REALTIME, &now);
        if (now.tv_sec != formatted) {
            formatted = now.tv_sec;
            std::tm utc{};
            gmtime_r(&formatted, &utc);
            std::strftime(date.data(), date.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc);
            std::strftime(timestamp.data(), timestamp.size(), "%Y-%m-%dT%H:%M:%S.", &utc);
        }
    }
};

bool equal_ignoring_case(std::string_view text, std::string_view lower)
{
    if (text.size() != lower.size()) {
        return false;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        if ((text[i] | 0x20) != lower[i]) {
            return false;
        }
    }
    return true;
}

std::string_view cookie(std::string_view list, std::string_view name_and_equals)
{
    for (std::size_t at = 0; (at = list.find(name_and_equals, at)) != std::string_view::npos; ++at) {
        if (at == 0 || list[at - 1] == ' ' || list[at - 1] == ';') {
            list.remove_prefix(at + name_and_equals.size());
            return list.substr(0, list.find(';'));
        }
    }
    return {};
}

// The access token of a request: its cookie, else its bearer. `head` ends with the last header's CRLF.
std::string_view access_token(std::string_view head)
{
    std::string_view bearer;
    for (std::size_t start = head.find("\r\n") + 2; start < head.size();) {
        const auto end = head.find("\r\n", start);
        const auto line = head.substr(start, end - start);
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) {
            return {};
        }
        const auto name = line.substr(0, colon);
        const auto value = line.substr(std::min(line.find_first_not_of(' ', colon + 1), line.size()));
        if (equal_ignoring_case(name, "cookie")) {
            if (const auto token = cookie(value, "access_token="); !token.empty()) {
                return token;
            }
        } else if (equal_ignoring_case(name, "authorization") &&
                   equal_ignoring_case(value.substr(0, 7), "bearer ")) {
            bearer = value.substr(7);
        }
        start = end + 2;
    }
    return bearer;
}

class Floor {
public:
    struct Stores {
        std::string postgres;
        std::string sqlite;
        std::string redis;
        std::string list;
    };

    Floor(const TokenCheck::Expected& expected, const Stores& stores);

    [[noreturn]] void serve();

private:
    void listen();
    void accept();
    void readable(Connection& connection);
    void requests(Connection& connection);
    void request(Connection& connection, std::string_view head);
    void authenticate(Connection& connection, std::string_view token);
    void reply(Connection& connection, std::uint64_t subject);
    void list(Connection& connection);
    void find(Connection& connection, std::uint64_t subject);
    void counted(int socket);
    void answer(
        Connection& connection,
        std::string_view status,
        std::string_view body,
        std::string_view headers = "Content-Type: application/json\r\n"
    );
    void refuse(
        Connection& connection, std::string_view status, std::string_view code, std::string_view message
    );
    void user(Connection& connection, std::string_view json);
    void flush(Connection& connection);
    void close(Connection& connection);
    void watch(int operation, int socket, std::uint32_t events) const;
    Writer& meta(Writer& out);

    TokenCheck tokens_;
    std::unique_ptr<PostgresUsers> postgres_;
    std::unique_ptr<SqliteUsers> sqlite_;
    std::unique_ptr<RedisLimits> redis_;
    PostgresUsers::OnUser on_user_;
    RedisLimits::OnCounted on_counted_;
    std::vector<std::unique_ptr<Connection>> connections_;  // by socket, kept for the next of that number
    Clock clock_;
    std::string list_etag_;
    std::string list_data_;
    std::string list_headers_;
    unsigned long served_ = 0;
    int listener_ = -1;
    int epoll_ = -1;
};

Floor::Floor(const TokenCheck::Expected& expected, const Stores& stores)
    : tokens_(expected), connections_(connections_max), epoll_(epoll_create1(EPOLL_CLOEXEC))
{
    if (!stores.postgres.empty()) {
        postgres_ = std::make_unique<PostgresUsers>(stores.postgres);
        watch(EPOLL_CTL_ADD, postgres_->socket(), EPOLLIN);
    } else if (!stores.sqlite.empty()) {
        sqlite_ = std::make_unique<SqliteUsers>(stores.sqlite);
    }
    if (!stores.redis.empty()) {
        redis_ = std::make_unique<RedisLimits>(stores.redis);
        watch(EPOLL_CTL_ADD, redis_->socket(), EPOLLIN);
    }
    if (!stores.list.empty()) {
        std::ifstream file(stores.list);
        std::getline(file, list_etag_);
        std::getline(file, list_data_);
        list_headers_ = "ETag: " + list_etag_ + "\r\nCache-Control: private, no-cache\r\n";
    }
    if (list_data_.size() > user_bytes_max) {
        throw std::runtime_error("the list is too long");
    }
    on_counted_ = [this](int socket) { counted(socket); };
    on_user_ = [this](int socket, std::string_view json) {
        auto& connection = *connections_[socket];
        connection.waiting = false;
        if (connection.gone) {
            close(connection);
            return;
        }
        user(connection, json);
        flush(connection);
        requests(connection);
    };
    listen();
}

void Floor::listen()
{
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener_, generic, size) != 0 || ::listen(listener_, connections_max) != 0 ||
        getsockname(listener_, generic, &size) != 0) {
        throw std::runtime_error("cannot listen on 127.0.0.1");
    }
    watch(EPOLL_CTL_ADD, listener_, EPOLLIN);
    std::printf("%d\n", ntohs(address.sin_port));
    std::fflush(stdout);
}

void Floor::watch(int operation, int socket, std::uint32_t events) const
{
    epoll_event event{.events = events, .data = {.fd = socket}};
    if (epoll_ctl(epoll_, operation, socket, &event) != 0) {
        throw std::runtime_error("epoll_ctl failed");
    }
}

void Floor::serve()
{
    std::array<epoll_event, 256> events;
    while (true) {
        const int count = epoll_wait(epoll_, events.data(), events.size(), -1);
        clock_.tick();
        for (int i = 0; i < count; ++i) {
            const int socket = events[i].data.fd;
            if (socket == listener_) {
                accept();
            } else if (postgres_ && socket == postgres_->socket()) {
                postgres_->readable(on_user_);
            } else if (redis_ && socket == redis_->socket()) {
                redis_->readable(on_counted_);
            } else if ((events[i].events & EPOLLOUT) != 0) {
                flush(*connections_[socket]);
                requests(*connections_[socket]);
            } else {
                readable(*connections_[socket]);
            }
        }
        if (redis_) {
            redis_->end_of_turn();
        }
        if (postgres_) {
            postgres_->end_of_turn();
        }
    }
}

void Floor::accept()
{
    const int socket = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0) {
        return;
    }
    if (static_cast<std::size_t>(socket) >= connections_.size()) {
        ::close(socket);
        return;
    }
    auto& connection = connections_[socket];
    if (!connection) {
        connection = std::make_unique<Connection>();
    }
    connection->socket = socket;
    connection->gone = false;
    connection->blocked = false;
    connection->in_used = 0;
    connection->out_used = 0;
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    watch(EPOLL_CTL_ADD, socket, EPOLLIN);
}

void Floor::readable(Connection& connection)
{
    auto& in = connection.in;
    const auto size =
        recv(connection.socket, in.data() + connection.in_used, in.size() - connection.in_used, 0);
    if (size <= 0) {  // a full buffer without an end of the head reads 0 bytes, too
        close(connection);
        return;
    }
    connection.in_used += static_cast<std::size_t>(size);
    requests(connection);
}

// Serves what has arrived whole, with one write for as many answers as fit.
void Floor::requests(Connection& connection)
{
    bool more = true;
    while (more && connection.socket >= 0 && !connection.waiting && !connection.blocked) {
        const std::string_view in(connection.in.data(), connection.in_used);
        std::size_t served = 0;
        while (more && !connection.waiting && connection.has_room()) {
            const auto end = in.find("\r\n\r\n", served);
            more = end != std::string_view::npos;
            if (more) {
                request(connection, in.substr(served, end + 2 - served));
                served = end + 4;
            }
        }
        connection.in_used -= served;
        std::memmove(connection.in.data(), connection.in.data() + served, connection.in_used);
        flush(connection);
    }
}

void Floor::request(Connection& connection, std::string_view head)
{
    const auto line = head.substr(0, head.find('\r'));
    if (line == "GET /health/live HTTP/1.1") {
        std::array<char, 512> body;
        Writer out(body.data());
        out << R"({"success":true,"data":{"status":"ok"})";
        answer(connection, "200 OK", meta(out).view());
    } else if (line == "GET /api/v1/me HTTP/1.1") {
        connection.lists = false;
        authenticate(connection, access_token(head));
    } else if (line == "GET /api/v1/admin/permissions HTTP/1.1") {
        connection.lists = true;
        connection.known = head.find("\r\nIf-None-Match: " + list_etag_ + "\r\n") != std::string_view::npos;
        authenticate(connection, access_token(head));
    } else {
        refuse(connection, "404 Not Found", "NOT_FOUND", "resource not found");
    }
}

void Floor::authenticate(Connection& connection, std::string_view token)
{
    if (token.empty()) {
        refuse(connection, "401 Unauthorized", "UNAUTHORIZED", "missing access token");
        return;
    }
    const auto subject = tokens_.subject(token, clock_.now.tv_sec);
    if (!subject) {
        refuse(connection, "401 Unauthorized", "UNAUTHORIZED", "invalid access token");
    } else if (redis_) {
        connection.waiting = true;
        connection.subject = *subject;
        redis_->count(connection.socket, *subject, clock_.now);
    } else {
        reply(connection, *subject);
    }
}

void Floor::reply(Connection& connection, std::uint64_t subject)
{
    if (connection.lists) {
        list(connection);
    } else {
        find(connection, subject);
    }
}

// As a cache would have it.
void Floor::list(Connection& connection)
{
    if (connection.known) {
        answer(connection, "304 Not Modified", {}, list_headers_);
        return;
    }
    std::array<char, answer_bytes_max> body;
    Writer out(body.data());
    out << R"({"success":true,"data":)" << list_data_;
    answer(connection, "200 OK", meta(out).view(), list_headers_ + "Content-Type: application/json\r\n");
}

// Redis has counted the request of this connection.
void Floor::counted(int socket)
{
    auto& connection = *connections_[socket];
    connection.waiting = false;
    if (connection.gone) {
        close(connection);
        return;
    }
    reply(connection, connection.subject);
    flush(connection);
    requests(connection);
}

void Floor::find(Connection& connection, std::uint64_t subject)
{
    if (postgres_) {
        connection.waiting = true;
        postgres_->ask(connection.socket, subject);
    } else if (sqlite_) {
        std::array<char, user_bytes_max> json;
        user(connection, sqlite_->find(subject, json.data()));
    } else {
        refuse(connection, "503 Service Unavailable", "DEPENDENCY_UNREADY", "no database was named");
    }
}

void Floor::user(Connection& connection, std::string_view json)
{
    if (json.empty()) {
        refuse(connection, "404 Not Found", "NOT_FOUND", "user not found");
        return;
    }
    std::array<char, answer_bytes_max> body;
    Writer out(body.data());
    out << R"({"success":true,"data":)" << json;
    answer(connection, "200 OK", meta(out).view());
}

void Floor::refuse(
    Connection& connection, std::string_view status, std::string_view code, std::string_view message
)
{
    std::array<char, 512> body;
    Writer out(body.data());
    out << R"({"success":false,"error":{"code":")" << code << R"(","message":")" << message << "\"}";
    answer(connection, status, meta(out).view());
}

Writer& Floor::meta(Writer& out)
{
    out << R"(,"meta":{"request_id":"floor/HenSmZafLH-)";
    out.padded(++served_, 6) << R"(","timestamp":")" << clock_.timestamp.data();
    return out.padded(static_cast<unsigned long>(clock_.now.tv_nsec), 9) << "Z\"}}\n";
}

void Floor::answer(
    Connection& connection, std::string_view status, std::string_view body, std::string_view headers
)
{
    Writer out(connection.out.data() + connection.out_used);
    out << "HTTP/1.1 " << status << "\r\nDate: " << clock_.date.data() << "\r\n"
        << headers
        << "X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n"
           "Referrer-Policy: strict-origin-when-cross-origin\r\nContent-Security-Policy: default-src "
           "'self'\r\n"
           "X-Request-Id: floor/HenSmZafLH-";
    out.padded(served_, 6);
    if (!body.empty()) {
        out << "\r\nContent-Length: " << body.size();
    }
    out << "\r\n\r\n" << body;
    connection.out_used += out.view().size();
}

void Floor::flush(Connection& connection)
{
    if (connection.out_used == 0 || connection.socket < 0) {
        return;
    }
    const auto sent = send(connection.socket, connection.out.data(), connection.out_used, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        close(connection);
        return;
    }
    const auto left = connection.out_used - static_cast<std::size_t>(sent < 0 ? 0 : sent);
    std::memmove(connection.out.data(), connection.out.data() + connection.out_used - left, left);
    connection.out_used = left;
    if (const bool blocked = left > 0; blocked != connection.blocked) {
        connection.blocked = blocked;
        watch(EPOLL_CTL_MOD, connection.socket, blocked ? EPOLLOUT : EPOLLIN);
    }
}

// A socket whose answer is still under way keeps its number until then: the next connection must not inherit
// the answer.
void Floor::close(Connection& connection)
{
    connection.gone = true;
    if (connection.waiting) {
        watch(EPOLL_CTL_DEL, connection.socket, 0);
    } else {
        ::close(connection.socket);
        connection.socket = -1;
    }
}

std::string setting(const char* name, const char* otherwise)
{
    const char* value = std::getenv(name);
    return value != nullptr ? value : otherwise;
}

}  // namespace

}  // namespace bench

int main(int argc, char** argv)
{
    bench::Floor::Stores stores;
    for (int word = 1; word < argc; word += 2) {
        const std::string_view name = argv[word];
        auto* store = name == "--postgres" ? &stores.postgres
                      : name == "--sqlite" ? &stores.sqlite
                      : name == "--redis"  ? &stores.redis
                      : name == "--list"   ? &stores.list
                                           : nullptr;
        if (store == nullptr || word + 1 == argc) {
            std::fputs(
                "usage: bench_floor [--postgres URL | --sqlite FILE] [--redis PORT] [--list FILE]\n", stderr
            );
            return EXIT_FAILURE;
        }
        *store = argv[word + 1];
    }
    try {
        const bench::TokenCheck::Expected expected{
            .secret = bench::setting("JWT_ACCESS_SECRET", ""),
            .issuer = bench::setting("JWT_ISSUER", "everything-backend-starter-kit"),
            .audience = bench::setting("JWT_AUDIENCE", "everything-backend-starter-kit-api"),
        };
        bench::Floor(expected, stores).serve();
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "bench_floor: %s\n", failure.what());
        return EXIT_FAILURE;
    }
}
