// One SQLite connection with its prepared statements. Not thread-safe: one thread at a time.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/db/database.hpp"

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace kit::db::sqlite {

enum class Access : std::uint8_t { read, write };

struct Settings {
    std::string path;
    bool synchronous_full = false;
    bool in_memory = false;  // gone with the process: nothing to synchronise
};

// Set, from any thread, once nobody waits for a statement or a transaction any more.
using Abandoned = std::atomic<bool>;

class Connection {
public:
    // A statement that runs longer than this on a worker's loop is started again on a reader's thread.
    static constexpr int brief_steps_max = 20'000;
    // Pages in the write-ahead log (4 KiB each) from which on the writer moves them to the file.
    static constexpr int checkpoint_pages = 1'000;
    // Pages at which the writer even waits, shortly, for readers to leave the log so that it can start again
    // at its beginning.
    static constexpr int checkpoint_pages_max = 16'000;

    Connection(const Settings& settings, Access access, Clock& clock);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection();

    // Does the statement leave the database unchanged? Throws QueryFailed if it is none.
    bool is_read(const Query& query);

    // Runs the statement to its end. Throws DeadlineExceeded at the deadline, Cancelled soon after it was
    // abandoned, otherwise what the failure is.
    Rows run(const Statement& statement, SteadyTime deadline, const Abandoned* abandoned = nullptr);

    // Runs a read within brief_steps_max steps; nothing if it needs more, or would have to wait for another
    // process.
    std::optional<Rows> run_brief(const Statement& statement);

    // The reads in between see one state of the database, that of the first of them.
    void begin_reads();
    void end_reads();

    void run_script(std::string_view sql, SteadyTime deadline);

    // True while no transaction is open.
    bool idle() const;

    // True while a deferred foreign key is violated.
    bool has_open_references() const;

    void checkpoint_if_due();

private:
    struct Closer {
        void operator()(sqlite3* handle) const noexcept;
    };

    struct Finalizer {
        void operator()(sqlite3_stmt* statement) const noexcept;
    };

    struct Prepared {
        std::unique_ptr<sqlite3_stmt, Finalizer> statement;
        std::vector<int>
            positions;  // of $1, $2, …: SQLite numbers parameters in the order in which they first appear
        Columns columns;
        bool is_read = false;
    };

    void configure(const Settings& settings, Access access);
    Prepared& prepare(const Query& query);
    void bind(const Prepared& prepared, const Statement& statement);
    int step(Prepared& prepared, Rows& rows);
    void control(const Query& query);
    void limit(SteadyTime deadline, std::int64_t steps_max, const Abandoned* abandoned = nullptr);
    bool is_abandoned() const;
    int on_progress();
    [[noreturn]] void fail(int code, std::string_view name) const;

    Clock& clock_;
    Access access_;
    std::unique_ptr<sqlite3, Closer> handle_;
    std::unordered_map<const Query*, Prepared> statements_;
    SteadyTime deadline_;
    std::int64_t steps_left_ = 0;
    const Abandoned* abandoned_ = nullptr;
    int log_pages_ = 0;
};

}  // namespace kit::db::sqlite
