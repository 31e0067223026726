// The part of a connection that sends a response of unknown length, for as long as it lasts.
#include "platform/http/connection.hpp"
#include "platform/http/connection_set.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/this_coro.hpp>

#include <utility>

namespace kit::http {

namespace {

// The result as values, without a coroutine frame for each operation.
constexpr auto as_values = asio::as_tuple(asio::deferred);

// How often the sweep looks whether a stream's client is there still: streams are many and live long.
constexpr std::chrono::seconds watch_stream_every{1};

}  // namespace

// A stream ends as soon as the server begins to close: its client finds another one.
void Connection::watch_stream(SteadyTime now)
{
    if (stop_ != Stop::none) {
        return;
    }
    if (set_->closing()) {
        stop(Stop::shutdown);
    } else if (now >= deadline_) {
        deadline_ = now + watch_stream_every;
        if (client_is_gone(now)) {
            stop(Stop::client_gone);
        }
    }
}

// After the head, and without the request's buffers: a stream that waits holds little more than a parked
// connection.
Task<void> Connection::send_stream(std::unique_ptr<Stream> stream)
{
    if (!co_await flush()) {
        co_return;
    }
    set_->give_back(std::move(scratch_));
    while (stop_ == Stop::none && !set_->closing()) {
        enter(Phase::stream, watch_stream_every);
        auto piece = co_await next_piece(*stream);
        if (piece.empty()) {
            break;
        }
        if (!co_await send_piece(std::move(piece))) {
            co_return;
        }
    }
    stream.reset();
    if (stop_ != Stop::client_gone) {
        scratch_ = set_->take_scratch();
        co_await close_gently();
    }
}

// Empty at the end, which may be the client's, the server's or a fault.
Task<std::string> Connection::next_piece(Stream& stream)
{
    std::exception_ptr failed;
    std::string piece;
    try {
        piece = co_await stream.next();
    } catch (...) {
        failed = std::current_exception();
    }
    if (stop_ == Stop::none) {
        if (failed) {
            set_->context().fault(failed);
        }
        co_return piece;
    }
    // The cancellation has done its work; what is left is to close.
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_return std::string();
}

// False if the client does not take it in time.
Task<bool> Connection::send_piece(std::string piece)
{
    enter(Phase::write, set_->context().limits.write_time_max);
    std::size_t sent = 0;
    while (sent < piece.size()) {
        const auto [error, size] = co_await socket_.async_write_some(
            asio::buffer(piece.data() + sent, piece.size() - sent), as_values
        );
        if (error) {
            co_return false;
        }
        sent += size;
    }
    co_return true;
}

}  // namespace kit::http
