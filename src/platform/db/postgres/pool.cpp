#include "platform/db/postgres/pool.hpp"

#include "platform/core/span_task.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>

namespace kit::db::postgres {

namespace {

constexpr Query cancel_query{.name = "postgres.cancel", .sql = "SELECT pg_cancel_backend($1)"};
constexpr Query rollback_query{.name = "postgres.rollback", .sql = "ROLLBACK"};

OperationPointer internal_operation(const Query& query, std::vector<Value> values)
{
    auto operation = std::make_unique<Operation>(Operation::Kind::statements);
    operation->internal = true;
    operation->values = std::move(values);
    operation->single = {.query = &query, .values = operation->values};
    operation->statements = {&operation->single, 1};
    return operation;
}

std::exception_ptr unavailable(const std::string& reason)
{
    return std::make_exception_ptr(Unavailable(reason));
}

}  // namespace

Pool::Pool(
    Target target, Executor executor, BlockingPool& resolver, Clock& clock, const DatabaseOptions& options
)
    : target_(std::move(target)),
      executor_(std::move(executor)),
      resolver_(resolver),
      clock_(clock),
      options_(options)
{
}

Pool::~Pool() = default;

DatabaseLoad Pool::load() const
{
    return {.used = used_, .idle = idle_, .waiting = queued_};
}

void Pool::publish_load()
{
    const auto used = std::ranges::count_if(connections_, [](const auto& connection) {
        return connection->leased || connection->depth() > 0;
    });
    used_.store(static_cast<std::size_t>(used), std::memory_order_relaxed);
    idle_.store(connections_.size() - static_cast<std::size_t>(used), std::memory_order_relaxed);
    queued_.store(waiting_.size() + leases_.size(), std::memory_order_relaxed);
}

void Pool::refuse(OperationPointer operation, std::exception_ptr reason)
{
    operation->fail(std::move(reason));
    asio::post(executor_, [operation = std::move(operation)] { operation->answer(); });
}

// Deadlines come in order, but for scripts and what is repeated: the place is at the end or near it.
void Pool::watch(Operation& operation)
{
    auto place = deadlines_.end();
    while (place != deadlines_.begin() && std::prev(place)->deadline > operation.deadline) {
        --place;
    }
    deadlines_.insert(place, operation);
    if (!sweeping_) {
        sweeping_ = true;
        spawn(sweep());
    }
}

void Pool::submit(OperationPointer operation)
{
    if (closing_) {
        refuse(std::move(operation), unavailable("the database is closed"));
    } else if (down_) {
        refuse(std::move(operation), unavailable(down_reason_));
    } else if (waiting_.size() + leases_.size() >= options_.queue_max) {
        refuse(
            std::move(operation),
            std::make_exception_ptr(Overloaded("too many statements wait for a connection"))
        );
    } else {
        watch(*operation);
        place(std::move(operation));
        publish_load();
    }
}

void Pool::place(OperationPointer operation)
{
    if (operation->kind == Operation::Kind::lease) {
        leases_.push_back(std::move(operation));
        serve_leases();
        return;
    }
    auto* connection = waiting_.empty() ? pick(*operation) : nullptr;
    if (connection != nullptr) {
        connection->submit(std::move(operation));
        return;
    }
    waiting_.push_back(std::move(operation));
    open_another();
}

void Pool::submit_to(Connection& connection, OperationPointer operation)
{
    if (!connection.is_open()) {
        refuse(std::move(operation), lost_connection());
        return;
    }
    operation->in_transaction = true;
    watch(*operation);
    connection.submit(std::move(operation));
}

// Brief reads meet on the first connection that is not busy and share its packets. What may wait for a lock
// or a disk goes where the least is under way: on a connection of its own as long as one may be opened, so
// that commits run side by side and hold up no read.
Connection* Pool::pick(const Operation& operation)
{
    const bool brief = operation.is_brief();
    Connection* least = nullptr;
    for (const auto& connection : connections_) {
        if (connection->leased || connection->reserved || connection->suspect || connection->retired) {
            continue;
        }
        if (brief && connection->depth() < depth_busy) {
            return connection.get();
        }
        if (least == nullptr || connection->depth() < least->depth() + (brief ? 0 : 1)) {
            least = connection.get();
        }
    }
    if (least == nullptr || least->depth() > 0) {
        open_another();
    }
    return least != nullptr && least->depth() < depth_max ? least : nullptr;
}

void Pool::serve_waiting()
{
    while (!waiting_.empty()) {
        if (waiting_.front()->answered()) {
            waiting_.pop_front();
            continue;
        }
        auto* connection = pick(*waiting_.front());
        if (connection == nullptr) {
            return;
        }
        auto operation = std::move(waiting_.front());
        waiting_.pop_front();
        connection->submit(std::move(operation));
    }
}

std::shared_ptr<Connection> Pool::find_idle()
{
    std::shared_ptr<Connection> idle;
    for (const auto& connection : connections_) {
        if (!connection->leased && !connection->suspect && !connection->retired && connection->depth() == 0) {
            idle = connection;  // the last: statements without a transaction meet on the first
        }
    }
    return idle;
}

// One connection is left to statements without a transaction, where there are two or more.
void Pool::serve_leases()
{
    const auto leased_max = std::max<std::size_t>(1, options_.connections_per_worker_max - 1);
    while (!leases_.empty()) {
        if (leases_.front()->answered()) {
            leases_.pop_front();
            continue;
        }
        const auto leased =
            std::ranges::count_if(connections_, [](const auto& connection) { return connection->leased; });
        if (static_cast<std::size_t>(leased) >= leased_max) {
            return;
        }
        auto connection = find_idle();
        if (!connection) {
            reserve_one();
            return;
        }
        connection->leased = true;
        connection->reserved = false;
        auto operation = std::move(leases_.front());
        leases_.pop_front();
        operation->leased = std::move(connection);
        asio::post(executor_, [self = shared_from_this(), operation = std::move(operation)] {
            if (operation->answered()) {
                self->release(operation->leased, false);
            }
            operation->answer();
        });
    }
}

void Pool::reserve_one()
{
    if (can_open()) {
        open_another();
        return;
    }
    const auto is_free = [](const auto& connection) { return !connection->leased && !connection->suspect; };
    if (std::ranges::none_of(connections_, &Connection::reserved, [](const auto& pointer) -> Connection& {
            return *pointer;
        })) {
        const auto last = std::ranges::find_if(connections_.rbegin(), connections_.rend(), is_free);
        if (last != connections_.rend()) {
            (*last)->reserved = true;
        }
    }
}

void Pool::release(const std::shared_ptr<Connection>& connection, bool roll_back)
{
    connection->leased = false;
    if (roll_back && connection->is_open()) {
        auto operation = internal_operation(rollback_query, {});
        operation->deadline = clock_.steady_now() + options_.query_time_max;
        submit_to(*connection, std::move(operation));
    }
    on_progress(*connection);
}

// What the server works on then is cancelled at once. What waits behind something else is skipped or, if it
// is sent already, stays watched: its deadline ends it.
void Pool::cancel(Operation& operation)
{
    operation.fail(std::make_exception_ptr(Cancelled("the statement's caller is gone")));
    operation.stop_listening();
    auto connection = operation.connection == nullptr ? nullptr : operation.connection->shared_from_this();
    // Not within the signal's emission. The operation itself stays where it is until the server has answered
    // it.
    asio::post(
        executor_,
        [self = shared_from_this(),
         connection = std::move(connection),
         done = std::exchange(operation.done, nullptr),
         reason = operation.failed]() mutable {
            done({.failed = std::move(reason)});
            if (connection != nullptr && !self->closing_) {
                const auto* head = connection->head();
                if (head != nullptr && head->answered()) {
                    self->suspect(*connection);
                }
            }
        }
    );
}

void Pool::on_progress(Connection& connection)
{
    if (connection.retired && connection.depth() == 0 && !connection.leased) {
        connection.close(lost_connection());  // comes back here through on_closed
        return;
    }
    auto* head = connection.head();
    if (connection.suspect && head != nullptr && head->answered() && !head->cancel_requested) {
        request_cancel(connection);
    }
    if (head == nullptr && connection.suspect) {
        connection.suspect = false;
    }
    serve_waiting();
    serve_leases();
    publish_load();
    finish_closing();
}

void Pool::on_closed(Connection& connection)
{
    reads_of_closed_ += connection.reads();
    std::erase_if(connections_, [&connection](const auto& other) { return other.get() == &connection; });
    if (connections_.empty() && !down_ && !closing_) {
        open_another();  // finds out at once whether the server is there
    }
    asio::post(executor_, [self = shared_from_this()] {
        self->serve_waiting();
        self->serve_leases();
        self->publish_load();
        self->finish_closing();
    });
}

void Pool::on_repeat(OperationPointer operation)
{
    if (closing_ || down_) {
        operation->fail(unavailable(down_ ? down_reason_ : "the database is closed"));
        operation->answer();
        return;
    }
    place(std::move(operation));
}

bool Pool::can_open() const
{
    // One more where a statement is to be cancelled: that needs a connection of its own.
    const bool one_more =
        std::ranges::any_of(connections_, [](const auto& connection) { return connection->suspect; });
    return connections_.size() + opening_ < options_.connections_per_worker_max + (one_more ? 1 : 0);
}

void Pool::open_another()
{
    if (opening_ == 0 && can_open() && !down_ && !closing_) {
        ++opening_;
        spawn(open_connection());
    }
}

// False when the server cannot be reached; `down_reason_` then says why.
Task<bool> Pool::try_connect()
{
    try {
        const auto deadline = clock_.steady_now() + options_.query_time_max;
        auto handle = co_await connect(target_, resolver_, clock_, deadline);
        if (!closing_) {
            auto connection = std::make_shared<Connection>(std::move(handle), executor_, catalogue_, *this);
            connections_.push_back(connection);
            connection->start();
            down_ = false;
        }
        co_return true;
    } catch (const DeadlineExceeded&) {
        down_reason_ = "the database does not answer";
    } catch (const std::exception& error) {
        down_reason_ = error.what();
    }
    co_return false;
}

Task<void> Pool::open_connection()
{
    const bool connected = co_await try_connect();
    --opening_;
    if (closing_) {
        co_return;
    }
    if (connected) {
        serve_waiting();
        serve_leases();
        publish_load();
    } else if (connections_.empty()) {
        mark_down(std::string(down_reason_));
    } else {
        // The server has no room for another, so its statements wait for those that there are.
        ++opening_;
        co_await clock_.sleep_for(reconnect_delay_max);
        --opening_;
    }
}

void Pool::mark_down(const std::string& reason)
{
    if (down_ || closing_) {
        return;
    }
    down_ = true;
    down_reason_ = reason;
    const auto failed = unavailable(reason);
    const auto connections = connections_;
    for (const auto& connection : connections) {
        if (connection->depth() > 0) {
            connection->close(failed);
        }
    }
    for (auto* queue : {&waiting_, &leases_}) {
        auto operations = std::move(*queue);
        queue->clear();
        for (auto& operation : operations) {
            refuse(std::move(operation), failed);
        }
    }
    spawn(reconnect());
}

Task<void> Pool::reconnect()
{
    auto delay = reconnect_delay_min;
    while (down_ && !closing_) {
        co_await clock_.sleep_for(delay);
        if (down_) {
            co_await try_connect();
        }
        delay = std::min(delay * 2, reconnect_delay_max);
    }
}

Task<void> Pool::sweep()
{
    while (!deadlines_.empty()) {
        const auto now = clock_.steady_now();
        if (deadlines_.front().deadline > now) {
            co_await clock_.sleep_until(deadlines_.front().deadline);
            continue;
        }
        expire(deadlines_.front());
    }
    sweeping_ = false;
}

void Pool::expire(Operation& operation)
{
    const auto connection =
        operation.connection == nullptr ? nullptr : operation.connection->shared_from_this();
    operation.fail(std::make_exception_ptr(DeadlineExceeded("the database did not answer in time")));
    operation.answer();  // may run the caller: `operation` stays, for its connection or queue owns it
    if (connection != nullptr) {
        suspect(*connection);
    }
    std::erase_if(waiting_, [](const auto& waiting) { return waiting->answered(); });
    std::erase_if(leases_, [](const auto& waiting) { return waiting->answered(); });
}

void Pool::suspect(Connection& connection)
{
    if (!connection.is_open() || connection.suspect || connection.head() == nullptr) {
        return;
    }
    connection.suspect = true;
    request_cancel(connection);
    spawn(rescue(connection.shared_from_this()));
}

// Asks the server, on another connection, to end the statement it works on. Another one may be hit instead:
// it is repeated.
void Pool::request_cancel(Connection& connection)
{
    connection.head()->cancel_requested = true;
    auto operation = internal_operation(cancel_query, {Value(connection.server_process())});
    operation->deadline = clock_.steady_now() + rescue_time_max;
    watch(*operation);
    place(std::move(operation));
}

std::uint64_t Pool::signs_of_life() const
{
    auto reads = reads_of_closed_;
    for (const auto& connection : connections_) {
        reads += connection->reads();
    }
    return reads;
}

// Gives an overdue connection a last chance. If not one of the worker's connections said anything meanwhile,
// it is the server that is silent: further statements fail at once, until it takes a new connection.
Task<void> Pool::rescue(std::shared_ptr<Connection> connection)
{
    while (connection->is_open() && connection->suspect) {
        const auto finished = connection->finished();
        const auto life = signs_of_life();
        co_await clock_.sleep_for(rescue_time_max);
        if (!connection->is_open() || !connection->suspect) {
            co_return;
        }
        if (connection->finished() == finished) {
            const bool server_is_silent = signs_of_life() == life;
            connection->close(unavailable("the database did not answer in time"));
            if (server_is_silent) {
                mark_down("the database does not answer");
            }
            co_return;
        }
        const auto* head = connection->head();
        connection->suspect = head != nullptr && head->answered();
    }
}

void Pool::spawn(Task<void> task)
{
    const auto place = background_.emplace(background_.end());
    const auto finish = [this, place](const std::exception_ptr& failed) {
        background_.erase(place);
        if (failed && !closing_) {
            std::rethrow_exception(failed
            );  // they end by themselves or by close(): anything else is a broken invariant
        }
        finish_closing();
    };
    // For the pool itself, whichever request it was that found it lacking.
    asio::co_spawn(
        executor_, under_span({}, std::move(task)), asio::bind_cancellation_slot(place->slot(), finish)
    );
}

void Pool::close(std::function<void()> closed)
{
    closing_ = true;
    closed_ = std::move(closed);
    for (auto* queue : {&waiting_, &leases_}) {
        auto operations = std::move(*queue);
        queue->clear();
        for (auto& operation : operations) {
            refuse(std::move(operation), unavailable("the database is closed"));
        }
    }
    finish_closing();
}

void Pool::finish_closing()
{
    if (!closing_ || !closed_) {
        return;
    }
    const auto is_busy = [](const auto& connection) { return connection->leased || connection->depth() > 0; };
    if (std::ranges::any_of(connections_, is_busy)) {
        return;
    }
    const auto connections = std::move(connections_);
    connections_.clear();
    for (const auto& connection : connections) {
        connection->close(lost_connection());
    }
    for (auto& signal : background_) {
        signal.emit(asio::cancellation_type::terminal);
    }
    if (background_.empty()) {
        std::exchange(closed_, nullptr)();
    }
}

}  // namespace kit::db::postgres
