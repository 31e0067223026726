#include "platform/outbound/http_client.hpp"

#include "platform/outbound/http_engine.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <future>
#include <ranges>

namespace kit::outbound {

std::string_view HttpResponse::header(std::string_view lower_name) const
{
    for (const auto& [name, value] : std::views::reverse(headers)) {
        if (name == lower_name) {
            return value;
        }
    }
    return {};
}

std::string_view to_string(HttpFailure failure)
{
    switch (failure) {
        case HttpFailure::refused:
            return "no connection";
        case HttpFailure::timed_out:
            return "no answer in time";
        case HttpFailure::too_large:
            return "answer too large";
        case HttpFailure::tls:
            return "TLS failed";
        case HttpFailure::protocol:
            return "broken answer";
        case HttpFailure::cancelled:
            return "cancelled";
    }
    std::unreachable();
}

HttpClient::HttpClient(Options options) : engine_(std::make_shared<Engine>(options)) {}

HttpClient::HttpClient() : HttpClient(Options{}) {}

HttpClient::~HttpClient()
{
    engine_->stop();
}

Task<HttpResult> HttpClient::send(HttpRequest request)
{
    const auto engine = engine_;
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void(HttpResult)>(
        [engine](auto handler, std::shared_ptr<HttpCall> call) {
            // The slot serves the caller's next operation later: then the call is gone, and so is this.
            auto slot = asio::get_associated_cancellation_slot(handler);
            if (slot.is_connected()) {
                slot.assign([engine = std::weak_ptr(engine),
                             call = std::weak_ptr(call)](asio::cancellation_type /*any*/) {
                    auto running = call.lock();
                    const auto owner = engine.lock();
                    if (running && owner) {
                        owner->cancel(std::move(running));
                    }
                });
            }
            auto executor = asio::get_associated_executor(handler);
            call->when_done([handler = std::move(handler),
                             executor,
                             guard = asio::make_work_guard(executor)](HttpResult result) mutable {
                asio::post(executor, [handler = std::move(handler), result = std::move(result)]() mutable {
                    std::move(handler)(std::move(result));
                });
            });
            engine->start(std::move(call));
        },
        use_task,
        engine->admit(std::move(request))
    );
}

HttpResult HttpClient::send_blocking(HttpRequest request)
{
    auto call = engine_->admit(std::move(request));
    std::promise<HttpResult> promise;
    auto result = promise.get_future();
    call->when_done([promise = std::move(promise)](HttpResult done) mutable {
        promise.set_value(std::move(done));
    });
    engine_->start(std::move(call));
    return result.get();
}

}  // namespace kit::outbound
