#include "platform/redis/redis.hpp"

#include "platform/core/span_context.hpp"
#include "platform/core/span_task.hpp"
#include "platform/redis/worker.hpp"
#include "platform/telemetry/span.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <future>

namespace kit::redis {

namespace {

constexpr std::chrono::seconds close_time_max{2};

// Suspends the caller until the operation is answered.
Task<void> perform(Worker& worker, std::shared_ptr<Operation> operation)
{
    return asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(
        [&worker](auto handler, std::shared_ptr<Operation> queued) {
            const auto slot = asio::get_associated_cancellation_slot(handler);
            queued->done = [handler = std::move(handler)]() mutable { std::move(handler)(); };
            if (slot.is_connected()) {
                queued->cancellation = slot;
                queued->cancellation.assign([&worker, raw = queued.get()](asio::cancellation_type) {
                    worker.cancel(*raw);
                });
            }
            worker.submit(queued);
        },
        use_task,
        std::move(operation)
    );
}

Task<std::vector<Reply>> run_here(std::shared_ptr<Worker> worker, std::vector<Command> commands)
{
    auto operation = std::make_shared<Operation>();
    operation->parts.reserve(commands.size());
    for (auto& command : commands) {
        operation->parts.push_back({.command = std::move(command)});
    }
    telemetry::ChildSpan span("redis.batch", telemetry::SpanKind::client);
    span.set({"db.system.name", "redis"});
    {
        const KeepSpan keep;
        co_await perform(*worker, operation);
    }
    if (operation->cancelled) {
        throw Cancelled("the command's caller is gone");
    }
    if (operation->failed) {
        throw RedisUnavailable(*operation->failed, "redis: " + operation->reason);
    }
    std::vector<Reply> replies;
    replies.reserve(operation->parts.size());
    for (auto& part : operation->parts) {
        replies.push_back(std::move(part.reply));
    }
    co_return replies;
}

}  // namespace

struct Client::Impl {
    Impl(Options settings, Deps deps)
        : options(std::move(settings)),
          workers(deps.workers),
          recorder(deps.metrics, workers.size(), options.queue_max),
          connector(options, deps.clock)
    {
        for (std::size_t index = 0; index < workers.size(); ++index) {
            clients.push_back(std::make_shared<Worker>(Worker::Context{
                .executor = workers.executor(index),
                .options = options,
                .connector = connector,
                .clock = deps.clock,
                .random = deps.random,
                .logger = deps.logger,
                .recorder = recorder,
                .numbers = recorder.numbers(index)
            }));
        }
    }

    Options options;
    Workers& workers;
    Recorder recorder;
    Connector connector;
    std::vector<std::shared_ptr<Worker>> clients;
};

Client::Client(Options options, Deps deps) : impl_(std::make_unique<Impl>(std::move(options), deps)) {}

Client::~Client() = default;

Task<std::vector<Reply>> Client::run_all(std::vector<Command> commands)
{
    if (commands.empty()) {
        co_return std::vector<Reply>();
    }
    const auto worker = Workers::current();
    if (worker < impl_->clients.size()) {
        co_return co_await run_here(impl_->clients[worker], std::move(commands));
    }
    // Commands and tests call from threads that are no worker.
    auto running = asio::co_spawn(
        impl_->workers.executor(0),
        under_span(current_span(), run_here(impl_->clients.front(), std::move(commands))),
        use_task
    );
    const KeepSpan keep;
    co_return co_await std::move(running);
}

Task<Reply> Client::run(Command command)
{
    std::vector<Command> commands;
    commands.push_back(std::move(command));
    auto replies = co_await run_all(std::move(commands));
    co_return std::move(replies.front());
}

Task<Reply> Client::eval(
    const Script& script, std::vector<std::string> keys, std::vector<std::string> arguments
)
{
    auto reply = co_await run(Command(script, keys, arguments));
    co_return reply;
}

bool Client::available() const
{
    const auto worker = Workers::current();
    return impl_->clients[worker < impl_->clients.size() ? worker : 0]->available();
}

Task<void> Client::ping()
{
    co_await run({"PING"});
}

void Client::close()
{
    std::vector<std::future<void>> closings;
    for (std::size_t index = 0; index < impl_->clients.size(); ++index) {
        auto closed = std::make_shared<std::promise<void>>();
        closings.push_back(closed->get_future());
        asio::post(impl_->workers.executor(index), [client = impl_->clients[index], closed] {
            client->close([closed] { closed->set_value(); });
        });
    }
    for (auto& closing : closings) {
        closing.wait_for(close_time_max);
    }
    impl_->connector.stop();
}

}  // namespace kit::redis
