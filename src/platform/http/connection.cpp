#include "platform/http/connection.hpp"

#include "platform/http/connection_set.hpp"
#include "platform/http/parser.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <cstring>
#include <poll.h>
#include <utility>

namespace kit::http {

namespace {

// The result as values, without a coroutine frame for each operation.
constexpr auto as_values = asio::as_tuple(asio::deferred);

// A connection that has been silent for so long gives its buffers back.
constexpr std::chrono::milliseconds park_after{150};
// While closing: a request may be on its way to a connection that was just accepted or just answered.
constexpr std::chrono::seconds first_request_grace{1};
constexpr std::chrono::milliseconds next_request_grace{100};
// Before the minimum rate of a body counts.
constexpr std::chrono::seconds body_grace{1};
// A handler that runs longer has the sweep look after its client; one that runs much longer is not for a
// client that has half-closed.
constexpr std::chrono::milliseconds watch_client_after{200};
constexpr std::chrono::seconds half_closed_client_time_max{2};
// Answers to pipelined requests are gathered up to here.
constexpr std::size_t gathered_bytes_max = 64UL * 1024;
constexpr std::size_t body_step_bytes = 16UL * 1024;
constexpr std::size_t input_space_bytes_min = 4096;

constexpr Refusal too_slow{ErrorCode::request_timeout, "request took too long to arrive"};
constexpr Refusal too_large{ErrorCode::payload_too_large, "request body too large"};

}  // namespace

Connection::Connection(std::shared_ptr<ConnectionSet> set, Socket socket, std::string peer)
    : set_(std::move(set)), socket_(std::move(socket)), peer_(std::move(peer)), scratch_(set_->take_scratch())
{
    boost::system::error_code error;
    socket_.non_blocking(true, error);  // so that send() never waits
    enter(Phase::idle, set_->context().limits.idle_time_max);
    set_->remember();
}

Connection::~Connection()
{
    unlink();  // while the set certainly lives
    if (scratch_) {
        set_->give_back(std::move(scratch_));
    }
    set_->forget();
}

Task<void> Connection::serve()
{
    const auto& limits = set_->context().limits;
    const HeadLimits head_limits{
        .request_line_bytes_max = limits.request_line_bytes_max,
        .header_bytes_max = limits.header_bytes_max,
        .header_fields_max = limits.header_fields_max,
    };
    while (true) {
        const auto scanned = scanner_.scan(input_from(begin_), head_limits);
        if (!scanned) {
            co_await refuse(scanned.error(), false);
            co_return;
        }
        if (*scanned == HeadScanner::Status::incomplete) {
            if (!send_all() && !co_await flush()) {
                co_return;
            }
            enter_waiting();
            const auto [error, size] = co_await socket_.async_read_some(free_input(), as_values);
            if (error && !co_await after_failed_read()) {
                co_return;
            }
            end_ += size;
            continue;
        }
        const auto facts = take_head();
        if (!facts) {
            co_await refuse(facts.error(), false);
            co_return;
        }
        const bool has_body = facts->content_length > 0 || facts->chunked;
        const bool streamed = has_body && set_->context().application.streams_body(scratch_->request);
        if (has_body && !streamed && !co_await receive_body(*facts)) {
            co_return;
        }
        const bool close = !facts->keep_alive || set_->closing();
        if (!co_await (streamed ? respond_to_incoming(*facts, close) : respond(close))) {
            co_return;
        }
        if (close) {
            co_await close_gently();
            co_return;
        }
        finish_request();
        if (scratch_->out.size() > gathered_bytes_max && !co_await flush()) {
            co_return;
        }
    }
}

void Connection::enter(Phase phase, std::chrono::steady_clock::duration limit)
{
    phase_ = phase;
    since_ = set_->now();
    deadline_ = since_ + limit;
    if (stop_ != Stop::shutdown) {
        stop_ = Stop::none;
    }
}

// For the rest of a head, or for a first byte.
void Connection::enter_waiting()
{
    const auto& limits = set_->context().limits;
    if (begin_ != end_) {
        if (phase_ != Phase::head) {
            enter(Phase::head, limits.header_time_max);
        }
    } else if (phase_ != Phase::idle) {
        enter(Phase::idle, limits.idle_time_max);
    }
}

void Connection::on_tick(SteadyTime now)
{
    if (phase_ == Phase::respond) {
        if (stop_ != Stop::none) {
            return;
        }
        // An answer must not wait for the slow successor that was sent right behind its request.
        send(answered_);
        if (now >= deadline_) {
            stop(Stop::expired);
        } else if (client_is_gone(now)) {
            stop(Stop::client_gone);
        }
        return;
    }
    if (phase_ == Phase::stream) {
        watch_stream(now);
        return;
    }
    auto deadline = deadline_;
    if (phase_ == Phase::idle && set_->closing()) {
        const std::chrono::milliseconds grace = served_ ? next_request_grace : first_request_grace;
        deadline = std::min(deadline, since_ + grace);
    }
    if (now >= deadline) {
        stop(Stop::expired);
    } else if (phase_ == Phase::idle && scratch_ && now - since_ >= park_after) {
        stop(Stop::park);
    }
}

bool Connection::abort()
{
    const bool request =
        phase_ == Phase::head || phase_ == Phase::body || phase_ == Phase::respond || phase_ == Phase::write;
    stop(Stop::shutdown);
    return request;
}

// Cancels what serve() waits for. May be the end of *this.
void Connection::stop(Stop reason)
{
    stop_ = reason;
    if (phase_ == Phase::respond || phase_ == Phase::stream) {
        cancel_.emit(asio::cancellation_type::terminal);
    } else {
        boost::system::error_code error;
        socket_.cancel(error);
    }
}

bool Connection::client_is_gone(SteadyTime now)
{
    if (now - since_ < watch_client_after) {
        return false;
    }
    pollfd probe{.fd = socket_.native_handle(), .events = POLLRDHUP, .revents = 0};
    if (::poll(&probe, 1, 0) <= 0) {
        return false;
    }
    return (probe.revents & (POLLERR | POLLHUP)) != 0 || now - since_ >= half_closed_client_time_max;
}

std::string_view Connection::input_from(std::size_t offset) const
{
    return {scratch_->input.get() + offset, end_ - offset};
}

asio::mutable_buffer Connection::free_input()
{
    if (begin_ == end_) {
        begin_ = end_ = 0;
    }
    make_room();
    return {scratch_->input.get() + end_, set_->input_bytes() - end_};
}

// Moves the current request to the front of the buffer if little room is left behind what has been received.
// The largest head that the limits allow leaves that room.
void Connection::make_room()
{
    if (set_->input_bytes() - end_ < input_space_bytes_min && begin_ > 0) {
        std::memmove(scratch_->input.get(), scratch_->input.get() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    }
}

std::expected<HeadFacts, Refusal> Connection::take_head()
{
    make_room();
    const auto head = input_from(begin_).substr(scanner_.begin(), scanner_.end() - scanner_.begin());
    next_ = begin_ + scanner_.end();
    auto facts = check_head(head);
    if (facts) {
        scratch_->request.peer = peer_;
        if (const auto parsed = parse_head(head, *facts, scratch_->request); !parsed) {
            return std::unexpected(parsed.error());
        }
    }
    return facts;
}

void Connection::finish_request()
{
    begin_ = next_;
    scanner_ = {};
    scratch_->body.clear();
    served_ = true;
}

// True if the connection goes on: the read was cancelled to park it, and now there is something to read.
Task<bool> Connection::after_failed_read()
{
    if (stop_ == Stop::expired && phase_ == Phase::head) {
        co_await refuse(too_slow, false);
    }
    if (stop_ != Stop::park) {
        co_return false;
    }
    set_->give_back(std::move(scratch_));
    stop_ = Stop::none;
    const auto [error] = co_await socket_.async_wait(Socket::wait_read, as_values);
    if (error) {
        co_return false;
    }
    scratch_ = set_->take_scratch();
    co_return true;
}

Task<bool> Connection::receive_body(HeadFacts facts)
{
    auto& request = scratch_->request;
    const std::size_t body_bytes_max = set_->context().application.body_bytes_max(request);
    if (facts.content_length > body_bytes_max) {
        co_await refuse(too_large, true);
        co_return false;
    }
    if (!facts.chunked && facts.content_length <= end_ - next_) {
        request.body = input_from(next_).substr(0, facts.content_length);
        next_ += facts.content_length;
        co_return true;
    }
    if (facts.expects_continue && next_ == end_) {
        scratch_->out += "HTTP/1.1 100 Continue\r\n\r\n";
    }
    if (!co_await flush()) {
        co_return false;
    }
    enter(Phase::body, body_grace);
    body_received_ = 0;
    const bool complete =
        co_await (facts.chunked ? receive_chunked(body_bytes_max) : receive_counted(facts.content_length));
    request.body = scratch_->body;
    co_return complete;
}

Task<bool> Connection::receive_counted(std::size_t length)
{
    auto& body = scratch_->body;
    body.assign(input_from(next_));
    while (body.size() < length) {
        // What has not arrived takes no memory yet: a client that only announces a large body costs one step.
        const auto filled = body.size();
        const auto space = std::min(length - filled, std::max(body_step_bytes, filled));
        body.resize_and_overwrite(filled + space, [](char*, std::size_t size) { return size; });
        const auto size = co_await receive_some(asio::buffer(body.data() + filled, space));
        body.resize(filled + size);
        if (size == 0) {
            co_return false;
        }
    }
    next_ = end_;
    co_return true;
}

Task<bool> Connection::receive_chunked(std::size_t body_bytes_max)
{
    const auto& limits = set_->context().limits;
    ChunkedDecoder decoder({
        .body_bytes_max = body_bytes_max,
        .extension_bytes_max = limits.chunk_extension_bytes_max,
        .trailer_bytes_max = limits.trailer_bytes_max,
    });
    const auto body_begin = next_;
    while (true) {
        const auto used = decoder.feed(input_from(body_begin), scratch_->body);
        if (!used) {
            co_await refuse(used.error(), true);
            co_return false;
        }
        if (decoder.done()) {
            next_ = body_begin + *used;
            co_return true;
        }
        end_ = body_begin;
        const auto size =
            co_await receive_some({scratch_->input.get() + body_begin, set_->input_bytes() - body_begin});
        if (size == 0) {
            co_return false;
        }
        end_ += size;
    }
}

// More of a body. 0: the client is gone, or was refused for being slow.
Task<std::size_t> Connection::receive_some(asio::mutable_buffer space)
{
    const auto [error, size] = co_await socket_.async_read_some(space, as_values);
    if (error) {
        if (stop_ == Stop::expired) {
            co_await refuse(too_slow, true);
        }
        co_return 0;
    }
    body_received_ += size;
    const std::chrono::milliseconds earned(
        body_received_ * 1000 / set_->context().limits.body_bytes_per_second_min
    );
    deadline_ = since_ + body_grace + earned;
    co_return size;
}

// False if the connection has ended.
Task<bool> Connection::respond(bool close)
{
    answered_ = scratch_->out.size();
    enter(Phase::respond, set_->context().limits.request_time_max);
    std::exception_ptr failed;
    std::unique_ptr<Stream> stream;
    try {
        stream = co_await set_->context().application.respond(scratch_->request, close, scratch_->out);
    } catch (...) {
        failed = std::current_exception();
    }
    if (failed || stop_ != Stop::none) {
        // The cancellation has done its work; what is left is to be written.
        co_await asio::this_coro::throw_if_cancelled(false);
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        co_return co_await conclude_stopped(failed);
    }
    if (stream) {
        co_await send_stream(std::move(stream));
        co_return false;
    }
    co_return true;
}

// After a handler that was cancelled, or that threw against its promise. Always false.
Task<bool> Connection::conclude_stopped(std::exception_ptr failed)
{
    const auto reason = stop_;
    if (failed) {
        scratch_->out.resize(answered_);
        if (reason == Stop::none) {
            set_->context().fault(failed);
        }
    }
    if (reason == Stop::client_gone) {
        co_return false;
    }
    if (reason == Stop::shutdown) {
        send(scratch_->out.size());  // there is no time to wait for the client
        co_return false;
    }
    if (scratch_->out.size() == answered_ && reason == Stop::expired) {
        co_await refuse({ErrorCode::unavailable, "request took too long"}, true);
    } else {
        co_await close_gently();
    }
    co_return false;
}

// Sends what the socket takes at once of `out` up to `end`.
Connection::Sent Connection::send(std::size_t end)
{
    const auto& out = scratch_->out;
    while (sent_ < end) {
        boost::system::error_code error;
        sent_ += socket_.write_some(asio::buffer(out.data() + sent_, end - sent_), error);
        if (error) {
            return error == asio::error::would_block ? Sent::some : Sent::failed;
        }
    }
    return Sent::all;
}

// True if the socket took everything at once, as it nearly always does. Not while a handler may be writing to
// `out`.
bool Connection::send_all()
{
    if (send(scratch_->out.size()) != Sent::all) {
        return false;
    }
    scratch_->out.clear();
    sent_ = answered_ = 0;
    return true;
}

// False if the client does not take it.
Task<bool> Connection::flush()
{
    if (send_all()) {
        co_return true;
    }
    const auto& out = scratch_->out;
    enter(Phase::write, set_->context().limits.write_time_max);
    while (sent_ < out.size()) {
        const auto [error, size] = co_await socket_.async_write_some(
            asio::buffer(out.data() + sent_, out.size() - sent_), as_values
        );
        if (error) {
            co_return false;
        }
        sent_ += size;
    }
    co_return send_all();
}

// Answers what is no request, and ends the connection.
Task<void> Connection::refuse(Refusal refusal, bool head_is_known)
{
    auto& request = scratch_->request;
    if (!head_is_known) {
        auto headers = std::move(request.headers);
        headers.clear();
        request = Request{.headers = std::move(headers), .peer = peer_, .sound = false};
        salvage_head(input_from(begin_), request);
        request.method = method_from(request.method_text);
    }
    set_->context().application.refuse(request, refusal.error(), scratch_->out);
    co_await close_gently();
}

// Sends what is left and half-closes, then discards what the client still sends: closing with unread bytes
// would reset the connection, and the client might never read its answer (RFC 9112 section 9.6).
Task<void> Connection::close_gently()
{
    if (!co_await flush()) {
        co_return;
    }
    boost::system::error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
    enter(Phase::linger, set_->context().limits.linger_time_max);
    while (stop_ == Stop::none) {
        const auto [error, size] = co_await socket_.async_read_some(
            asio::buffer(scratch_->input.get(), set_->input_bytes()), as_values
        );
        if (error) {
            co_return;
        }
    }
}

}  // namespace kit::http
