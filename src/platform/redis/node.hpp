// One server as one worker sees it: a connection, opened when it is first needed, what waits on it, and the
// breaker.
#pragma once

#include "platform/redis/breaker.hpp"
#include "platform/redis/connector.hpp"
#include "platform/redis/operation.hpp"
#include "platform/redis/recorder.hpp"

#include <deque>

namespace kit::redis {

class Node : public std::enable_shared_from_this<Node> {
public:
    // What is written at once, and kept where the server takes nothing.
    static constexpr std::size_t unsent_bytes_max = 16UL * 1024 * 1024;

    // The worker's client.
    class Owner {
    public:
        Owner() = default;
        Owner(const Owner&) = delete;
        Owner& operator=(const Owner&) = delete;
        virtual ~Owner() = default;

        // Opens the connection. Throws RedisUnavailable.
        virtual Task<Connected> dial(Node& node) = 0;
        // As a script is sent: its hash.
        virtual std::string_view hash_of(const Script& script) = 0;
        virtual void on_reply(Entry entry, Reply reply) = 0;
        virtual void on_failed(Entry entry, Failure failure, const std::string& reason) = 0;
        // After some of these: whoever has got all that it waits for goes on now.
        virtual void on_answered() = 0;
        // Before anything is sent: what waits may be taken back.
        virtual void on_connected(Node& node, Connected& connected) = 0;
        // The breaker has opened or closed.
        virtual void on_breaker(Node& node, const std::string& reason) = 0;
        virtual void spawn(Task<void> task) = 0;
    };

    struct Context {
        Executor executor;
        const Options& options;
        Clock& clock;
        Random& random;
        WorkerNumbers& numbers;
    };

    Node(config::Endpoint endpoint, Context context, Owner& owner);

    // What is known of the server; of one that is looked for, where it was found last.
    const config::Endpoint& endpoint() const { return endpoint_; }

    // Queues the command; all of one loop turn are sent together. Fails it at once while the breaker is open.
    void submit(Entry entry);

    // Takes back what is not sent.
    std::deque<Entry> release_unsent();

    // Reads what has come, whoever is waiting.
    void poll();

    // It did not answer in time, or answered that it cannot serve: nothing is sent until a new connection
    // shows that it can.
    void fail(Failure failure, const std::string& reason);

    // Fails what waits; nothing is sent any more.
    void close();

    bool is_open() const { return !breaker_.is_open(); }

    std::size_t pending() const { return unsent_.size() + sent_.size(); }

private:
    void post_flush();
    void flush();
    void wait_readable();
    void take_replies();
    void lose(Failure failure, const std::string& reason);
    void drop_stream();
    void drop_all(Failure failure, const std::string& reason);
    void connect();
    Task<void> stay_connected(std::shared_ptr<Node> self);
    Task<bool> try_connect();
    void set_open(bool open);
    void count(std::int64_t waiting);

    config::Endpoint endpoint_;
    Context context_;
    Owner& owner_;
    Breaker breaker_;
    std::shared_ptr<Stream> stream_;
    std::deque<Entry> unsent_;
    std::deque<Entry> sent_;
    std::string buffer_;  // of flush(), kept for its room
    Failure last_failure_ = Failure::connection_lost;
    std::string last_reason_;
    bool flush_posted_ = false;
    bool connecting_ = false;
    bool closed_ = false;
};

}  // namespace kit::redis
