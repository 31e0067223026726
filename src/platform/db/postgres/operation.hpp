// One thing that a caller waits for: statements that end with one Sync, a script, or a connection for a
// transaction.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/db/database.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/intrusive/list.hpp>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace kit::db::postgres {

class Connection;

using DeadlineHook =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

// What the caller gets.
struct Answer {
    std::exception_ptr failed{};
    bool repeat_transaction = false;
    std::vector<Rows> results{};  // one for each statement, without BEGIN's
    std::shared_ptr<Connection> leased{};
};

struct Operation : Answer, DeadlineHook {
    enum class Kind : std::uint8_t { statements, script, lease };
    using Done = std::move_only_function<void(Answer)>;

    explicit Operation(Kind kind_of) : kind(kind_of) {}

    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;

    ~Operation() { stop_listening(); }

    // A caller that no longer waits: its statements and values are gone, its results dropped.
    bool answered() const { return !done && !internal; }

    // Reads of a few rows and nothing else.
    bool is_brief() const
    {
        return kind == Kind::statements &&
               std::ranges::all_of(statements, [](const Statement& each) { return each.query->brief; });
    }

    // Resumes the caller; the operation may be gone afterwards.
    void answer()
    {
        unlink();
        stop_listening();
        internal = false;
        if (auto call = std::exchange(done, nullptr)) {
            call(std::move(static_cast<Answer&>(*this)));
        }
    }

    // The slot serves the caller's next operation from now on.
    void stop_listening()
    {
        if (cancellation.is_connected()) {
            std::exchange(cancellation, {}).clear();
        }
    }

    void fail(std::exception_ptr reason)
    {
        if (!failed) {
            failed = std::move(reason);
        }
    }

    Kind kind;
    SteadyTime deadline{};
    Done done;
    bool internal = false;  // nobody waits: a rollback, a cancel request
    asio::cancellation_slot cancellation{};

    // What to send. The span is the caller's, or holds `single`.
    Statement single{};
    std::span<const Statement> statements{};
    std::vector<Value> values{};  // of `single`, when it is internal
    bool begin = false;           // BEGIN goes first
    bool in_transaction = false;
    std::string script{};

    // Where it stands in the pipeline.
    Connection* connection = nullptr;  // from the moment it is sent
    std::size_t commands = 0;          // sent: preparations, then executions
    std::size_t commands_done = 0;
    std::vector<std::size_t> preparing{};  // the numbers of the statements that it prepares
    bool ends_segment = false;             // a Sync follows it
    bool aborted = false;                  // a neighbour of its segment failed before it
    bool cancel_requested = false;
    bool repeat = false;
    int runs = 0;
};

using OperationPointer = std::unique_ptr<Operation>;

}  // namespace kit::db::postgres
