#include "platform/db/sqlite/sqlite.hpp"

#include "platform/core/blocking_pool.hpp"
#include "platform/db/sqlite/worker_reader.hpp"
#include "platform/db/sqlite/writer.hpp"
#include "platform/db/statement_span.hpp"

#include <atomic>
#include <filesystem>
#include <mutex>
#include <unistd.h>

namespace kit::db {

namespace sqlite {

namespace {

constexpr Query ping_query{.name = "db.ping", .sql = "SELECT 1", .brief = true};

// A file of its own in memory: the same engine, the same locks, no disk.
std::string temporary_path()
{
    static std::atomic<unsigned> number{0};
    const std::filesystem::path memory = "/dev/shm";
    const auto folder =
        std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path();
    return folder / ("kit-" + std::to_string(::getpid()) + "-" + std::to_string(number++) + ".db");
}

void remove_database(const std::string& path)
{
    std::error_code ignored;
    for (const auto* suffix : {"", "-wal", "-shm"}) {
        std::filesystem::remove(path + suffix, ignored);
    }
}

// Removes the temporary file once everything that had it open is gone.
struct TemporaryFile {
    std::string path;

    ~TemporaryFile()
    {
        if (!path.empty()) {
            remove_database(path);
        }
    }
};

// Connections for reads that are not brief: one per thread of the pool at most, kept when idle.
class Readers {
public:
    Readers(const Settings& settings, Clock& clock, const DatabaseOptions& options)
        : settings_(settings),
          clock_(clock),
          pool_(
              {.name = "sqlite-reader",
               .threads_max = options.reader_threads_max,
               .queue_max = options.queue_max}
          )
    {
    }

    BlockingPool& pool() { return pool_; }

    const BlockingPool& pool() const { return pool_; }

    // On the pool's threads: `work(connection)`.
    template <class Work>
    auto with_connection(Work work)
    {
        auto connection = take();
        auto result = work(*connection);
        give_back(std::move(connection));
        return result;
    }

    void close()
    {
        pool_.stop();
        const std::lock_guard lock(mutex_);
        idle_.clear();
    }

private:
    std::unique_ptr<Connection> take()
    {
        {
            const std::lock_guard lock(mutex_);
            if (!idle_.empty()) {
                auto connection = std::move(idle_.back());
                idle_.pop_back();
                return connection;
            }
        }
        return std::make_unique<Connection>(settings_, Access::read, clock_);
    }

    void give_back(std::unique_ptr<Connection> connection)
    {
        const std::lock_guard lock(mutex_);
        idle_.push_back(std::move(connection));
    }

    const Settings& settings_;
    Clock& clock_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Connection>> idle_;
    BlockingPool pool_;
};

class SqliteDatabase final : public Database {
public:
    SqliteDatabase(Settings settings, Workers& workers, Clock& clock, const DatabaseOptions& options)
        : temporary_{.path = settings.in_memory ? settings.path : std::string()},
          settings_(std::move(settings)),
          clock_(clock),
          query_time_max_(options.query_time_max),
          writer_(settings_, clock, options.queue_max),
          readers_(settings_, clock, options)
    {
        for (std::size_t worker = 0; worker < workers.size(); ++worker) {
            worker_readers_.push_back(
                std::make_shared<WorkerReader>(settings_, clock, workers.executor(worker), writer_.commits())
            );
        }
    }

    ~SqliteDatabase() override { SqliteDatabase::close(); }

    Engine engine() const override { return Engine::sqlite; }

    Task<Rows> run(Statement statement) override
    {
        return traced(Engine::sqlite, statement, run_here(statement));
    }

    Task<std::vector<Rows>> run_all(std::span<const Statement> statements) override
    {
        std::vector<Rows> results(statements.size());
        std::exception_ptr first_failed;
        for (std::size_t index = 0; index < statements.size(); ++index) {
            try {
                results[index] = co_await run(statements[index]);
            } catch (...) {
                first_failed = first_failed ? first_failed : std::current_exception();
            }
        }
        if (first_failed) {
            std::rethrow_exception(first_failed);
        }
        co_return results;
    }

    Task<std::vector<Rows>> run_atomically(std::span<const Statement> statements) override
    {
        std::vector<Rows> results;
        const TransactionBody body = [statements, &results](Transaction& transaction) {
            return run_into(results, transaction, statements);
        };
        co_await run_transaction(body);
        co_return results;
    }

    // One process writes, or commands do, whose effects are polled for.
    Task<void> listen(std::string /*channel*/, std::function<void(std::string_view)> /*receive*/) override
    {
        co_return;
    }

    Task<void> ping() override { co_await run({.query = &ping_query, .values = {}}); }

    DatabaseLoad load() const override
    {
        const auto [busy, waiting] = writer_.load();
        return {
            .used = busy ? 1UL : 0UL, .idle = busy ? 0UL : 1UL, .waiting = waiting + readers_.pool().queued()
        };
    }

    void close() override
    {
        closed_ = true;
        for (const auto& reader : worker_readers_) {
            reader->close();
        }
        readers_.close();
        writer_.stop();
    }

protected:
    Task<void> run_transaction(const TransactionBody& body) override
    {
        const telemetry::ChildSpan span(transaction_span_name);
        co_await write(
            {.deadline = clock_.steady_now() + query_time_max_, .body = &body, .span = current_span()}
        );
    }

private:
    static Task<bool> run_into(
        std::vector<Rows>& results, Transaction& transaction, std::span<const Statement> statements
    )
    {
        results = co_await transaction.run_all(statements);
        co_return true;
    }

    Task<Rows> run_here(Statement statement)
    {
        const auto deadline = clock_.steady_now() + query_time_max_;
        auto seen = look(statement);
        if (seen.rows) {
            co_return std::move(*seen.rows);
        }
        if (seen.is_read) {
            co_return co_await read(statement, deadline);
        }
        co_return co_await write({.deadline = deadline, .statement = statement});
    }

    // On a worker: what the statement is, and, if it is brief, its result.
    Seen look(const Statement& statement)
    {
        if (closed_) {
            throw Unavailable("the database is closed");
        }
        const auto worker = Workers::current();
        return worker < worker_readers_.size() ? worker_readers_[worker]->look(statement)
                                               : look_elsewhere(statement);
    }

    // Off the workers (commands, tests) the thread may wait for the file.
    Seen look_elsewhere(const Statement& statement)
    {
        return readers_.with_connection([&](Connection& connection) {
            return Seen{.is_read = connection.is_read(*statement.query), .rows = std::nullopt};
        });
    }

    Task<Rows> read(Statement statement, SteadyTime deadline)
    {
        const auto abandoned = std::make_shared<Abandoned>(false);
        auto job = [this, statement, deadline, abandoned] {
            return readers_.with_connection([&](Connection& connection) {
                return connection.run(statement, deadline, abandoned.get());
            });
        };
        co_return co_await offload(readers_.pool(), std::move(job), [abandoned] { *abandoned = true; });
    }

    // Suspends until the writer has committed or undone the job, also where the caller is cancelled
    // meanwhile: the job refers to the caller's data.
    Task<Rows> write(Job job)
    {
        const KeepSpan keep;
        auto done =
            co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void(std::unique_ptr<Job>)>(
                [this](auto handler, Job queued) {
                    auto executor = asio::get_associated_executor(handler);
                    auto slot = asio::get_associated_cancellation_slot(handler);
                    auto owned = std::make_unique<Job>(std::move(queued));
                    if (slot.is_connected()) {
                        slot.assign([abandoned = owned->abandoned](asio::cancellation_type) {
                            *abandoned = true;
                        });
                    }
                    owned->done = [handler = std::move(handler),
                                   slot,
                                   guard = asio::make_work_guard(executor)](std::unique_ptr<Job> finished
                                  ) mutable {
                        auto target = guard.get_executor();
                        asio::post(
                            target,
                            [handler = std::move(handler), slot, finished = std::move(finished)]() mutable {
                                if (slot.is_connected()) {
                                    slot.clear();  // it serves the caller's next operation from now on
                                }
                                std::move(handler)(std::move(finished));
                            }
                        );
                    };
                    writer_.submit(std::move(owned));
                },
                use_task,
                std::move(job)
            );
        if (done->failed) {
            std::rethrow_exception(done->failed);
        }
        co_return std::move(done->rows);
    }

    TemporaryFile temporary_;
    Settings settings_;
    Clock& clock_;
    std::chrono::milliseconds query_time_max_;
    std::atomic<bool> closed_{false};
    Writer writer_;
    Readers readers_;
    std::vector<std::shared_ptr<WorkerReader>> worker_readers_;
};

}  // namespace

}  // namespace sqlite

std::unique_ptr<Database> open_sqlite(
    const std::string& path, Workers& workers, Clock& clock, const DatabaseOptions& options
)
{
    const bool in_memory = path == sqlite_in_memory;
    sqlite::Settings settings{
        .path = in_memory ? sqlite::temporary_path() : path,
        .synchronous_full = options.synchronous_full,
        .in_memory = in_memory,
    };
    return std::make_unique<sqlite::SqliteDatabase>(std::move(settings), workers, clock, options);
}

}  // namespace kit::db
