#include "platform/redis/worker.hpp"

#include "platform/crypto/sha1.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>

namespace kit::redis {

Worker::Worker(Context context) : context_(std::move(context))
{
    seed_ = make_node(context_.options.address.endpoints.front());
}

std::shared_ptr<Node> Worker::make_node(const config::Endpoint& endpoint)
{
    return std::make_shared<Node>(
        endpoint,
        Node::Context{
            .executor = context_.executor,
            .options = context_.options,
            .clock = context_.clock,
            .random = context_.random,
            .numbers = context_.numbers
        },
        *this
    );
}

Node& Worker::node_at(const config::Endpoint& endpoint)
{
    auto& node = nodes_[endpoint];
    if (node == nullptr) {
        node = make_node(endpoint);
    }
    return *node;
}

void Worker::submit(const std::shared_ptr<Operation>& operation)
{
    operation->started = context_.clock.steady_now();
    operation->deadline = operation->started + context_.options.command_time_max;
    operation->left = operation->parts.size();
    deadlines_.push_back(*operation);  // all have the same time, so they come in order
    for (std::size_t index = 0; index < operation->parts.size(); ++index) {
        dispatch({.operation = operation, .index = index});
    }
    if (!sweeping_) {
        sweeping_ = true;
        spawn(sweep(shared_from_this()));
    }
}

void Worker::dispatch(const Entry& entry)
{
    auto* const node = choose(entry.part().command);
    if (node == nullptr) {
        refresh_slots();
        on_failed(entry, Failure::cluster, "no server has the key's slot");
        return;
    }
    node->submit(entry);
}

Node* Worker::choose(const Command& command)
{
    if (!slots_) {
        return seed_.get();
    }
    const auto key = command.key();
    if (!key) {
        return any_node();
    }
    const auto* const endpoint = slots_->find(slot_of(*key));
    return endpoint == nullptr ? nullptr : &node_at(*endpoint);
}

Node* Worker::any_node()
{
    Node* chosen = nullptr;
    for (const auto& endpoint : slots_->endpoints()) {
        auto& node = node_at(endpoint);
        if (chosen == nullptr || (node.is_open() && !chosen->is_open())) {
            chosen = &node;
        }
    }
    return chosen;
}

void Worker::on_reply(Entry entry, Reply reply)
{
    auto& part = entry.part();
    const auto error = reply.is_error() ? classify(reply.text) : ServerError::command;
    if (!reply.is_error() || error == ServerError::command) {
        context_.recorder.replied(context_.numbers, part.command, reply);
        part.reply = std::move(reply);
        finish(entry);
        return;
    }
    if (repeat(entry, error, reply.text)) {
        context_.recorder.repeated(context_.numbers, part.command, to_string(error));
        return;
    }
    auto* const node = part.node;
    on_failed(entry, failure_of(error), reply.text);
    suspect(*node, error, reply.text);
}

// Sends the command again where the error reply says how. False where it does not.
bool Worker::repeat(const Entry& entry, ServerError error, const std::string& text)
{
    auto& part = entry.part();
    if (error == ServerError::try_again && !entry.operation->answered()) {
        part.node = nullptr;  // no server has it meanwhile
        spawn(try_again(shared_from_this(), entry, text));
        return true;
    }
    if (entry.operation->answered() || part.tries >= redirections_max) {
        return false;
    }
    if (error == ServerError::no_script && !part.as_source) {
        part.as_source = true;
        part.node->submit(entry);
        return true;
    }
    if (error == ServerError::moved || error == ServerError::ask) {
        return redirect(entry, error, text);
    }
    return false;
}

// A slot on the move holds only some of the command's keys: once it has all, or none, the command finds its
// server. Bounded by the operation's deadline, not by tries.
Task<void> Worker::try_again(std::shared_ptr<Worker> self, Entry entry, std::string reason)
{
    try {
        co_await context_.clock.sleep_for(try_again_delay);
    } catch (const std::exception&) {
        reason = "the connection is closed";  // close() waits for this task, and the caller for an answer
    }
    auto& part = entry.part();
    // Not so late that the server would seem silent at the deadline.
    const auto too_late = entry.operation->deadline - try_again_delay;
    if (closing_ || context_.clock.steady_now() >= too_late) {
        on_failed(entry, Failure::cluster, reason);
    } else {
        part.tries = 0;
        part.asking = false;
        dispatch(entry);
    }
    self->on_answered();
}

bool Worker::redirect(const Entry& entry, ServerError error, const std::string& text)
{
    auto& part = entry.part();
    const auto target = parse_redirect(text, part.node->endpoint().host);
    if (!target) {
        return false;
    }
    ++part.tries;
    part.asking = error == ServerError::ask;
    if (error == ServerError::moved) {
        if (slots_) {
            slots_->assign(target->slot, target->endpoint);
        }
        refresh_slots();
    }
    node_at(target->endpoint).submit(entry);
    return true;
}

// What an error reply says about the server.
void Worker::suspect(Node& node, ServerError error, const std::string& text)
{
    switch (error) {
        case ServerError::read_only:
        case ServerError::loading:
        case ServerError::not_authenticated:
            node.fail(failure_of(error), text);
            return;
        case ServerError::moved:
        case ServerError::ask:
        case ServerError::try_again:
        case ServerError::cluster_down:
            refresh_slots();
            return;
        case ServerError::command:
        case ServerError::no_script:
        case ServerError::out_of_memory:
        case ServerError::no_permission:
        case ServerError::refused:
            return;
    }
}

void Worker::on_failed(Entry entry, Failure failure, const std::string& reason)
{
    auto& part = entry.part();
    auto& operation = *entry.operation;
    context_.recorder.failed(context_.numbers, part.command, failure);
    if (!operation.failed) {
        operation.failed = failure;
        operation.reason = reason;
    }
    finish(entry);
}

void Worker::finish(const Entry& entry)
{
    auto& operation = *entry.operation;
    if (std::exchange(entry.part().finished, true) || --operation.left > 0) {
        return;
    }
    if (answered_.empty()) {
        // Whoever made this happen says so at the end, on_answered(); this is for those who cannot.
        asio::post(context_.executor, [self = shared_from_this()] { self->on_answered(); });
    }
    answered_.push_back(entry.operation);
}

void Worker::on_answered()
{
    const auto answered = std::exchange(answered_, {});
    const auto now = answered.empty() ? SteadyTime() : context_.clock.steady_now();
    for (const auto& operation : answered) {
        auto status = Recorder::Status::success;
        for (const auto& part : operation->parts) {
            status = std::max(status, Recorder::status_of(part.reply));
        }
        if (operation->failed) {
            status = Recorder::Status::error;
        }
        const auto name = operation->parts.size() == 1 ? operation->parts.front().command.name() : "pipeline";
        context_.recorder.took(name, status, telemetry::seconds_between(operation->started, now));
        operation->answer();
    }
}

std::string_view Worker::hash_of(const Script& script)
{
    auto& hash = hashes_[script.source.data()];
    if (hash.empty()) {
        hash = sha1_hex(script.source);
    }
    return hash;
}

Task<Connected> Worker::dial(Node& node)
{
    if (&node == seed_.get()) {
        return context_.connector.connect_master();
    }
    return context_.connector.connect_any({node.endpoint()}, Role::cluster_node);
}

void Worker::on_connected(Node& node, Connected& connected)
{
    if (!connected.slots) {
        return;
    }
    auto waiting = node.release_unsent();
    adopt(*std::move(connected.slots));
    for (const auto& entry : waiting) {
        dispatch(entry);
    }
}

// The servers that the map names, and those that still have something under way.
void Worker::adopt(SlotMap slots)
{
    slots_ = std::move(slots);
    std::erase_if(nodes_, [this](const auto& entry) {
        const auto& [endpoint, node] = entry;
        const bool gone = node->pending() == 0 &&
                          std::ranges::find(slots_->endpoints(), endpoint) == slots_->endpoints().end();
        if (gone) {
            node->close();
        }
        return gone;
    });
    for (const auto& endpoint : slots_->endpoints()) {
        node_at(endpoint);
    }
    if (seed_->pending() == 0) {
        seed_->close();  // it has told who the others are
    }
    update_available();
}

void Worker::refresh_slots()
{
    if (!refreshing_ && !closing_) {
        refreshing_ = true;
        spawn(keep_slots(shared_from_this()));
    }
}

std::vector<config::Endpoint> Worker::known_endpoints() const
{
    std::vector<config::Endpoint> endpoints;
    for (const bool open : {true, false}) {
        for (const auto& [endpoint, node] : nodes_) {
            if (node->is_open() == open) {
                endpoints.push_back(endpoint);
            }
        }
    }
    const auto& configured = context_.options.address.endpoints;
    endpoints.insert(endpoints.end(), configured.begin(), configured.end());
    return endpoints;
}

// Asks for the slots until all servers that have some answer: after a failover others have them.
Task<void> Worker::keep_slots(std::shared_ptr<Worker> self)
{
    bool settled = false;
    while (!settled && !self->closing_) {
        try {
            auto connected =
                co_await self->context_.connector.connect_any(self->known_endpoints(), Role::cluster_node);
            self->adopt(*std::move(connected.slots));
            settled =
                std::ranges::all_of(self->nodes_, [](const auto& entry) { return entry.second->is_open(); });
        } catch (const RedisUnavailable&) {
            settled = false;  // the breakers have said so; asked again below
        }
        if (!settled) {
            co_await self->context_.clock.sleep_for(slots_refresh_interval);
        }
    }
    self->refreshing_ = false;
}

void Worker::on_breaker(Node& node, const std::string& reason)
{
    update_available();
    const auto server = config::to_string(node.endpoint());
    if (node.is_open()) {
        context_.logger.info("redis answers again", {{"server", server}});
        return;
    }
    context_.logger.warn("redis unavailable", {{"server", server}, {"error", reason}});
    if (slots_) {
        refresh_slots();
    }
}

void Worker::update_available()
{
    const bool available = slots_ ? std::ranges::any_of(
                                        slots_->endpoints(),
                                        [this](const auto& endpoint) {
                                            const auto found = nodes_.find(endpoint);
                                            return found != nodes_.end() && found->second->is_open();
                                        }
                                    )
                                  : seed_->is_open();
    available_.store(available, std::memory_order_relaxed);
}

Task<void> Worker::sweep(std::shared_ptr<Worker> self)
{
    while (!self->deadlines_.empty() && !self->closing_) {
        const auto deadline = self->deadlines_.front().deadline;
        if (deadline > self->context_.clock.steady_now()) {
            co_await self->context_.clock.sleep_until(deadline);
            continue;
        }
        self->expire(self->deadlines_.front().shared_from_this());
    }
    self->sweeping_ = false;
}

// What has come but was not read yet counts: it may be us who were busy. Only then is the server silent.
void Worker::expire(const std::shared_ptr<Operation>& operation)
{
    for (const auto& part : operation->parts) {
        if (!part.finished && part.node != nullptr) {
            part.node->poll();
        }
    }
    operation->unlink();
    for (const auto& part : operation->parts) {
        if (!part.finished && part.node != nullptr && part.node->is_open()) {
            part.node->fail(Failure::timed_out, "Redis did not answer in time");
        }
    }
    on_answered();
}

void Worker::cancel(Operation& operation)
{
    operation.cancelled = true;
    operation.stop_listening();
    // Not within the signal's emission. The operation stays where it is until it is answered or late.
    asio::post(context_.executor, [done = std::exchange(operation.done, nullptr)]() mutable { done(); });
}

void Worker::spawn(Task<void> task)
{
    const auto place = background_.emplace(background_.end());
    asio::co_spawn(
        context_.executor,
        std::move(task),
        asio::bind_cancellation_slot(
            place->slot(),
            [self = shared_from_this(), place](const std::exception_ptr& failed) {
                self->background_.erase(place);
                if (failed && !self->closing_) {
                    std::rethrow_exception(failed
                    );  // they end by themselves or by close(): a broken invariant
                }
                if (self->closing_ && self->background_.empty() && self->closed_) {
                    std::exchange(self->closed_, nullptr)();
                }
            }
        )
    );
}

void Worker::close(std::function<void()> closed)
{
    closing_ = true;
    closed_ = std::move(closed);
    seed_->close();
    for (const auto& [endpoint, node] : nodes_) {
        node->close();
    }
    on_answered();
    for (auto& signal : background_) {
        signal.emit(asio::cancellation_type::terminal);
    }
    if (background_.empty() && closed_) {
        std::exchange(closed_, nullptr)();
    }
}

}  // namespace kit::redis
