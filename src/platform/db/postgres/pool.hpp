// One worker's connections: which statement goes where, deadlines, and what happens when the server does not
// answer.
#pragma once

#include "platform/core/blocking_pool.hpp"
#include "platform/core/clock.hpp"
#include "platform/db/postgres/connection.hpp"
#include "platform/db/postgres/connector.hpp"
#include "platform/db/postgres/operation.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

namespace kit::db::postgres {

// Closed, or destroyed after the worker's loop has ended.
class Pool final : public Connection::Listener, public std::enable_shared_from_this<Pool> {
public:
    // Statements on one connection from which on another is opened, and beyond which none is added.
    static constexpr std::size_t depth_busy = 16;
    static constexpr std::size_t depth_max = 256;
    // How long an overdue statement's connection may take to come back after the cancel request.
    static constexpr std::chrono::milliseconds rescue_time_max{250};
    // Between two attempts to connect while the server is down.
    static constexpr std::chrono::milliseconds reconnect_delay_min{50};
    static constexpr std::chrono::milliseconds reconnect_delay_max{250};

    Pool(
        Target target, Executor executor, BlockingPool& resolver, Clock& clock, const DatabaseOptions& options
    );
    ~Pool() override;

    // All of these only on the worker's thread. The operation is answered in any case, never before submit()
    // has returned.

    // Statements that need no transaction, or a lease on a connection for one.
    void submit(OperationPointer operation);

    // On a leased connection.
    void submit_to(Connection& connection, OperationPointer operation);

    // Ends a lease. `roll_back`: the transaction is open; nobody waits for the end of it.
    void release(const std::shared_ptr<Connection>& connection, bool roll_back);

    // The caller goes away.
    void cancel(Operation& operation);

    // Takes no more, lets what runs end, closes, and calls `closed`.
    void close(std::function<void()> closed);

    DatabaseLoad load() const;  // from any thread

    Clock& clock() { return clock_; }

    // Of a statement that is called for now.
    SteadyTime deadline() const { return clock_.steady_now() + options_.query_time_max; }

    void on_progress(Connection& connection) override;
    void on_closed(Connection& connection) override;
    void on_repeat(OperationPointer operation) override;

private:
    using Deadlines = boost::intrusive::list<Operation, boost::intrusive::constant_time_size<false>>;

    void refuse(OperationPointer operation, std::exception_ptr reason);
    void watch(Operation& operation);
    void place(OperationPointer operation);
    Connection* pick(const Operation& operation);
    void serve_waiting();
    void serve_leases();
    std::shared_ptr<Connection> find_idle();
    void reserve_one();
    bool can_open() const;
    void open_another();
    Task<void> open_connection();
    Task<void> reconnect();
    Task<bool> try_connect();
    void mark_down(const std::string& reason);
    Task<void> sweep();
    void expire(Operation& operation);
    void suspect(Connection& connection);
    void request_cancel(Connection& connection);
    Task<void> rescue(std::shared_ptr<Connection> connection);
    std::uint64_t signs_of_life() const;
    void spawn(Task<void> task);
    void finish_closing();
    void publish_load();

    Target target_;
    Executor executor_;
    BlockingPool& resolver_;
    Clock& clock_;
    DatabaseOptions options_;
    Catalogue catalogue_;
    std::vector<std::shared_ptr<Connection>> connections_;
    std::size_t opening_ = 0;
    std::uint64_t reads_of_closed_ = 0;
    std::deque<OperationPointer> waiting_;  // for a connection
    std::deque<OperationPointer> leases_;   // for one of its own
    Deadlines deadlines_;                   // everything unanswered, soonest first
    bool sweeping_ = false;
    bool down_ = false;  // until a new connection is made
    std::string down_reason_;
    std::list<asio::cancellation_signal> background_;
    bool closing_ = false;
    std::function<void()> closed_;
    std::atomic<std::size_t> used_{0};
    std::atomic<std::size_t> idle_{0};
    std::atomic<std::size_t> queued_{0};
};

}  // namespace kit::db::postgres
