// A fresh database of either engine with two workers.
#pragma once

#include "platform/core/block_on.hpp"
#include "platform/core/clock.hpp"
#include "platform/core/workers.hpp"
#include "platform/db/open.hpp"
#include "platform/db/rows.hpp"
#include "support/postgres_cluster.hpp"

#include <gtest/gtest.h>

namespace kit::db {

// Workers whose loops run, and the database on them; all ends in order.
class Opened {
public:
    explicit Opened(const std::string& url, const DatabaseOptions& options = {}) : workers_(2)
    {
        workers_.start();
        database_ = open_database(url, workers_, clock_, options);
    }

    Opened(const Opened&) = delete;
    Opened& operator=(const Opened&) = delete;

    ~Opened()
    {
        database_->close();
        workers_.join();
    }

    Database& operator*() { return *database_; }

    Database* operator->() { return database_.get(); }

    Executor executor(std::size_t worker) { return workers_.executor(worker); }

    template <class T>
    T run(Task<T> task)
    {
        return block_on(workers_.executor(0), std::move(task));
    }

    // Many at once, spread over the workers. What they throw is rethrown at the end of each one's wait.
    template <class T>
    std::vector<std::future<T>> start_all(std::vector<Task<T>> tasks)
    {
        std::vector<std::future<T>> futures;
        futures.reserve(tasks.size());
        for (auto& task : tasks) {
            futures.push_back(asio::co_spawn(executor(futures.size() % 2), std::move(task), asio::use_future)
            );
        }
        return futures;
    }

private:
    Workers workers_;
    SystemClock clock_;
    std::unique_ptr<Database> database_;
};

inline std::string fresh_url(Engine engine)
{
    return engine == Engine::sqlite ? "sqlite::memory:" : test::PostgresCluster::shared().create_database();
}

struct Script {
    std::string_view sql;

    Task<int> operator()(Transaction& transaction) const
    {
        co_await transaction.run_script(sql);
        co_return 0;
    }
};

inline void run_script(Opened& database, std::string_view sql)
{
    database.run(database->transaction(Script{sql}));
}

}  // namespace kit::db
