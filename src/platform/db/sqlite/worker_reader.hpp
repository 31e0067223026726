// A worker's own connection, for brief reads on its loop. The reads of one turn of the loop share a snapshot,
// because taking one costs SQLite file locks: system calls, under a lock of the whole process.
// docs/decisions/0038-shared-snapshots.md
#pragma once

#include "platform/core/task.hpp"
#include "platform/db/sqlite/connection.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

namespace kit::db::sqlite {

struct Seen {
    bool is_read = true;
    std::optional<Rows> rows;  // already done
};

class WorkerReader : public std::enable_shared_from_this<WorkerReader> {
public:
    // `commits` counts what the writer of this process has committed, before it says so to anybody.
    WorkerReader(
        const Settings& settings, Clock& clock, Executor worker, const std::atomic<std::uint64_t>& commits
    );

    // On the worker: what the statement is, and, if it is brief, its result. It sees every commit of this
    // process that anybody was told of, and those of other processes up to the turn's first read.
    Seen look(const Statement& statement);

    // From any thread; whoever looks afterwards gets a new connection.
    void close();

private:
    void enter_snapshot();
    void leave_snapshot();

    const Settings& settings_;
    Clock& clock_;
    Executor worker_;
    const std::atomic<std::uint64_t>& commits_;
    std::mutex mutex_;  // for close(): never waited for otherwise
    std::unique_ptr<Connection> connection_;
    bool ends_with_turn_ = false;     // leave_snapshot() is on its way
    std::uint64_t seen_commits_ = 0;  // of an open snapshot
};

}  // namespace kit::db::sqlite
