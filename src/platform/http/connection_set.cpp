#include "platform/http/connection_set.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>

#include <utility>

namespace kit::http {

namespace {

// How late a deadline may be noticed. One walk through the connections costs less than a timer for each.
constexpr std::chrono::milliseconds sweep_interval{200};
constexpr std::chrono::milliseconds closing_sweep_interval{50};
constexpr std::chrono::milliseconds drain_interval{10};
// For cancelled handlers to unwind before the drain gives them up.
constexpr std::chrono::seconds unwind_time_max{1};

constexpr std::size_t spare_scratches_max = 32;
constexpr std::size_t kept_bytes_max = 64UL * 1024;
// Room behind the largest head, for reading a body in pieces.
constexpr std::size_t body_piece_bytes_min = 4096;

void keep_small(std::string& text)
{
    if (text.capacity() > kept_bytes_max) {
        text = std::string();
    }
    text.clear();
}

}  // namespace

void ServerContext::fault(const std::exception_ptr& exception) const
{
    if (!on_fault) {
        return;
    }
    try {
        std::rethrow_exception(exception);
    } catch (const std::exception& error) {
        on_fault(error.what());
    } catch (...) {
        on_fault("not a std::exception");
    }
}

ConnectionSet::ConnectionSet(std::shared_ptr<ServerContext> context, Executor executor)
    : context_(std::move(context)),
      executor_(std::move(executor)),
      input_bytes_(
          2 + context_->limits.request_line_bytes_max + 2 + context_->limits.header_bytes_max +
          body_piece_bytes_min
      )
{
}

void ConnectionSet::adopt(const Tcp& protocol, Descriptor descriptor, std::string peer)
{
    Socket socket(executor_);
    boost::system::error_code error;
    if (context_->connections.load(std::memory_order_relaxed) < context_->limits.connections_max) {
        socket.assign(protocol, descriptor.get(), error);
    }
    if (!socket.is_open()) {
        return;
    }
    descriptor.release();
    auto connection = std::make_unique<Connection>(shared_from_this(), std::move(socket), std::move(peer));
    connections_.push_back(*connection);
    auto& reference = *connection;
    // The handler owns the connection: it, and the signal in it, outlive the coroutine.
    auto handler = [connection = std::move(connection),
                    context = context_](const std::exception_ptr& exception) {
        if (exception) {
            context->fault(exception);
        }
    };
    asio::co_spawn(
        executor_, reference.serve(), asio::bind_cancellation_slot(reference.slot(), std::move(handler))
    );
    if (!sweeping_) {
        sweeping_ = true;
        asio::co_spawn(
            executor_,
            sweep(),
            asio::bind_cancellation_slot(
                wake_sweep_.slot(),
                [self = shared_from_this()](const std::exception_ptr& exception) {
                    // The drain ends it by cancellation.
                    if (exception && !self->closing_) {
                        self->sweeping_ = false;
                        self->context_->fault(exception);
                    }
                }
            )
        );
    }
}

Task<void> ConnectionSet::sweep()
{
    while (!connections_.empty()) {
        co_await context_->clock.sleep_for(closing_ ? closing_sweep_interval : sweep_interval);
        tick();
    }
    sweeping_ = false;  // in the step that saw the set empty: the next connection starts another one
}

void ConnectionSet::tick()
{
    const auto time = now();
    for (auto next = connections_.begin(); next != connections_.end();) {
        auto& connection = *next++;
        connection.on_tick(time);
    }
}

Task<std::size_t> ConnectionSet::drain(SteadyTime deadline)
{
    closing_ = true;
    while (!connections_.empty() && now() < deadline) {
        tick();
        co_await context_->clock.sleep_for(drain_interval);
    }
    std::size_t cancelled = 0;
    for (auto next = connections_.begin(); next != connections_.end();) {
        auto& connection = *next++;
        cancelled += connection.abort() ? 1 : 0;
    }
    const auto give_up = now() + unwind_time_max;
    while (!connections_.empty() && now() < give_up) {
        co_await context_->clock.sleep_for(drain_interval);
    }
    wake_sweep_.emit(asio::cancellation_type::terminal);
    co_return cancelled;
}

std::unique_ptr<Scratch> ConnectionSet::take_scratch()
{
    if (spare_.empty()) {
        return std::make_unique<Scratch>(input_bytes_);
    }
    auto scratch = std::move(spare_.back());
    spare_.pop_back();
    return scratch;
}

void ConnectionSet::give_back(std::unique_ptr<Scratch> scratch)
{
    if (spare_.size() < spare_scratches_max) {
        keep_small(scratch->body);
        keep_small(scratch->out);
        spare_.push_back(std::move(scratch));
    }
}

}  // namespace kit::http
