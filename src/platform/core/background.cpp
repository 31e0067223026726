#include "platform/core/background.hpp"

#include "platform/core/error.hpp"
#include "platform/core/span_task.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include <future>
#include <utility>

namespace kit {

namespace {

bool is_cancellation(const std::exception_ptr& failed)
{
    try {
        std::rethrow_exception(failed);
    } catch (const Cancelled&) {
        return true;
    } catch (const boost::system::system_error& error) {
        return error.code() == asio::error::operation_aborted;
    } catch (...) {
        return false;
    }
}

}  // namespace

struct Background::Running {
    explicit Running(Executor task_executor) : executor(std::move(task_executor)) {}

    Executor executor;
    asio::cancellation_signal cancel;  // emitted on the executor only
    std::promise<void> done;
};

Background::Background(Report report) : report_(std::move(report)) {}

Background::~Background()
{
    stop();
}

void Background::spawn(const Executor& executor, std::string name, Task<void> task)
{
    auto running = std::make_shared<Running>(executor);
    tasks_.push_back(running);
    asio::co_spawn(
        executor,
        under_span({}, std::move(task)),
        asio::bind_cancellation_slot(
            running->cancel.slot(),
            [this, running, name = std::move(name)](const std::exception_ptr& failed) {
                if (failed && !is_cancellation(failed)) {
                    report_(name, failed);
                }
                running->done.set_value();
            }
        )
    );
}

void Background::stop()
{
    for (const auto& running : tasks_) {
        asio::post(running->executor, [running] { running->cancel.emit(asio::cancellation_type::terminal); });
    }
    for (const auto& running : tasks_) {
        running->done.get_future().wait();
    }
    tasks_.clear();
}

}  // namespace kit
