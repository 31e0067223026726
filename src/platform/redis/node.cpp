#include "platform/redis/node.hpp"

#include <boost/asio/post.hpp>

namespace kit::redis {

namespace {

constexpr std::size_t buffer_kept_max = 64UL * 1024;

}  // namespace

Node::Node(config::Endpoint endpoint, Context context, Owner& owner)
    : endpoint_(std::move(endpoint)),
      context_(std::move(context)),
      owner_(owner),
      breaker_({.backoff_min = context_.options.backoff_min, .backoff_max = context_.options.backoff_max})
{
    WorkerNumbers::add(context_.numbers.nodes);
}

void Node::count(std::int64_t waiting)
{
    WorkerNumbers::add(context_.numbers.waiting, waiting);
}

void Node::submit(Entry entry)
{
    if (closed_) {
        owner_.on_failed(std::move(entry), Failure::connection_lost, "the connection is closed");
        return;
    }
    if (breaker_.is_open()) {
        owner_.on_failed(std::move(entry), Failure::breaker_open, last_reason_);
        return;
    }
    if (pending() >= context_.options.queue_max ||
        (stream_ != nullptr && stream_->unsent() > unsent_bytes_max)) {
        owner_.on_failed(std::move(entry), Failure::overloaded, "too many commands wait for Redis");
        return;
    }
    entry.part().node = this;
    unsent_.push_back(std::move(entry));
    count(1);
    if (stream_ == nullptr) {
        connect();
    } else {
        post_flush();
    }
}

std::deque<Entry> Node::release_unsent()
{
    count(-static_cast<std::int64_t>(unsent_.size()));
    return std::exchange(unsent_, {});
}

// Runs after all that is ready now, so that the commands of the requests of this turn are together.
void Node::post_flush()
{
    if (flush_posted_) {
        return;
    }
    flush_posted_ = true;
    asio::post(context_.executor, [self = shared_from_this()] {
        self->flush_posted_ = false;
        self->flush();
    });
}

void Node::flush()
{
    if (stream_ == nullptr) {
        return;
    }
    while (!unsent_.empty()) {
        auto entry = std::move(unsent_.front());
        unsent_.pop_front();
        if (entry.operation->answered()) {  // the caller is gone
            entry.part().finished = true;
            count(-1);
            continue;
        }
        const auto& part = entry.part();
        if (part.asking) {
            Command{"ASKING"}.append_to(buffer_);
            sent_.push_back({});
            count(1);
        }
        const auto* const script = part.command.script();
        const bool by_hash = script != nullptr && !part.as_source;
        part.command.append_to(buffer_, by_hash ? owner_.hash_of(*script) : std::string_view());
        sent_.push_back(std::move(entry));
    }
    const bool alive = buffer_.empty() || stream_->send(buffer_);
    buffer_.clear();
    if (buffer_.capacity() > buffer_kept_max) {
        buffer_.shrink_to_fit();
    }
    if (!alive) {
        lose(Failure::connection_lost, "Redis closed the connection");
        owner_.on_answered();
    }
}

void Node::wait_readable()
{
    stream_->socket().async_wait(
        Stream::Socket::wait_read,
        [weak = weak_from_this(), stream = std::weak_ptr(stream_)](const boost::system::error_code& error) {
            const auto self = weak.lock();
            const auto same = stream.lock();
            if (!error && self != nullptr && same != nullptr && self->stream_ == same) {
                self->poll();
                if (self->stream_ == same) {
                    self->wait_readable();
                }
            }
        }
    );
}

void Node::poll()
{
    if (stream_ == nullptr) {
        return;
    }
    const bool alive = stream_->receive();
    take_replies();
    if (!alive && stream_ != nullptr) {
        lose(Failure::connection_lost, "Redis closed the connection");
    }
    owner_.on_answered();
}

void Node::take_replies()
{
    while (stream_ != nullptr) {
        Reply reply;
        const auto outcome = stream_->parser().next(reply);
        if (outcome == ReplyParser::Outcome::incomplete) {
            return;
        }
        if (outcome == ReplyParser::Outcome::malformed || sent_.empty()) {
            lose(Failure::protocol, "what Redis sent is no reply");
            return;
        }
        auto entry = std::move(sent_.front());
        sent_.pop_front();
        count(-1);
        breaker_.succeeded();
        if (entry.operation != nullptr) {  // not ASKING's
            owner_.on_reply(std::move(entry), std::move(reply));
        }
    }
}

void Node::drop_stream()
{
    stream_.reset();
    count(-static_cast<std::int64_t>(sent_.size()));
}

// The connection is gone. What the server may have run fails, unless that does no harm twice; what it has not
// seen waits for the next connection.
void Node::lose(Failure failure, const std::string& reason)
{
    drop_stream();
    const auto lost = std::exchange(sent_, {});
    std::deque<Entry> again;
    for (const auto& entry : lost) {
        if (entry.operation == nullptr) {
            continue;
        }
        auto& part = entry.part();
        if (!entry.operation->answered() && part.command.is_repeatable() && !part.asking &&
            part.tries < context_.options.retries_max) {
            ++part.tries;
            again.push_back(entry);
        } else {
            owner_.on_failed(entry, failure, reason);
        }
    }
    count(static_cast<std::int64_t>(again.size()));
    unsent_.insert(unsent_.begin(), again.begin(), again.end());
    connect();
}

void Node::fail(Failure failure, const std::string& reason)
{
    last_failure_ = failure;
    last_reason_ = reason;
    set_open(true);
    drop_all(failure, reason);
    connect();
}

void Node::drop_all(Failure failure, const std::string& reason)
{
    drop_stream();
    auto lost = std::exchange(sent_, {});
    const auto unsent = release_unsent();
    lost.insert(lost.end(), unsent.begin(), unsent.end());
    for (const auto& entry : lost) {
        if (entry.operation != nullptr) {
            owner_.on_failed(entry, failure, reason);
        }
    }
}

void Node::set_open(bool open)
{
    const bool changed = open ? breaker_.open() : breaker_.close();
    if (changed) {
        WorkerNumbers::add(context_.numbers.open_breakers, open ? 1 : -1);
        owner_.on_breaker(*this, last_reason_);
    }
}

void Node::close()
{
    if (std::exchange(closed_, true)) {
        return;
    }
    WorkerNumbers::add(context_.numbers.nodes, -1);
    if (breaker_.close()) {
        WorkerNumbers::add(context_.numbers.open_breakers, -1);
    }
    drop_all(Failure::connection_lost, "the connection is closed");
}

void Node::connect()
{
    if (!connecting_ && !closed_) {
        connecting_ = true;
        owner_.spawn(stay_connected(shared_from_this()));
    }
}

// Until there is a connection. Requests wait for the first attempt only; then the breaker is open.
Task<void> Node::stay_connected(std::shared_ptr<Node> self)
{
    while (!self->closed_) {
        const auto wait = self->breaker_.next_wait(self->context_.random.number());
        if (wait > Breaker::Wait::zero()) {
            co_await self->context_.clock.sleep_for(wait);
        }
        if (self->closed_ || co_await self->try_connect()) {
            break;
        }
        const auto failure = self->last_failure_;
        const auto reason = self->last_reason_;
        self->fail(failure, reason);
        self->owner_.on_answered();
    }
    self->connecting_ = false;
}

Task<bool> Node::try_connect()
{
    try {
        auto connected = co_await owner_.dial(*this);
        if (closed_) {
            co_return true;
        }
        stream_ = std::move(connected.stream);
        endpoint_ = connected.endpoint;
        set_open(false);
        wait_readable();
        owner_.on_connected(*this, connected);
        flush();
        co_return true;
    } catch (const RedisUnavailable& failed) {
        last_failure_ = failed.failure();
        last_reason_ = failed.what();
    }
    co_return false;
}

}  // namespace kit::redis
