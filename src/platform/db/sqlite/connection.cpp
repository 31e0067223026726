#include "platform/db/sqlite/connection.hpp"

#include "platform/db/sqlite/errors.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <memory_resource>
#include <mutex>
#include <unistd.h>

namespace kit::db::sqlite {

namespace {

constexpr int progress_steps = 1'000;        // between two looks at the deadline
constexpr int open_wait_ms_max = 2'000;      // for another process that opens or recovers the same file
constexpr int checkpoint_wait_ms_max = 100;  // for readers to leave the write-ahead log
constexpr Query begin_snapshot{.name = "sqlite.begin_reads", .sql = "BEGIN"};
constexpr Query end_snapshot{.name = "sqlite.end_reads", .sql = "COMMIT"};
constexpr std::size_t columns_max = 1'000;  // far above any statement of ours; SQLite's own limit is 2,000

// SQLite would create the file for all to read; its log and index inherit this mode. A file that is there is
// not touched: whoever closes any descriptor of a file drops all POSIX locks of the process on it, those of
// other connections included, and the next process that closes the database would remove the log under them.
void create_private_file(const std::string& path)
{
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file >= 0) {
        ::close(file);
    } else if (errno != EEXIST || ::access(path.c_str(), R_OK | W_OK) != 0) {
        throw Unavailable("cannot open the database file " + path + ": " + std::strerror(errno));
    }
}

void initialise_library()
{
    static std::once_flag once;
    std::call_once(once, [] {
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);  // its counters are a lock shared by all threads
    });
}

std::vector<int> parameter_positions(sqlite3_stmt* statement, const Query& query)
{
    std::vector<int> positions;
    for (int index = 1; index <= sqlite3_bind_parameter_count(statement); ++index) {
        const char* text = sqlite3_bind_parameter_name(statement, index);
        const std::string_view name = text == nullptr ? std::string_view() : std::string_view(text);
        std::size_t number = 0;
        if (name.size() > 1) {
            std::from_chars(name.data() + 1, name.data() + name.size(), number);
        }
        if (number == 0 || number > columns_max || name.front() != '$') {
            throw QueryFailed(std::string(query.name) + ": parameters are $1, $2, …");
        }
        positions.resize(std::max(positions.size(), number), 0);
        positions[number - 1] = index;
    }
    return positions;
}

Columns column_names(sqlite3_stmt* statement)
{
    const int count = sqlite3_column_count(statement);
    if (count == 0) {
        return nullptr;
    }
    auto names = std::make_shared<std::vector<std::string>>();
    for (int column = 0; column < count; ++column) {
        names->emplace_back(sqlite3_column_name(statement, column));
    }
    return names;
}

// Binds without copying: the values outlive the statement's run.
struct Binder {
    sqlite3_stmt* statement;
    int position;

    int operator()(std::monostate) const { return sqlite3_bind_null(statement, position); }

    int operator()(bool value) const { return sqlite3_bind_int(statement, position, value ? 1 : 0); }

    int operator()(std::int64_t value) const { return sqlite3_bind_int64(statement, position, value); }

    int operator()(double value) const { return sqlite3_bind_double(statement, position, value); }

    int operator()(std::string_view value) const
    {
        // An empty view may have no address, which SQLite takes for NULL.
        const char* data = value.empty() ? "" : value.data();
        return sqlite3_bind_text64(statement, position, data, value.size(), SQLITE_STATIC, SQLITE_UTF8);
    }

    int operator()(std::span<const std::byte> value) const
    {
        const void* data = value.empty() ? static_cast<const void*>("") : value.data();
        return sqlite3_bind_blob64(statement, position, data, value.size(), SQLITE_STATIC);
    }

    int operator()(Timestamp value) const
    {
        const auto text = to_fixed_iso8601(value);
        return sqlite3_bind_text64(
            statement, position, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8
        );
    }
};

// The texts of one result: SQLite's own are gone with the next step.
class Texts {
public:
    std::string_view keep(const void* data, int size)
    {
        if (size == 0) {
            return {};
        }
        if (!memory_) {
            memory_ = std::make_shared<std::pmr::monotonic_buffer_resource>();
        }
        auto* copy = static_cast<char*>(memory_->allocate(static_cast<std::size_t>(size), 1));
        std::memcpy(copy, data, static_cast<std::size_t>(size));
        return {copy, static_cast<std::size_t>(size)};
    }

    std::shared_ptr<const void> owner() && { return std::move(memory_); }

private:
    std::shared_ptr<std::pmr::monotonic_buffer_resource> memory_;
};

Cell read_cell(sqlite3_stmt* statement, int column, Texts& texts)
{
    switch (sqlite3_column_type(statement, column)) {
        case SQLITE_INTEGER:
            return {.kind = Cell::Kind::integer, .integer = sqlite3_column_int64(statement, column)};
        case SQLITE_FLOAT:
            return {.kind = Cell::Kind::real, .real = sqlite3_column_double(statement, column)};
        case SQLITE_TEXT: {
            const auto* data = sqlite3_column_text(statement, column);
            return {
                .kind = Cell::Kind::text, .text = texts.keep(data, sqlite3_column_bytes(statement, column))
            };
        }
        case SQLITE_BLOB: {
            const auto* data = sqlite3_column_blob(statement, column);
            return {
                .kind = Cell::Kind::blob, .text = texts.keep(data, sqlite3_column_bytes(statement, column))
            };
        }
        default:
            return {};
    }
}

}  // namespace

void Connection::Closer::operator()(sqlite3* handle) const noexcept
{
    sqlite3_close_v2(handle);
}

void Connection::Finalizer::operator()(sqlite3_stmt* statement) const noexcept
{
    sqlite3_finalize(statement);
}

Connection::Connection(const Settings& settings, Access access, Clock& clock) : clock_(clock), access_(access)
{
    initialise_library();
    create_private_file(settings.path);
    sqlite3* handle = nullptr;
    // No mutex: the owner uses one thread at a time. A reader opens for writing too, because it may have to
    // create the log's index.
    const int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE;
    const int code = sqlite3_open_v2(settings.path.c_str(), &handle, flags, nullptr);
    handle_.reset(handle);
    if (code != SQLITE_OK) {
        throw Unavailable("cannot open the database file " + settings.path + ": " + sqlite3_errstr(code));
    }
    configure(settings, access);
}

Connection::~Connection() = default;

void Connection::configure(const Settings& settings, Access access)
{
    sqlite3_busy_timeout(handle_.get(), open_wait_ms_max);
    sqlite3_db_config(handle_.get(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(handle_.get(), SQLITE_DBCONFIG_DQS_DML, 0, nullptr);  // "x" is a name, never a text
    sqlite3_db_config(handle_.get(), SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
    std::string pragmas =
        "PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 16777216;";
    if (access == Access::write) {
        pragmas += "PRAGMA journal_mode = WAL;";
        pragmas += settings.in_memory          ? "PRAGMA synchronous = OFF;"
                   : settings.synchronous_full ? "PRAGMA synchronous = FULL;"
                                               : "PRAGMA synchronous = NORMAL;";
    } else {
        pragmas += "PRAGMA query_only = ON;";
    }
    if (const int code = sqlite3_exec(handle_.get(), pragmas.c_str(), nullptr, nullptr, nullptr);
        code != SQLITE_OK) {
        throw_failure(handle_.get(), code, "opening " + settings.path);
    }
    sqlite3_progress_handler(
        handle_.get(),
        progress_steps,
        [](void* self) { return static_cast<Connection*>(self)->on_progress(); },
        this
    );
    if (access == Access::write) {
        sqlite3_wal_hook(
            handle_.get(),
            [](void* pages, sqlite3*, const char*, int count) {
                *static_cast<int*>(pages) = count;
                return SQLITE_OK;
            },
            &log_pages_
        );
    }
}

int Connection::on_progress()
{
    steps_left_ -= progress_steps;
    return steps_left_ < 0 || is_abandoned() || clock_.steady_now() >= deadline_ ? 1 : 0;
}

void Connection::limit(SteadyTime deadline, std::int64_t steps_max, const Abandoned* abandoned)
{
    deadline_ = deadline;
    steps_left_ = steps_max;
    abandoned_ = abandoned;
}

bool Connection::is_abandoned() const
{
    return abandoned_ != nullptr && abandoned_->load(std::memory_order_relaxed);
}

Connection::Prepared& Connection::prepare(const Query& query)
{
    if (const auto found = statements_.find(&query); found != statements_.end()) {
        return found->second;
    }
    Prepared prepared;
    sqlite3_stmt* statement = nullptr;
    const char* rest = nullptr;
    const int code = sqlite3_prepare_v3(
        handle_.get(),
        query.sql.data(),
        static_cast<int>(query.sql.size()),
        SQLITE_PREPARE_PERSISTENT,
        &statement,
        &rest
    );
    prepared.statement.reset(statement);
    if (code != SQLITE_OK) {
        throw_prepare_failure(handle_.get(), code, query.name);
    }
    if (statement == nullptr || rest != query.sql.data() + query.sql.size()) {
        throw QueryFailed(std::string(query.name) + ": not exactly one statement");
    }
    prepared.positions = parameter_positions(statement, query);
    prepared.columns = column_names(statement);
    prepared.is_read = sqlite3_stmt_readonly(statement) != 0;
    if (access_ == Access::read && !prepared.is_read) {
        prepared.statement.reset();  // only asked for what it is; the writer has its own
    }
    return statements_.emplace(&query, std::move(prepared)).first->second;
}

bool Connection::is_read(const Query& query)
{
    return prepare(query).is_read;
}

void Connection::bind(const Prepared& prepared, const Statement& statement)
{
    if (prepared.positions.size() != statement.values.size()) {
        throw QueryFailed(std::string(statement.query->name) + ": wrong number of parameters");
    }
    for (std::size_t index = 0; index < statement.values.size(); ++index) {
        if (prepared.positions[index] == 0) {
            continue;  // a number that the statement leaves out
        }
        const Binder binder{.statement = prepared.statement.get(), .position = prepared.positions[index]};
        const auto& value = statement.values[index].storage();
        if (const auto* text = std::get_if<std::string_view>(&value);
            text != nullptr && text->find('\0') != text->npos) {
            throw QueryFailed(std::string(statement.query->name) + ": a text parameter contains a NUL");
        }
        if (const int code = std::visit(binder, value); code != SQLITE_OK) {
            fail(code, statement.query->name);
        }
    }
}

int Connection::step(Prepared& prepared, Rows& rows)
{
    sqlite3_stmt* statement = prepared.statement.get();
    std::vector<Cell> cells;
    Texts texts;
    int code = SQLITE_ROW;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        const int count = sqlite3_column_count(statement);
        for (int column = 0; column < count; ++column) {
            cells.push_back(read_cell(statement, column, texts));
        }
        if (static_cast<std::size_t>(count) != prepared.columns->size()) {
            prepared.columns =
                column_names(statement);  // the schema changed: SQLite prepared the statement again
        }
    }
    sqlite3_reset(statement);
    if (code != SQLITE_DONE) {
        return code;
    }
    const auto affected = prepared.is_read ? 0 : sqlite3_changes64(handle_.get());
    rows = Rows(prepared.columns, std::move(cells), std::move(texts).owner(), affected);
    return SQLITE_OK;
}

Rows Connection::run(const Statement& statement, SteadyTime deadline, const Abandoned* abandoned)
{
    auto& prepared = prepare(*statement.query);
    bind(prepared, statement);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock_.steady_now());
    if (left.count() <= 0) {
        fail(SQLITE_INTERRUPT, statement.query->name);
    }
    sqlite3_busy_timeout(handle_.get(), static_cast<int>(left.count()));
    limit(deadline, std::numeric_limits<std::int64_t>::max(), abandoned);
    Rows rows;
    const int code = step(prepared, rows);
    const bool gone = is_abandoned();
    abandoned_ = nullptr;  // its owner is the caller
    if ((code & 0xff) == SQLITE_INTERRUPT && gone) {
        throw Cancelled(std::string(statement.query->name) + ": the caller is gone");
    }
    if (code != SQLITE_OK) {
        fail(code, statement.query->name);
    }
    return rows;
}

std::optional<Rows> Connection::run_brief(const Statement& statement)
{
    auto& prepared = prepare(*statement.query);
    bind(prepared, statement);
    sqlite3_busy_timeout(handle_.get(), 0);
    limit(SteadyTime::max(), brief_steps_max);
    Rows rows;
    const int code = step(prepared, rows);
    if ((code & 0xff) == SQLITE_INTERRUPT || (code & 0xff) == SQLITE_BUSY) {
        return std::nullopt;
    }
    if (code != SQLITE_OK) {
        fail(code, statement.query->name);
    }
    return rows;
}

void Connection::begin_reads()
{
    control(begin_snapshot);
}

void Connection::end_reads()
{
    control(end_snapshot);
}

// Neither takes or waits for a lock that another connection could hold. What is left of the last read's steps
// is not theirs.
void Connection::control(const Query& query)
{
    limit(SteadyTime::max(), std::numeric_limits<std::int64_t>::max());
    Rows none;
    if (const int code = step(prepare(query), none); code != SQLITE_OK) {
        fail(code, query.name);
    }
}

void Connection::run_script(std::string_view sql, SteadyTime deadline)
{
    limit(deadline, std::numeric_limits<std::int64_t>::max());
    const char* position = sql.data();
    const char* const end = sql.data() + sql.size();
    while (position < end) {
        sqlite3_stmt* raw = nullptr;
        const int size = static_cast<int>(end - position);
        const int prepared = sqlite3_prepare_v2(handle_.get(), position, size, &raw, &position);
        const std::unique_ptr<sqlite3_stmt, Finalizer> statement(raw);
        if (prepared != SQLITE_OK) {
            throw_prepare_failure(handle_.get(), prepared, "script");
        }
        int code = raw == nullptr ? SQLITE_DONE : SQLITE_ROW;  // null: only a comment or blanks
        while (code == SQLITE_ROW) {
            code = sqlite3_step(raw);
        }
        if (code != SQLITE_DONE) {
            throw_prepare_failure(handle_.get(), code, "script");
        }
    }
}

bool Connection::idle() const
{
    return sqlite3_get_autocommit(handle_.get()) != 0;
}

bool Connection::has_open_references() const
{
    int open = 0;
    int unused = 0;
    sqlite3_db_status(handle_.get(), SQLITE_DBSTATUS_DEFERRED_FKS, &open, &unused, 0);
    return open != 0;
}

void Connection::checkpoint_if_due()
{
    if (log_pages_ < checkpoint_pages) {
        return;
    }
    const bool must_restart = log_pages_ >= checkpoint_pages_max;
    sqlite3_busy_timeout(handle_.get(), must_restart ? checkpoint_wait_ms_max : 0);
    // A failure costs nothing now: the log stays and the next commit tries again.
    sqlite3_wal_checkpoint_v2(
        handle_.get(),
        nullptr,
        must_restart ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE,
        nullptr,
        nullptr
    );
    log_pages_ = 0;
}

void Connection::fail(int code, std::string_view name) const
{
    throw_failure(handle_.get(), code, name);
}

}  // namespace kit::db::sqlite
