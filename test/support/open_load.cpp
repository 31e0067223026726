#include "support/open_load.hpp"

#include "support/descriptor.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <system_error>

namespace kit::test {

namespace {

using Moment = std::chrono::steady_clock;

constexpr LoadTime answer_time_max{10};

struct Connection {
    Descriptor socket;
    std::string out;  // what the socket did not take yet
    std::string in;
    std::size_t request = 0;  // that waits for its answer
    bool busy = false;
};

class Run {
public:
    explicit Run(const OpenLoad& load)
        : load_(load), answers_(static_cast<std::size_t>(load.per_second * load.time.count()))
    {
        for (std::size_t number = 0; number < answers_.size(); ++number) {
            answers_[number].due = LoadTime(static_cast<double>(number) / load.per_second);
        }
    }

    std::vector<LoadAnswer> finish() &&
    {
        const auto end = load_.time + answer_time_max;
        while ((next_ < answers_.size() || waiting_ > 0) && now() < end) {
            while (next_ < answers_.size() && answers_[next_].due <= now()) {
                send(next_++);
            }
            wait();
        }
        return std::move(answers_);
    }

private:
    LoadTime now() const { return Moment::now() - began_; }

    void wait()
    {
        constexpr int patience_ms = 100;
        int limit = patience_ms;
        if (next_ < answers_.size()) {
            const auto left = std::chrono::floor<std::chrono::milliseconds>(answers_[next_].due - now());
            limit = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, patience_ms));
        }
        std::array<epoll_event, 256> events;  // NOLINT(cppcoreguidelines-pro-type-member-init)
        const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), limit);
        for (int index = 0; index < count; ++index) {
            on_event(events[static_cast<std::size_t>(index)]);
        }
    }

    void send(std::size_t number)
    {
        if (idle_.empty()) {
            connect();
        }
        const auto index = idle_.back();
        idle_.pop_back();
        auto& connection = connections_[index];
        connection.request = number;
        connection.busy = true;
        ++waiting_;
        connection.out = load_.request(number);
        write(index);
    }

    void connect()
    {
        auto index = connections_.size();
        if (closed_.empty()) {
            connections_.emplace_back();
        } else {
            index = closed_.back();
            closed_.pop_back();
        }
        auto& connection = connections_[index];
        connection.socket = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(load_.endpoint.port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int on = 1;
        setsockopt(connection.socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        const int failed =
            ::connect(connection.socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
        epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.u64 = index}};
        if ((failed != 0 && errno != EINPROGRESS) ||
            epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection.socket.get(), &event) != 0) {
            throw std::system_error(errno, std::generic_category(), "connect");
        }
        idle_.push_back(index);
    }

    void write(std::size_t index)
    {
        auto& connection = connections_[index];
        if (connection.out.empty()) {
            return;
        }
        const auto sent =
            ::send(connection.socket.get(), connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
        if (sent >= 0) {
            connection.out.erase(0, static_cast<std::size_t>(sent));
        } else if (errno != EAGAIN && errno != ENOTCONN) {
            close(index);
        }
    }

    void on_event(const epoll_event& event)
    {
        const auto index = static_cast<std::size_t>(event.data.u64);
        if ((event.events & EPOLLOUT) != 0) {
            write(index);
        }
        if ((event.events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) {
            read(index);
        }
    }

    void read(std::size_t index)
    {
        std::array<char, 65536> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): recv fills it
        auto& connection = connections_[index];
        while (connection.socket) {
            const auto got = recv(connection.socket.get(), buffer.data(), buffer.size(), 0);
            if (got < 0 && errno == EAGAIN) {
                break;
            }
            if (got <= 0) {
                close(index);
                return;
            }
            connection.in.append(buffer.data(), static_cast<std::size_t>(got));
        }
        if (!connection.busy) {
            return;
        }
        if (const auto taken = take_response(connection.in)) {
            answered(index, taken->response);
        }
    }

    void answered(std::size_t index, const HttpResponse& response)
    {
        auto& connection = connections_[index];
        auto& answer = answers_[connection.request];
        answer.took = now() - answer.due;
        answer.status = response.status;
        answer.says_when = response.header("Retry-After").has_value();
        connection.in.clear();
        connection.busy = false;
        --waiting_;
        if (response.closes()) {
            close(index);
        } else {
            idle_.push_back(index);
        }
    }

    void close(std::size_t index)
    {
        auto& connection = connections_[index];
        if (connection.busy) {
            --waiting_;
        } else {
            std::erase(idle_, index);
        }
        connection = Connection{};
        closed_.push_back(index);
    }

    const OpenLoad& load_;
    const Moment::time_point began_ = Moment::now();
    Descriptor epoll_{epoll_create1(EPOLL_CLOEXEC)};
    std::vector<LoadAnswer> answers_;
    std::deque<Connection> connections_;
    std::vector<std::size_t> idle_;
    std::vector<std::size_t> closed_;
    std::size_t next_ = 0;
    std::size_t waiting_ = 0;
};

}  // namespace

std::vector<LoadAnswer> run(const OpenLoad& load)
{
    return Run(load).finish();
}

LoadTime percentile(std::vector<LoadTime> times, double share)
{
    if (times.empty()) {
        return {};
    }
    std::ranges::sort(times);
    return times[static_cast<std::size_t>(static_cast<double>(times.size() - 1) * share)];
}

}  // namespace kit::test
