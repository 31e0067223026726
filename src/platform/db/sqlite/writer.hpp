// The one thread that writes: it runs queued statements and transaction bodies one after another and commits
// many together.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/core/span_context.hpp"
#include "platform/db/database.hpp"
#include "platform/db/sqlite/connection.hpp"

#include <boost/asio/executor_work_guard.hpp>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace kit::db::sqlite {

// What a caller waits for. Its statement or body stays with the caller, who is suspended until `done`.
struct Job {
    using Body = std::function<Task<bool>(Transaction&)>;

    SteadyTime deadline;
    const Body* body = nullptr;  // null: `statement`
    Statement statement{};
    CurrentSpan span{};  // the caller's, for the body to find
    std::shared_ptr<Abandoned> abandoned = std::make_shared<Abandoned>(false);
    Rows rows{};
    std::exception_ptr failed{};
    int attempts = 0;
    bool alone = false;                                          // too slow to share a commit
    std::move_only_function<void(std::unique_ptr<Job>)> done{};  // called once, from any thread

    static void finish(std::unique_ptr<Job> job)
    {
        auto call = std::move(job->done);
        call(std::move(job));
    }
};

class Writer {
public:
    // One commit takes at most this many jobs, and no new one after this time.
    static constexpr std::size_t group_jobs_max = 64;
    static constexpr std::chrono::milliseconds group_time_max{5};
    // A job that takes longer while others wait for the same commit is undone, and done again in a commit of
    // its own.
    static constexpr std::chrono::milliseconds shared_time_max{50};

    Writer(const Settings& settings, Clock& clock, std::size_t queue_max);
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    ~Writer();  // as stop()

    // The job is answered after the commit of what it did: a failure of the commit is a failure of every job
    // in it. One that is abandoned before its last statement has ended is undone. At once, on the calling
    // thread, with Overloaded when the queue is full, with Unavailable when the writer is stopped.
    void submit(std::unique_ptr<Job> job);

    // Runs what is queued, then ends the thread. Idempotent.
    void stop();

    // Whether it works, and how many jobs wait.
    std::pair<bool, std::size_t> load() const;

    // How many commits there have been; counted before their jobs are answered.
    const std::atomic<std::uint64_t>& commits() const { return commits_; }

private:
    using Jobs = std::vector<std::unique_ptr<Job>>;

    std::exception_ptr enqueue(std::unique_ptr<Job>& job);
    std::unique_ptr<Job> next(bool to_share);
    Task<void> drain();
    Task<void> run_group(std::unique_ptr<Job> first);
    Task<void> run_job(Job& job, SteadyTime deadline);
    Task<void> run_body(Job& job, SteadyTime deadline);
    void close_savepoint(Job& job, bool keep);
    void roll_back() noexcept;
    bool begin(Job& first);
    void commit(Jobs jobs);
    void repeat(Jobs jobs);
    void put_back(Jobs jobs);
    void control(const Query& query, SteadyTime deadline);

    Clock& clock_;
    const std::size_t queue_max_;
    Connection connection_;
    std::atomic<std::uint64_t> commits_{0};
    asio::io_context loop_{1};
    asio::executor_work_guard<Executor> guard_;
    mutable std::mutex mutex_;
    std::deque<std::unique_ptr<Job>> queue_;
    bool draining_ = false;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace kit::db::sqlite
