#include "platform/db/sqlite/writer.hpp"

#include "platform/db/statement_span.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <pthread.h>

namespace kit::db::sqlite {

namespace {

constexpr Query begin_group{.name = "sqlite.begin", .sql = "BEGIN IMMEDIATE"};
constexpr Query commit_group{.name = "sqlite.commit", .sql = "COMMIT"};
constexpr Query rollback_group{.name = "sqlite.rollback", .sql = "ROLLBACK"};
constexpr Query open_savepoint{.name = "sqlite.savepoint", .sql = "SAVEPOINT job"};
constexpr Query keep_savepoint{.name = "sqlite.release", .sql = "RELEASE job"};
constexpr Query undo_savepoint{.name = "sqlite.undo", .sql = "ROLLBACK TO job"};

constexpr std::chrono::seconds control_time_max{2};  // COMMIT and ROLLBACK wait for nothing but the disk

// A transaction of the writer: every statement runs at once on its thread. After a failed one it takes no
// more, as on PostgreSQL.
class WriterTransaction final : public Transaction {
    template <class Work>
    auto guarded(Work work)
    {
        if (failed_) {
            std::rethrow_exception(failed_);
        }
        try {
            return work();
        } catch (...) {
            failed_ = std::current_exception();
            throw;
        }
    }

public:
    WriterTransaction(Connection& connection, Clock& clock, SteadyTime deadline, const Abandoned& abandoned)
        : connection_(connection), clock_(clock), deadline_(deadline), abandoned_(abandoned)
    {
    }

    Engine engine() const override { return Engine::sqlite; }

    Task<Rows> run(Statement statement) override
    {
        return traced(Engine::sqlite, statement, run_here(statement));
    }

    Task<std::vector<Rows>> run_all(std::span<const Statement> statements) override
    {
        std::vector<Rows> results;
        results.reserve(statements.size());
        for (const auto& statement : statements) {
            results.push_back(co_await run(statement));
        }
        co_return results;
    }

    Task<void> run_script(std::string_view sql) override
    {
        guarded([&] {
            connection_.run_script(sql, clock_.steady_now() + script_time_max);
            deadline_ = std::max(deadline_, clock_.steady_now() + control_time_max);
            return 0;
        });
        co_return;
    }

    const std::exception_ptr& failed() const { return failed_; }

private:
    Task<Rows> run_here(Statement statement) { co_return run_now(statement); }

    Rows run_now(const Statement& statement)
    {
        return guarded([&] { return connection_.run(statement, deadline_, &abandoned_); });
    }

    Connection& connection_;
    Clock& clock_;
    SteadyTime deadline_;
    const Abandoned& abandoned_;
    std::exception_ptr failed_;
};

}  // namespace

Writer::Writer(const Settings& settings, Clock& clock, std::size_t queue_max)
    : clock_(clock),
      queue_max_(queue_max),
      connection_(settings, Access::write, clock),
      guard_(loop_.get_executor())
{
    thread_ = std::thread([this] {
        pthread_setname_np(pthread_self(), "sqlite-writer");
        loop_.run();
    });
}

Writer::~Writer()
{
    stop();
}

void Writer::stop()
{
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    guard_.reset();
    if (thread_.joinable()) {
        thread_.join();
    }
}

std::pair<bool, std::size_t> Writer::load() const
{
    const std::lock_guard lock(mutex_);
    return {draining_, queue_.size()};
}

void Writer::submit(std::unique_ptr<Job> job)
{
    if (auto refused = enqueue(job)) {
        job->failed = std::move(refused);
        Job::finish(std::move(job));
    }
}

// Takes the job, or says why not.
std::exception_ptr Writer::enqueue(std::unique_ptr<Job>& job)
{
    const std::lock_guard lock(mutex_);
    if (stopping_) {
        return std::make_exception_ptr(Unavailable("the database is closed"));
    }
    if (queue_.size() >= queue_max_) {
        return std::make_exception_ptr(Overloaded("the database writer's queue is full"));
    }
    queue_.push_back(std::move(job));
    if (!std::exchange(draining_, true)) {
        // Under the lock, so that stop() cannot let the loop run out in between.
        asio::co_spawn(loop_, drain(), [](const std::exception_ptr& broken) {
            if (broken) {
                std::rethrow_exception(broken
                );  // every failure belongs to a job: this one would lose callers
            }
        });
    }
    return nullptr;
}

std::unique_ptr<Job> Writer::next(bool to_share)
{
    const std::lock_guard lock(mutex_);
    if (queue_.empty() || (to_share && queue_.front()->alone)) {
        return nullptr;
    }
    auto job = std::move(queue_.front());
    queue_.pop_front();
    return job;
}

Task<void> Writer::drain()
{
    while (true) {
        auto job = next(false);
        if (!job) {
            const std::lock_guard lock(mutex_);
            if (queue_.empty()) {
                draining_ = false;
                co_return;
            }
            continue;
        }
        co_await run_group(std::move(job));
        connection_.checkpoint_if_due();
    }
}

void Writer::control(const Query& query, SteadyTime deadline)
{
    connection_.run({.query = &query, .values = {}}, deadline);
}

// Waits for other processes that write, until the first job's deadline. False when that failed the job.
bool Writer::begin(Job& first)
{
    try {
        control(begin_group, first.deadline);
        return true;
    } catch (...) {
        first.failed = std::current_exception();
        return false;
    }
}

Task<void> Writer::run_group(std::unique_ptr<Job> first)
{
    if (!begin(*first)) {
        Job::finish(std::move(first));
        co_return;
    }
    const auto last_start = clock_.steady_now() + group_time_max;
    Jobs jobs;
    for (auto job = std::move(first); job; job = next(true)) {
        const bool shares = !jobs.empty();
        const auto patience = shares ? clock_.steady_now() + shared_time_max : SteadyTime::max();
        co_await run_job(*job, std::min(job->deadline, patience));
        job->alone = shares && job->failed && clock_.steady_now() >= patience;
        const bool is_slow = job->alone;
        jobs.push_back(std::move(job));
        if (connection_.idle()) {
            repeat(std::move(jobs));  // SQLite has rolled everything back: an interrupted write, a full disk
            co_return;
        }
        if (is_slow) {
            Jobs slow;
            slow.push_back(std::move(jobs.back()));
            jobs.pop_back();
            slow.front()->failed = nullptr;
            put_back(std::move(slow));
            break;
        }
        if (jobs.size() >= group_jobs_max || clock_.steady_now() >= last_start) {
            break;
        }
    }
    commit(std::move(jobs));
}

// All but the last are innocent and run again; the last one too if it was only too slow for company.
void Writer::repeat(Jobs jobs)
{
    const auto* culprit = jobs.back().get();
    if (!culprit->failed) {
        jobs.back()->failed = std::make_exception_ptr(Unavailable("the transaction was rolled back"));
    }
    const auto reason = culprit->failed;
    Jobs again;
    for (auto& job : jobs) {
        const bool may_run_again = job.get() != culprit || job->alone;
        if (may_run_again && ++job->attempts < Database::transaction_attempts_max) {
            job->failed = nullptr;
            again.push_back(std::move(job));
        } else {
            job->failed = reason;
            Job::finish(std::move(job));
        }
    }
    put_back(std::move(again));
}

void Writer::put_back(Jobs jobs)
{
    const std::lock_guard lock(mutex_);
    queue_.insert(queue_.begin(), std::make_move_iterator(jobs.begin()), std::make_move_iterator(jobs.end()));
}

void Writer::commit(Jobs jobs)
{
    std::exception_ptr failed;
    try {
        control(commit_group, clock_.steady_now() + control_time_max);
        commits_.fetch_add(1, std::memory_order_release);
    } catch (...) {
        failed = std::current_exception();
    }
    if (failed && !connection_.idle()) {
        roll_back();
    }
    for (auto& job : jobs) {
        if (failed) {
            job->failed = failed;
        }
        Job::finish(std::move(job));
    }
}

Task<void> Writer::run_job(Job& job, SteadyTime deadline)
{
    if (clock_.steady_now() >= job.deadline) {
        job.failed =
            std::make_exception_ptr(DeadlineExceeded("the database writer was busy until the deadline"));
        co_return;
    }
    if (job.abandoned->load(std::memory_order_relaxed)) {
        job.failed = std::make_exception_ptr(Cancelled("the caller has gone before the writer was free"));
        co_return;
    }
    if (job.body != nullptr) {
        co_await run_body(job, deadline);
        co_return;
    }
    try {
        // A failed statement leaves nothing behind.
        job.rows = connection_.run(job.statement, deadline, job.abandoned.get());
    } catch (...) {
        job.failed = std::current_exception();
    }
}

Task<void> Writer::run_body(Job& job, SteadyTime deadline)
{
    const ActiveSpan active_span(job.span);
    WriterTransaction transaction(connection_, clock_, deadline, *job.abandoned);
    bool keep = false;
    try {
        control(open_savepoint, clock_.steady_now() + control_time_max);
        keep = co_await (*job.body)(transaction);
        if (transaction.failed()) {
            std::rethrow_exception(transaction.failed()
            );  // the body looked away; what failed cannot be committed
        }
        if (keep && connection_.has_open_references()) {
            throw ConstraintViolation(
                ConstraintViolation::Kind::foreign_key, "commit: a deferred foreign key is violated"
            );
        }
    } catch (...) {
        job.failed = std::current_exception();
        keep = false;
    }
    if (!connection_.idle()) {
        close_savepoint(job, keep);
    }
}

void Writer::close_savepoint(Job& job, bool keep)
{
    const auto deadline = clock_.steady_now() + control_time_max;
    try {
        if (!keep) {
            control(undo_savepoint, deadline);
        }
        control(keep_savepoint, deadline);
    } catch (...) {
        job.failed = std::current_exception();
        roll_back();
    }
}

// Leaves no transaction behind, whatever the disk does: SQLite ends it even when it cannot undo it cleanly.
void Writer::roll_back() noexcept
{
    try {
        control(rollback_group, clock_.steady_now() + control_time_max);
    } catch (const std::exception&) {
        return;
    }
}

}  // namespace kit::db::sqlite
