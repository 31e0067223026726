#include "platform/db/postgres/subscription.hpp"

#include "platform/core/error.hpp"
#include "platform/db/postgres/errors.hpp"

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <libpq-fe.h>

#include <algorithm>
#include <fcntl.h>
#include <memory>

namespace kit::db::postgres {

namespace {

using Descriptor = asio::posix::basic_stream_descriptor<Executor>;

struct FreeNotification {
    void operator()(PGnotify* notification) const noexcept { PQfreemem(notification); }
};

using Notification = std::unique_ptr<PGnotify, FreeNotification>;

// libpq closes its socket when it likes, so the event loop watches a descriptor of its own for it.
int duplicate(const ConnectionHandle& handle)
{
    const int copy = ::fcntl(PQsocket(handle.get()), F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
        throw Unavailable("no file descriptor for a database connection");
    }
    return copy;
}

void require(bool works)
{
    if (!works) {
        std::rethrow_exception(lost_connection());
    }
}

void check(const ResultHandle& result)
{
    require(PQresultStatus(result.get()) == PGRES_COMMAND_OK);
}

}  // namespace

Subscription::Subscription(
    Target target,
    BlockingPool& resolver,
    Clock& clock,
    std::string channel,
    std::function<void(std::string_view)> receive
)
    : target_(std::move(target)),
      resolver_(resolver),
      clock_(clock),
      channel_(std::move(channel)),
      receive_(std::move(receive))
{
}

Task<void> Subscription::run()
{
    while (true) {
        try {
            auto handle =
                co_await connect(target_, resolver_, clock_, clock_.steady_now() + connect_time_max);
            co_await follow(std::move(handle));
        } catch (const Unavailable&) {
            // The pools report a database that is away; this one only comes back.
        }
        co_await clock_.sleep_for(delay_);
        delay_ = std::min(delay_ * 2, reconnect_delay_max);
    }
}

// Until the connection is lost, which throws.
Task<void> Subscription::follow(ConnectionHandle handle)
{
    Descriptor descriptor(co_await asio::this_coro::executor, duplicate(handle));
    const auto command = "LISTEN " + channel_;
    require(PQexitPipelineMode(handle.get()) == 1 && PQsendQuery(handle.get(), command.c_str()) == 1);
    while (true) {
        const int unsent = PQflush(handle.get());
        require(unsent >= 0);
        co_await descriptor.async_wait(unsent > 0 ? Descriptor::wait_write : Descriptor::wait_read, use_task);
        if (unsent > 0) {
            continue;
        }
        const bool alive = PQconsumeInput(handle.get()) == 1;
        while (PQisBusy(handle.get()) == 0) {
            const ResultHandle result(PQgetResult(handle.get()));
            if (!result) {
                break;
            }
            check(result);
            delay_ = reconnect_delay_min;
        }
        while (const Notification notification{PQnotifies(handle.get())}) {
            receive_(notification->extra);
        }
        require(alive && PQstatus(handle.get()) == CONNECTION_OK);
    }
}

}  // namespace kit::db::postgres
