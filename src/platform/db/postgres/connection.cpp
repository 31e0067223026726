#include "platform/db/postgres/connection.hpp"

#include <boost/asio/post.hpp>
#include <libpq-fe.h>

#include <fcntl.h>

namespace kit::db::postgres {

namespace {

constexpr Query begin_transaction{.name = "postgres.begin", .sql = "BEGIN"};
constexpr int repeats_max = 2;  // of one statement that a neighbour's trouble hit

// libpq closes its socket when it likes, so the event loop watches a descriptor of its own for it.
int duplicate(int socket)
{
    const int copy = ::fcntl(socket, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
        throw Unavailable("no file descriptor for a database connection");
    }
    return copy;
}

std::string_view statement_name(const Operation& operation, std::size_t execution)
{
    if (operation.begin) {
        if (execution == 0) {
            return begin_transaction.name;
        }
        --execution;
    }
    return operation.statements[execution].query->name;
}

}  // namespace

Catalogue::Entry& Catalogue::find(const Query& query)
{
    const auto found = entries_.find(&query);
    if (found != entries_.end()) {
        return found->second;
    }
    const auto number = entries_.size();
    return entries_.emplace(&query, Entry{.number = number, .name = "q" + std::to_string(number)})
        .first->second;
}

Connection::Connection(ConnectionHandle handle, Executor executor, Catalogue& catalogue, Listener& listener)
    : handle_(std::move(handle)),
      executor_(std::move(executor)),
      descriptor_(executor_, duplicate(PQsocket(handle_.get()))),
      catalogue_(catalogue),
      listener_(listener)
{
}

Connection::~Connection() = default;

int Connection::server_process() const
{
    return PQbackendPID(handle_.get());
}

void Connection::start()
{
    wait_readable();
}

void Connection::submit(OperationPointer operation)
{
    operation->connection = this;
    outbox_.push_back(std::move(operation));
    if (flush_posted_ || !is_open()) {
        return;
    }
    flush_posted_ = true;
    asio::post(executor_, [self = shared_from_this()] {
        self->flush_posted_ = false;
        self->flush();
    });
}

void Connection::close(const std::exception_ptr& reason)
{
    if (!is_open()) {
        return;
    }
    const auto self = shared_from_this();
    descriptor_.close();
    handle_.reset();
    for (auto& operation : in_flight_) {
        operation->fail(reason);
        operation->repeat = false;  // the server may have run it
        finished_operations_.push_back(std::move(operation));
    }
    in_flight_.clear();
    for (auto& operation : outbox_) {
        operation->connection = nullptr;
        operation->fail(reason);
        operation->repeat = !operation->in_transaction;  // the server cannot have seen it
        finished_operations_.push_back(std::move(operation));
    }
    outbox_.clear();
    listener_.on_closed(*this);
    answer_finished();
}

void Connection::answer_finished()
{
    auto finished = std::move(finished_operations_);
    finished_operations_.clear();
    for (auto& operation : finished) {
        const bool repeat = operation->repeat && !operation->answered() && ++operation->runs <= repeats_max;
        if (!repeat) {
            operation->answer();
            continue;
        }
        operation->repeat = false;
        operation->failed = nullptr;
        operation->results.clear();
        listener_.on_repeat(std::move(operation));
    }
}

void Connection::flush()
{
    while (is_open() && !outbox_.empty()) {
        if (outbox_.front()->answered()) {
            outbox_.pop_front();
            continue;
        }
        if (!send_next()) {
            close(lost_connection());
            return;
        }
    }
    if (is_open()) {
        write_rest();
    }
    if (is_open() && depth() == 0) {
        listener_.on_progress(*this);
    }
}

bool Connection::joins_batch(const Operation& operation) const
{
    return operation.kind == Operation::Kind::statements && !operation.in_transaction &&
           operation.statements.size() == 1 && operation.runs == 0 && operation.statements[0].query->brief &&
           is_prepared(operation.statements[0]);
}

// Sends the head of the outbox and, if it is brief, the brief ones behind it: they share a Sync, hence one
// packet, one answer and one turn of the server. All other statements have a Sync for themselves: it is the
// end of the implicit transaction.
bool Connection::send_next()
{
    const bool batch = joins_batch(*outbox_.front());
    std::size_t sent = 0;
    bool more = true;
    while (more) {
        auto operation = std::move(outbox_.front());
        outbox_.pop_front();
        more = batch && ++sent < batch_max && !outbox_.empty() && !outbox_.front()->answered() &&
               joins_batch(*outbox_.front());
        const bool is_sent = send(*operation);
        const bool is_script = operation->kind == Operation::Kind::script;
        operation->ends_segment = !more;
        in_flight_.push_back(std::move(operation));
        if (!is_sent || (!more && !is_script && PQpipelineSync(handle_.get()) == 0)) {
            return false;
        }
    }
    return true;
}

bool Connection::send(Operation& operation)
{
    operation.commands = 0;
    operation.commands_done = 0;
    operation.aborted = false;
    operation.cancel_requested = false;
    operation.preparing.clear();
    if (operation.kind == Operation::Kind::script) {
        return send_script(operation);
    }
    const Statement begin{.query = &begin_transaction, .values = {}};
    if (operation.begin && !prepare(operation, begin)) {
        return false;
    }
    for (const auto& statement : operation.statements) {
        if (!prepare(operation, statement)) {
            return false;
        }
    }
    if (operation.begin && !send_statement(operation, begin)) {
        return false;
    }
    for (const auto& statement : operation.statements) {
        if (!send_statement(operation, statement)) {
            return false;
        }
    }
    return true;
}

bool Connection::is_prepared(const Statement& statement) const
{
    const auto number = catalogue_.find(*statement.query).number;
    return number < prepared_.size() && prepared_[number];
}

bool Connection::prepare(Operation& operation, const Statement& statement)
{
    if (is_prepared(statement)) {
        return true;
    }
    const auto& entry = catalogue_.find(*statement.query);
    const std::string sql(statement.query->sql);
    if (PQsendPrepare(handle_.get(), entry.name.c_str(), sql.c_str(), 0, nullptr) == 0) {
        return false;
    }
    prepared_.resize(std::max(prepared_.size(), entry.number + 1));
    prepared_[entry.number] = true;
    operation.preparing.push_back(entry.number);
    ++operation.commands;
    return true;
}

bool Connection::send_statement(Operation& operation, const Statement& statement)
{
    constexpr int binary = 1;
    parameters_.encode(statement);
    ++operation.commands;
    return PQsendQueryPrepared(
               handle_.get(),
               catalogue_.find(*statement.query).name.c_str(),
               parameters_.count(),
               parameters_.values(),
               parameters_.lengths(),
               parameters_.formats(),
               binary
           ) == 1;
}

// Several statements in one text need the simple protocol, which the pipeline does not have: left for the
// time of the script. The connection belongs to a transaction, so nothing else is in flight.
bool Connection::send_script(Operation& operation)
{
    return PQexitPipelineMode(handle_.get()) == 1 &&
           PQsendQuery(handle_.get(), operation.script.c_str()) == 1;
}

void Connection::write_rest()
{
    if (writing_) {
        return;
    }
    const int rest = PQflush(handle_.get());
    if (rest < 0) {
        close(lost_connection());
        return;
    }
    if (rest == 0) {
        return;
    }
    writing_ = true;
    descriptor_.async_wait(
        Descriptor::wait_write,
        [self = shared_from_this()](const boost::system::error_code& error) {
            self->writing_ = false;
            if (!error && self->is_open()) {
                self->write_rest();
            }
        }
    );
}

void Connection::wait_readable()
{
    descriptor_.async_wait(
        Descriptor::wait_read,
        [self = shared_from_this()](const boost::system::error_code& error) {
            if (!error && self->is_open()) {
                self->on_readable();
            }
        }
    );
}

void Connection::on_readable()
{
    ++reads_;
    const bool alive = PQconsumeInput(handle_.get()) == 1;
    take_results();
    if (!alive || PQstatus(handle_.get()) != CONNECTION_OK) {
        close(lost_connection());
        return;
    }
    wait_readable();
    answer_finished();
    if (is_open()) {
        write_rest();
    }
    if (is_open()) {
        listener_.on_progress(*this);
    }
}

void Connection::take_results()
{
    bool ended = false;  // a null ends a command; a second one in a row means that libpq has nothing for us
    while (!in_flight_.empty() && PQisBusy(handle_.get()) == 0) {
        ResultHandle result(PQgetResult(handle_.get()));
        if (result) {
            ended = false;
            take_result(std::move(result));
        } else if (std::exchange(ended, true) || PQstatus(handle_.get()) != CONNECTION_OK) {
            return;
        } else {
            end_command();
        }
    }
}

void Connection::take_result(ResultHandle result)
{
    auto& operation = *head();
    switch (PQresultStatus(result.get())) {
        case PGRES_PIPELINE_SYNC:
            finish_head();
            return;
        case PGRES_TUPLES_OK:
        case PGRES_COMMAND_OK:
            if (operation.kind == Operation::Kind::statements &&
                operation.commands_done >= operation.preparing.size()) {
                keep_rows(operation, std::move(result));
            }
            return;
        case PGRES_PIPELINE_ABORTED:
            operation.aborted = !operation.failed;
            return;
        default:
            keep_failure(operation, result.get());
    }
}

void Connection::keep_rows(Operation& operation, ResultHandle result)
{
    auto execution = operation.commands_done - operation.preparing.size();
    if (operation.answered() || operation.internal || (operation.begin && execution == 0)) {
        return;
    }
    execution -= operation.begin ? 1 : 0;
    const auto& query = *operation.statements[execution].query;
    auto& entry = catalogue_.find(query);
    const auto count = static_cast<std::size_t>(PQnfields(result.get()));
    if (count != (entry.columns ? entry.columns->size() : 0)) {
        entry.columns = column_names(result.get());
    }
    try {
        operation.results.push_back(decode(std::move(result), entry.columns, query.name));
    } catch (...) {
        operation.fail(std::current_exception());
    }
}

void Connection::keep_failure(Operation& operation, const pg_result* result)
{
    // A caller who is gone took the statements along; what is left to know is whether they were prepared.
    const auto prepares = operation.preparing.size();
    for (auto index = operation.commands_done; index < prepares; ++index) {
        prepared_[operation.preparing[index]] = false;
    }
    std::string_view name = "script";
    if (operation.answered()) {
        name = "abandoned";
    } else if (operation.kind == Operation::Kind::statements) {
        const bool is_execution =
            operation.commands_done >= prepares && operation.commands_done < operation.commands;
        name = is_execution ? statement_name(operation, operation.commands_done - prepares)
                            : operation.statements.back().query->name;
    }
    const auto failure = failure_of(result, name);
    operation.fail(failure.exception);
    retired = retired || failure.remedy == Remedy::reconnect;
    operation.repeat_transaction = failure.remedy == Remedy::repeat_transaction;
    operation.repeat = !operation.in_transaction && !operation.cancel_requested &&
                       (failure.remedy == Remedy::repeat_statement || failure.remedy == Remedy::reconnect);
}

void Connection::end_command()
{
    auto& operation = *head();
    if (operation.kind == Operation::Kind::script) {
        PQenterPipelineMode(handle_.get());
        finish_head();
        return;
    }
    if (operation.commands_done == operation.commands) {
        return;  // the end of a failure that came with the Sync: a deferred constraint
    }
    ++operation.commands_done;
    if (operation.commands_done == operation.commands && !operation.ends_segment) {
        finish_head();
    }
}

void Connection::finish_head()
{
    auto operation = std::move(in_flight_.front());
    in_flight_.pop_front();
    ++finished_;
    if (operation->aborted && !operation->failed) {
        operation->fail(lost_connection());
        operation->repeat = !operation->in_transaction;
    }
    operation->connection = nullptr;
    finished_operations_.push_back(std::move(operation));
}

}  // namespace kit::db::postgres
