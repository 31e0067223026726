#include "platform/db/sqlite/worker_reader.hpp"

#include <boost/asio/post.hpp>

namespace kit::db::sqlite {

WorkerReader::WorkerReader(
    const Settings& settings, Clock& clock, Executor worker, const std::atomic<std::uint64_t>& commits
)
    : settings_(settings), clock_(clock), worker_(std::move(worker)), commits_(commits)
{
}

Seen WorkerReader::look(const Statement& statement)
{
    const std::lock_guard lock(mutex_);
    if (!connection_) {
        connection_ = std::make_unique<Connection>(settings_, Access::read, clock_);
    }
    Seen seen{.is_read = connection_->is_read(*statement.query), .rows = std::nullopt};
    if (seen.is_read && statement.query->brief) {
        enter_snapshot();
        seen.rows = connection_->run_brief(statement);
    }
    return seen;
}

void WorkerReader::enter_snapshot()
{
    // Before the snapshot is taken, so that it shows at least these.
    const auto commits = commits_.load(std::memory_order_acquire);
    if (!connection_->idle() && commits != seen_commits_) {
        connection_->end_reads();
    }
    if (connection_->idle()) {
        connection_->begin_reads();
        seen_commits_ = commits;
    }
    if (!std::exchange(ends_with_turn_, true)) {
        asio::post(worker_, [self = shared_from_this()] { self->leave_snapshot(); });
    }
}

void WorkerReader::leave_snapshot()
{
    const std::lock_guard lock(mutex_);
    ends_with_turn_ = false;
    if (!connection_ || connection_->idle()) {
        return;
    }
    try {
        connection_->end_reads();
    } catch (const std::exception&) {
        connection_.reset();  // nobody waits for this: the next look opens another one
    }
}

void WorkerReader::close()
{
    const std::lock_guard lock(mutex_);
    connection_.reset();
}

}  // namespace kit::db::sqlite
