// The client of one worker: where a command goes, how long it may take, and what an error reply leads to.
#pragma once

#include "platform/redis/node.hpp"
#include "platform/redis/server_error.hpp"
#include "platform/telemetry/logger.hpp"

#include <list>
#include <map>
#include <unordered_map>

namespace kit::redis {

// Closed, or destroyed after the worker's loop has ended.
class Worker final : public Node::Owner, public std::enable_shared_from_this<Worker> {
public:
    static constexpr std::uint8_t redirections_max = 5;
    // Before a command is sent again whose keys are on the way from one server to another.
    static constexpr std::chrono::milliseconds try_again_delay{10};
    // Between two looks at a cluster's slots while one of its servers does not answer.
    static constexpr std::chrono::milliseconds slots_refresh_interval{250};

    struct Context {
        Executor executor;
        const Options& options;
        Connector& connector;
        Clock& clock;
        Random& random;
        telemetry::Logger& logger;
        const Recorder& recorder;
        WorkerNumbers& numbers;
    };

    explicit Worker(Context context);

    // All of these only on the worker's thread, but for available(). The operation is answered in any case,
    // never before submit() has returned.
    void submit(const std::shared_ptr<Operation>& operation);

    // The caller goes away.
    void cancel(Operation& operation);

    // Fails what waits and calls `closed` once nothing runs any more.
    void close(std::function<void()> closed);

    bool available() const { return available_.load(std::memory_order_relaxed); }

    Task<Connected> dial(Node& node) override;
    std::string_view hash_of(const Script& script) override;
    void on_reply(Entry entry, Reply reply) override;
    void on_failed(Entry entry, Failure failure, const std::string& reason) override;
    void on_answered() override;
    void on_connected(Node& node, Connected& connected) override;
    void on_breaker(Node& node, const std::string& reason) override;
    void spawn(Task<void> task) override;

private:
    using Deadlines = boost::intrusive::list<Operation, boost::intrusive::constant_time_size<false>>;

    std::shared_ptr<Node> make_node(const config::Endpoint& endpoint);
    Node& node_at(const config::Endpoint& endpoint);
    void dispatch(const Entry& entry);
    Node* choose(const Command& command);
    Node* any_node();
    bool repeat(const Entry& entry, ServerError error, const std::string& text);
    bool redirect(const Entry& entry, ServerError error, const std::string& text);
    Task<void> try_again(std::shared_ptr<Worker> self, Entry entry, std::string reason);
    void suspect(Node& node, ServerError error, const std::string& text);
    void finish(const Entry& entry);
    void adopt(SlotMap slots);
    void refresh_slots();
    Task<void> keep_slots(std::shared_ptr<Worker> self);
    std::vector<config::Endpoint> known_endpoints() const;
    Task<void> sweep(std::shared_ptr<Worker> self);
    void expire(const std::shared_ptr<Operation>& operation);
    void update_available();

    Context context_;
    std::shared_ptr<Node> seed_;  // the server; of a cluster, whichever tells the slots first
    std::map<config::Endpoint, std::shared_ptr<Node>> nodes_;  // of a cluster
    std::optional<SlotMap> slots_;
    std::unordered_map<const char*, std::string> hashes_;  // by the script's text
    Deadlines deadlines_;
    std::vector<std::shared_ptr<Operation>> answered_;
    std::list<asio::cancellation_signal> background_;
    std::function<void()> closed_;
    std::atomic<bool> available_{true};
    bool sweeping_ = false;
    bool refreshing_ = false;
    bool closing_ = false;
};

}  // namespace kit::redis
