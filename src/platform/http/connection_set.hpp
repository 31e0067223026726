// The connections of one worker: their buffers, their deadlines, their end.
#pragma once

#include "platform/http/connection.hpp"
#include "platform/http/descriptor.hpp"
#include "platform/http/server.hpp"

#include <boost/intrusive/list.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace kit::http {

// What the workers of one server share.
struct ServerContext {
    ServerLimits limits;
    std::function<void(std::string_view)> on_fault;
    Clock& clock;
    Application& application;
    std::atomic<std::size_t> connections = 0;

    // Tells of an exception that nobody was to throw.
    void fault(const std::exception_ptr& exception) const;
};

// Used on its worker's thread only.
class ConnectionSet final : public std::enable_shared_from_this<ConnectionSet> {
public:
    ConnectionSet(std::shared_ptr<ServerContext> context, Executor executor);

    // Serves a connected, non-blocking socket, or closes it where the process has its most connections.
    void adopt(const Tcp& protocol, Descriptor descriptor, std::string peer);

    // From now on idle connections end, and every answer is a connection's last.
    void announce_close() { closing_ = true; }

    // Returns once no connection is left, or soon after `deadline`, when what is left has been cancelled: the
    // number of requests that this hit.
    Task<std::size_t> drain(SteadyTime deadline);

    bool closing() const { return closing_; }

    const ServerContext& context() const { return *context_; }

    SteadyTime now() const { return context_->clock.steady_now(); }

    // The size of every Scratch's input: the largest head with room for a piece of body behind it.
    std::size_t input_bytes() const { return input_bytes_; }

    std::unique_ptr<Scratch> take_scratch();
    void give_back(std::unique_ptr<Scratch> scratch);

    // A connection begins, or has ended.
    void remember() { context_->connections.fetch_add(1, std::memory_order_relaxed); }

    void forget() { context_->connections.fetch_sub(1, std::memory_order_relaxed); }

private:
    Task<void> sweep();
    void tick();

    std::shared_ptr<ServerContext> context_;
    Executor executor_;
    std::size_t input_bytes_;
    boost::intrusive::list<Connection, boost::intrusive::constant_time_size<false>> connections_;
    std::vector<std::unique_ptr<Scratch>> spare_;
    asio::cancellation_signal wake_sweep_;
    bool sweeping_ = false;
    bool closing_ = false;
};

}  // namespace kit::http
