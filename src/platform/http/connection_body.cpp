// The part of a connection that hands a body to its handler while it arrives.
#include "platform/http/connection.hpp"
#include "platform/http/connection_set.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>

#include <algorithm>
#include <limits>

namespace kit::http {

namespace {

// The result as values, without a coroutine frame for each operation.
constexpr auto as_values = asio::as_tuple(asio::deferred);

// Before the minimum rate of a body counts.
constexpr std::chrono::seconds body_grace{1};

Error too_slow()
{
    return {ErrorCode::request_timeout, "request took too long to arrive"};
}

Error cut_short()
{
    return Error::invalid("request body ended early");
}

}  // namespace

// Pieces lie in the connection's input, behind the head, which the handler still looks at; decoded chunks in
// its body buffer.
class Connection::Incoming final : public IncomingBody {
public:
    Incoming(Connection& connection, HeadFacts facts)
        : connection_(connection),
          facts_(facts),
          begin_(connection.next_),
          left_(facts.content_length),
          decoder_(
              {.body_bytes_max = std::numeric_limits<std::size_t>::max(),
               .extension_bytes_max = connection.set_->context().limits.chunk_extension_bytes_max,
               .trailer_bytes_max = connection.set_->context().limits.trailer_bytes_max}
          )
    {
    }

    std::optional<std::uint64_t> declared_bytes() const override
    {
        return facts_.chunked ? std::nullopt : std::optional<std::uint64_t>(facts_.content_length);
    }

    bool done() const override { return facts_.chunked ? decoder_.done() : left_ == 0; }

    std::size_t received_bytes() const override { return received_; }

    Task<Result<std::string_view>> next() override
    {
        if (!begun_) {
            co_await begin();
        }
        std::string_view piece;
        while (piece.empty() && !done()) {
            if (connection_.next_ == connection_.end_) {
                if (auto failed = co_await receive()) {
                    co_return failure(std::move(*failed));
                }
            }
            piece = TRY(take());
        }
        received_ += piece.size();
        co_return piece;
    }

private:
    Task<void> begin()
    {
        begun_ = true;
        if (facts_.expects_continue && connection_.next_ == connection_.end_) {
            // A client that has not yet sent anything waits for it. If it does not take it, reading fails.
            connection_.scratch_->out += "HTTP/1.1 100 Continue\r\n\r\n";
            co_await connection_.flush();
        }
        since_ = connection_.set_->now();
    }

    // More bytes behind the head.
    Task<std::optional<Error>> receive()
    {
        auto& connection = connection_;
        connection.enter(Phase::body, body_grace);
        const std::chrono::milliseconds earned(
            received_ * 1000 / connection.set_->context().limits.body_bytes_per_second_min
        );
        connection.deadline_ = since_ + body_grace + earned;
        auto space = connection.set_->input_bytes() - begin_;
        if (!facts_.chunked) {
            space = static_cast<std::size_t>(std::min<std::uint64_t>(space, left_));
        }
        const auto [error, size] = co_await connection.socket_.async_read_some(
            asio::buffer(connection.scratch_->input.get() + begin_, space), as_values
        );
        const auto reason = connection.stop_;
        connection.enter(Phase::respond, connection.set_->context().limits.request_time_max);
        if (error) {
            co_return reason == Stop::expired ? too_slow() : cut_short();
        }
        connection.next_ = begin_;
        connection.end_ = begin_ + size;
        co_return std::nullopt;
    }

    // Of the bytes that are there, what belongs to the body. May be none of a chunked one.
    Result<std::string_view> take()
    {
        auto& connection = connection_;
        const auto bytes = connection.input_from(connection.next_);
        if (!facts_.chunked) {
            const auto piece = bytes.substr(0, std::min<std::uint64_t>(left_, bytes.size()));
            left_ -= piece.size();
            connection.next_ += piece.size();
            return piece;
        }
        auto& decoded = connection.scratch_->body;
        decoded.clear();
        const auto used = decoder_.feed(bytes, decoded);
        if (!used) {
            return failure(used.error().error());
        }
        connection.next_ += *used;
        return std::string_view(decoded);
    }

    Connection& connection_;
    HeadFacts facts_;
    std::size_t begin_;  // of the space for pieces in the input
    std::uint64_t left_;
    ChunkedDecoder decoder_;
    SteadyTime since_{};
    std::size_t received_ = 0;
    bool begun_ = false;
};

// False if the connection has ended: also where the handler did not want all of the body.
Task<bool> Connection::respond_to_incoming(HeadFacts facts, bool close)
{
    if (!co_await flush()) {
        co_return false;
    }
    Incoming incoming(*this, facts);
    scratch_->request.incoming = &incoming;
    if (!co_await respond(close)) {
        co_return false;
    }
    scratch_->request.incoming = nullptr;
    if (!incoming.done()) {
        co_await close_gently();
        co_return false;
    }
    co_return true;
}

}  // namespace kit::http
