#include "platform/db/postgres/postgres.hpp"

#include "platform/db/postgres/codec.hpp"
#include "platform/db/postgres/libpq.hpp"
#include "platform/db/postgres/pool.hpp"
#include "platform/db/postgres/subscription.hpp"
#include "platform/db/statement_span.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <future>

namespace kit::db {

namespace postgres {

namespace {

constexpr Query ping_query{.name = "db.ping", .sql = "SELECT 1"};
constexpr Query commit_query{.name = "postgres.commit", .sql = "COMMIT"};
constexpr std::chrono::milliseconds repeat_delay{2
};  // before a conflicting transaction's second attempt; twice before the third

// On any of the pool's connections, or, with `lease`, on that one.
struct Place {
    Pool& pool;
    Connection* lease = nullptr;
    bool may_be_cancelled = true;
};

OperationPointer make_operation(Operation::Kind kind, const Pool& pool)
{
    auto operation = std::make_unique<Operation>(kind);
    operation->deadline = pool.deadline();
    return operation;
}

OperationPointer make_operation(const Statement& statement, const Pool& pool)
{
    check_parameters(statement);
    auto operation = make_operation(Operation::Kind::statements, pool);
    operation->single = statement;
    operation->statements = {&operation->single, 1};
    return operation;
}

// Suspends the caller until the operation is answered.
Task<Answer> perform(Place place, OperationPointer operation)
{
    const KeepSpan keep;
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void(Answer)>(
        [place](auto handler, OperationPointer queued) {
            const auto slot = asio::get_associated_cancellation_slot(handler);
            queued->done = [handler = std::move(handler)](Answer answer) mutable {
                std::move(handler)(std::move(answer));
            };
            if (place.may_be_cancelled && slot.is_connected()) {
                queued->cancellation = slot;
                queued->cancellation.assign([&pool = place.pool, raw = queued.get()](asio::cancellation_type
                                            ) { pool.cancel(*raw); });
            }
            if (place.lease != nullptr) {
                place.pool.submit_to(*place.lease, std::move(queued));
            } else {
                place.pool.submit(std::move(queued));
            }
        },
        use_task,
        std::move(operation)
    );
}

// A connection for one transaction. Given back in any case, and rolled back unless committed.
class Lease {
public:
    Lease(std::weak_ptr<Pool> pool, std::shared_ptr<Connection> connection)
        : pool_(std::move(pool)), connection_(std::move(connection))
    {
    }

    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    ~Lease()
    {
        // The pool is gone when a suspended transaction ends together with its worker.
        if (const auto pool = pool_.lock()) {
            pool->release(connection_, is_open);
        }
    }

    Connection& connection() const { return *connection_; }

    bool is_open = false;  // BEGIN was sent, and neither COMMIT nor its refusal has ended it

private:
    std::weak_ptr<Pool> pool_;
    std::shared_ptr<Connection> connection_;
};

class PostgresTransaction final : public Transaction {
public:
    PostgresTransaction(Pool& pool, Lease& lease) : pool_(pool), lease_(lease) {}

    Engine engine() const override { return Engine::postgres; }

    Task<Rows> run(Statement statement) override
    {
        return traced(Engine::postgres, statement, run_here(statement));
    }

    Task<std::vector<Rows>> run_all(std::span<const Statement> statements) override
    {
        return traced(Engine::postgres, statements, run_all_here(statements));
    }

    Task<void> run_script(std::string_view sql) override
    {
        if (!lease_.is_open) {
            co_await send(make_operation(Operation::Kind::statements, pool_));
        }
        auto operation = make_operation(Operation::Kind::script, pool_);
        operation->deadline = pool_.clock().steady_now() + script_time_max;
        operation->script = "SET LOCAL statement_timeout = 0;";
        operation->script += sql;
        co_await send(std::move(operation));
    }

    // Throws what a statement has failed with, even if the body looked away: the server would commit nothing.
    Task<void> commit()
    {
        static constexpr Statement statement{.query = &commit_query, .values = {}};
        return lease_.is_open ? traced(Engine::postgres, statement, commit_here()) : commit_here();
    }

    bool should_repeat() const { return repeat_; }

private:
    Task<Rows> run_here(Statement statement)
    {
        auto results = co_await send(make_operation(statement, pool_));
        co_return std::move(results.front());
    }

    Task<std::vector<Rows>> run_all_here(std::span<const Statement> statements)
    {
        std::ranges::for_each(statements, check_parameters);
        auto operation = make_operation(Operation::Kind::statements, pool_);
        operation->statements = statements;
        co_return co_await send(std::move(operation));
    }

    Task<void> commit_here()
    {
        if (failed_) {
            std::rethrow_exception(failed_);
        }
        if (!lease_.is_open) {
            co_return;
        }
        auto operation = make_operation({.query = &commit_query, .values = {}}, pool_);
        const Place place{.pool = pool_, .lease = &lease_.connection(), .may_be_cancelled = false};
        const auto answer = co_await perform(place, std::move(operation));
        if (answer.failed) {
            note(answer);
            std::rethrow_exception(failed_
            );  // a connection lost here leaves the outcome unknown: never repeated
        }
        lease_.is_open = false;
    }

    Task<std::vector<Rows>> send(OperationPointer operation)
    {
        if (failed_) {
            std::rethrow_exception(failed_);
        }
        operation->begin = !std::exchange(lease_.is_open, true);
        auto answer = co_await perform({.pool = pool_, .lease = &lease_.connection()}, std::move(operation));
        if (answer.failed) {
            note(answer);
            std::rethrow_exception(failed_);
        }
        co_return std::move(answer.results);
    }

    void note(const Answer& answer)
    {
        failed_ = answer.failed;
        repeat_ = answer.repeat_transaction;
    }

    Pool& pool_;
    Lease& lease_;
    std::exception_ptr failed_;
    bool repeat_ = false;
};

class PostgresDatabase final : public Database {
public:
    PostgresDatabase(const std::string& url, Workers& workers, Clock& clock, const DatabaseOptions& options)
        : workers_(workers),
          clock_(clock),
          options_(options),
          target_(parse_target(url, options.query_time_max))
    {
        for (std::size_t worker = 0; worker < workers.size(); ++worker) {
            pools_.push_back(
                std::make_shared<Pool>(target_, workers.executor(worker), resolver_, clock, options)
            );
        }
    }

    Engine engine() const override { return Engine::postgres; }

    Task<Rows> run(Statement statement) override
    {
        const auto worker = Workers::current();
        if (worker >= pools_.size()) {
            return on_first_worker(run_here(*pools_.front(), statement));
        }
        return traced(Engine::postgres, statement, run_here(*pools_[worker], statement));
    }

    Task<std::vector<Rows>> run_all(std::span<const Statement> statements) override
    {
        const auto worker = Workers::current();
        if (worker >= pools_.size()) {
            return on_first_worker(run_all_here(*pools_.front(), statements));
        }
        return traced(Engine::postgres, statements, run_all_here(*pools_[worker], statements));
    }

    Task<std::vector<Rows>> run_atomically(std::span<const Statement> statements) override
    {
        const auto worker = Workers::current();
        if (worker >= pools_.size()) {
            return on_first_worker(run_atomically_here(*pools_.front(), statements));
        }
        return traced(Engine::postgres, statements, run_atomically_here(*pools_[worker], statements));
    }

    Task<void> listen(std::string channel, std::function<void(std::string_view)> receive) override
    {
        Subscription subscription(target_, resolver_, clock_, std::move(channel), std::move(receive));
        co_await subscription.run();
    }

    Task<void> ping() override { co_await run({.query = &ping_query, .values = {}}); }

    DatabaseLoad load() const override
    {
        DatabaseLoad sum;
        for (const auto& pool : pools_) {
            const auto load = pool->load();
            sum.used += load.used;
            sum.idle += load.idle;
            sum.waiting += load.waiting;
        }
        return sum;
    }

    void close() override;

protected:
    Task<void> run_transaction(const TransactionBody& body) override
    {
        const auto worker = Workers::current();
        if (worker >= pools_.size()) {
            return on_first_worker(run_transaction_here(pools_.front(), body));
        }
        return run_transaction_here(pools_[worker], body);
    }

private:
    // Commands and tests call from threads that are no worker.
    template <class T>
    Task<T> on_first_worker(Task<T> work)
    {
        co_return co_await asio::co_spawn(workers_.executor(0), std::move(work), use_task);
    }

    static Task<Rows> run_here(Pool& pool, Statement statement)
    {
        auto answer = co_await perform({.pool = pool}, make_operation(statement, pool));
        if (answer.failed) {
            std::rethrow_exception(answer.failed);
        }
        co_return std::move(answer.results.front());
    }

    static Task<std::vector<Rows>> run_all_here(Pool& pool, std::span<const Statement> statements);
    Task<std::vector<Rows>> run_atomically_here(Pool& pool, std::span<const Statement> statements);
    Task<void> wait_before(int attempt);
    Task<void> run_transaction_here(std::shared_ptr<Pool> pool, const TransactionBody& body);
    Task<bool> try_transaction(std::shared_ptr<Pool> pool, const TransactionBody& body);

    Workers& workers_;
    Clock& clock_;
    DatabaseOptions options_;
    Target target_;
    BlockingPool resolver_{{.name = "db-resolver", .threads_max = 1, .queue_max = 64}};
    std::vector<std::shared_ptr<Pool>> pools_;
};

// What run_all waits for: its statements are operations of their own.
struct Join {
    std::vector<Rows> results;
    std::exception_ptr failed{};
    std::size_t left;
    std::move_only_function<void()> done{};
};

Task<std::vector<Rows>> PostgresDatabase::run_all_here(Pool& pool, std::span<const Statement> statements)
{
    if (statements.empty()) {
        co_return std::vector<Rows>();
    }
    std::ranges::for_each(statements, check_parameters);
    const auto join = std::make_shared<Join>(
        Join{.results = std::vector<Rows>(statements.size()), .left = statements.size()}
    );
    const KeepSpan keep;
    co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(
        [&pool, join, statements](auto handler) {
            join->done = [handler = std::move(handler)]() mutable { std::move(handler)(); };
            for (std::size_t index = 0; index < statements.size(); ++index) {
                auto operation = make_operation(statements[index], pool);
                operation->done = [join, index](Answer answer) {
                    if (!answer.failed) {
                        join->results[index] = std::move(answer.results.front());
                    } else if (!join->failed) {
                        join->failed = std::move(answer.failed);
                    }
                    if (--join->left == 0) {
                        std::exchange(join->done, nullptr)();
                    }
                };
                pool.submit(std::move(operation));
            }
        },
        use_task
    );
    if (join->failed) {
        std::rethrow_exception(join->failed);
    }
    co_return std::move(join->results);
}

// Before a conflicting transaction's attempt other than the first. Two that hit each other must not start
// again in step: the clock's last digits are as good as chance here.
Task<void> PostgresDatabase::wait_before(int attempt)
{
    const auto jitter =
        std::chrono::microseconds(clock_.steady_now().time_since_epoch().count() / 1'000 % 1'000);
    co_await clock_.sleep_for(repeat_delay * (attempt - 1) + jitter);
}

// Statements between two Syncs are one implicit transaction.
Task<std::vector<Rows>> PostgresDatabase::run_atomically_here(
    Pool& pool, std::span<const Statement> statements
)
{
    std::ranges::for_each(statements, check_parameters);
    for (int attempt = 1;; ++attempt) {
        auto operation = make_operation(Operation::Kind::statements, pool);
        operation->statements = statements;
        auto answer = co_await perform({.pool = pool}, std::move(operation));
        if (!answer.failed) {
            co_return std::move(answer.results);
        }
        if (!answer.repeat_transaction || attempt == transaction_attempts_max) {
            std::rethrow_exception(answer.failed);
        }
        co_await wait_before(attempt + 1);
    }
}

Task<void> PostgresDatabase::run_transaction_here(std::shared_ptr<Pool> pool, const TransactionBody& body)
{
    const telemetry::ChildSpan span(transaction_span_name);
    for (int attempt = 1; attempt <= transaction_attempts_max; ++attempt) {
        if (attempt > 1) {
            co_await wait_before(attempt);
        }
        if (co_await try_transaction(pool, body)) {
            co_return;
        }
    }
    throw Unavailable("the transaction met a conflict in every attempt");
}

// False: a conflict ended it, and it may be repeated.
Task<bool> PostgresDatabase::try_transaction(std::shared_ptr<Pool> pool, const TransactionBody& body)
{
    auto answer = co_await perform({.pool = *pool}, make_operation(Operation::Kind::lease, *pool));
    if (answer.failed) {
        std::rethrow_exception(answer.failed);
    }
    Lease lease(pool, std::move(answer.leased));
    PostgresTransaction transaction(*pool, lease);
    try {
        if (co_await body(transaction)) {
            co_await transaction.commit();
        }
    } catch (...) {
        if (!transaction.should_repeat()) {
            throw;
        }
    }
    co_return !transaction.should_repeat();
}

void PostgresDatabase::close()
{
    // Twice a statement's time covers one that has just begun, and the rescue of its connection.
    const auto time_max = options_.query_time_max * 2;
    std::vector<std::future<void>> closings;
    for (std::size_t worker = 0; worker < pools_.size(); ++worker) {
        auto closed = std::make_shared<std::promise<void>>();
        closings.push_back(closed->get_future());
        asio::post(workers_.executor(worker), [pool = pools_[worker], closed] {
            pool->close([closed] { closed->set_value(); });
        });
    }
    for (auto& closing : closings) {
        closing.wait_for(time_max);
    }
    resolver_.stop();
}

}  // namespace

}  // namespace postgres

std::unique_ptr<Database> open_postgres(
    const std::string& url, Workers& workers, Clock& clock, const DatabaseOptions& options
)
{
    postgres::load_libpq();
    return std::make_unique<postgres::PostgresDatabase>(url, workers, clock, options);
}

}  // namespace kit::db
