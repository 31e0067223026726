#include "platform/http/server.hpp"

#include "platform/http/acceptor.hpp"
#include "platform/http/connection_set.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <future>
#include <utility>
#include <vector>

namespace kit::http {

class Server::Impl {
public:
    Impl(ServerOptions options, Workers& workers, Clock& clock, Application& application)
        : context_(
              std::make_shared<ServerContext>(options.limits, std::move(options.on_fault), clock, application)
          )
    {
        auto listeners = open_listeners(options.address, options.port, workers.size());
        port_ = listeners.port;
        for (std::size_t index = 0; index < workers.size(); ++index) {
            auto executor = workers.executor(index);
            auto connections = std::make_shared<ConnectionSet>(context_, executor);
            auto acceptor = std::make_shared<Acceptor>(
                listeners.protocol, std::move(listeners.sockets[index]), executor, connections
            );
            workers_.push_back({executor, std::move(connections), std::move(acceptor)});
        }
    }

    std::uint16_t port() const { return port_; }

    std::size_t connections() const { return context_->connections.load(std::memory_order_relaxed); }

    void start()
    {
        for (const auto& worker : workers_) {
            asio::co_spawn(
                worker.executor,
                worker.acceptor->run(),
                [acceptor = worker.acceptor, context = context_](const std::exception_ptr& exception) {
                    if (exception) {
                        context->fault(exception);
                    }
                }
            );
        }
    }

    void announce_close()
    {
        for (const auto& worker : workers_) {
            asio::post(worker.executor, [connections = worker.connections] {
                connections->announce_close();
            });
        }
    }

    std::size_t drain(SteadyTime deadline)
    {
        std::vector<std::future<std::size_t>> ends;
        for (const auto& worker : workers_) {
            // A promise that dies with a stopped loop counts as nothing cancelled: nobody waits for ever.
            std::promise<std::size_t> promise;
            ends.push_back(promise.get_future());
            asio::co_spawn(
                worker.executor,
                drain_worker(worker.acceptor, worker.connections, deadline),
                [promise = std::move(promise),
                 context = context_](const std::exception_ptr& exception, std::size_t cancelled) mutable {
                    if (exception) {
                        context->fault(exception);
                    }
                    promise.set_value(cancelled);
                }
            );
        }
        std::size_t cancelled = 0;
        for (auto& end : ends) {
            try {
                cancelled += end.get();
            } catch (const std::future_error& error) {
                context_->fault(std::make_exception_ptr(error));
            }
        }
        return cancelled;
    }

private:
    struct Worker {
        Executor executor;
        std::shared_ptr<ConnectionSet> connections;
        std::shared_ptr<Acceptor> acceptor;
    };

    static Task<std::size_t> drain_worker(
        std::shared_ptr<Acceptor> acceptor, std::shared_ptr<ConnectionSet> connections, SteadyTime deadline
    )
    {
        connections->announce_close();
        co_await acceptor->finish();
        co_return co_await connections->drain(deadline);
    }

    std::shared_ptr<ServerContext> context_;
    std::vector<Worker> workers_;
    std::uint16_t port_ = 0;
};

Server::Server(ServerOptions options, Workers& workers, Clock& clock, Application& application)
    : impl_(std::make_unique<Impl>(std::move(options), workers, clock, application))
{
}

Server::~Server() = default;

std::uint16_t Server::port() const
{
    return impl_->port();
}

void Server::start()
{
    impl_->start();
}

void Server::announce_close()
{
    impl_->announce_close();
}

std::size_t Server::drain(SteadyTime deadline)
{
    return impl_->drain(deadline);
}

std::size_t Server::connections() const
{
    return impl_->connections();
}

}  // namespace kit::http
