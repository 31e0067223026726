// One connection in pipeline mode. Lives on one worker; nothing here blocks.
#pragma once

#include "platform/db/postgres/codec.hpp"
#include "platform/db/postgres/errors.hpp"
#include "platform/db/postgres/handles.hpp"
#include "platform/db/postgres/operation.hpp"

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace kit::db::postgres {

// What is known about a statement on all connections of a worker.
class Catalogue {
public:
    struct Entry {
        std::size_t number;
        std::string name;  // the server's name for it
        Columns columns{};
    };

    Entry& find(const Query& query);

private:
    std::unordered_map<const Query*, Entry> entries_;
};

class Connection : public std::enable_shared_from_this<Connection> {
public:
    // Brief statements that share a Sync. Beyond, the first one's answer would wait too long for the last
    // one's.
    static constexpr std::size_t batch_max = 16;

    // What the pool learns. Called last: the connection may be gone afterwards.
    class Listener {
    public:
        Listener() = default;
        Listener(const Listener&) = delete;
        Listener& operator=(const Listener&) = delete;
        virtual ~Listener() = default;

        virtual void on_progress(Connection& connection) = 0;
        virtual void on_closed(Connection& connection) = 0;
        // A statement that must be sent again, with a caller who still waits.
        virtual void on_repeat(OperationPointer operation) = 0;
    };

    Connection(ConnectionHandle handle, Executor executor, Catalogue& catalogue, Listener& listener);
    ~Connection();

    // Starts to read.
    void start();

    // Queues the operation; all of one loop turn are sent together.
    void submit(OperationPointer operation);

    // Ends the connection; what is in flight fails with `reason`.
    void close(const std::exception_ptr& reason);

    std::size_t depth() const { return outbox_.size() + in_flight_.size(); }

    bool is_open() const { return handle_ != nullptr; }

    int server_process() const;

    // Results so far; and whatever bytes came, as a sign of life.
    std::uint64_t finished() const { return finished_; }

    std::uint64_t reads() const { return reads_; }

    // The operation that the server works on, or null.
    Operation* head() const { return in_flight_.empty() ? nullptr : in_flight_.front().get(); }

    bool leased = false;    // to a transaction
    bool reserved = false;  // takes no more, so that a transaction can have it
    bool suspect = false;   // its head is overdue
    bool retired = false;   // its prepared statements are stale

private:
    using Descriptor = asio::posix::basic_stream_descriptor<Executor>;

    void flush();
    bool send_next();
    bool send(Operation& operation);
    bool send_statement(Operation& operation, const Statement& statement);
    bool prepare(Operation& operation, const Statement& statement);
    bool is_prepared(const Statement& statement) const;
    bool send_script(Operation& operation);
    bool joins_batch(const Operation& operation) const;
    void write_rest();
    void wait_readable();
    void on_readable();
    void take_results();
    void take_result(ResultHandle result);
    void keep_rows(Operation& operation, ResultHandle result);
    void keep_failure(Operation& operation, const pg_result* result);
    void end_command();
    void finish_head();
    void answer_finished();

    ConnectionHandle handle_;
    Executor executor_;
    Descriptor descriptor_;
    Catalogue& catalogue_;
    Listener& listener_;
    Parameters parameters_;
    std::vector<bool> prepared_;
    std::deque<OperationPointer> outbox_;
    std::deque<OperationPointer> in_flight_;
    std::vector<OperationPointer> finished_operations_;
    bool flush_posted_ = false;
    bool writing_ = false;
    std::uint64_t finished_ = 0;
    std::uint64_t reads_ = 0;
};

}  // namespace kit::db::postgres
