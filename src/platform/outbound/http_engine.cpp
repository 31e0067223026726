#include "platform/outbound/http_engine.hpp"

#include "platform/core/error.hpp"

#include <algorithm>
#include <pthread.h>
#include <utility>

namespace kit::outbound {

std::shared_ptr<HttpCall> HttpClient::Engine::admit(HttpRequest request)
{
    const auto deadline = clock_.steady_now() + request.time_max;
    auto call = std::make_shared<HttpCall>(std::move(request), deadline);
    const std::lock_guard lock(mutex_);
    if (inbox_.stopping) {
        throw Unavailable("the HTTP client is stopped");
    }
    if (calls_ >= options_.calls_max) {
        throw Overloaded("too many calls to other servers");
    }
    if (!multi_) {
        open();
    }
    ++calls_;
    return call;
}

void HttpClient::Engine::open()
{
    Multi multi(libcurl().multi_init());
    if (!multi) {
        throw Unavailable("libcurl: out of memory");
    }
    const auto connections = static_cast<long>(options_.connections_max);
    libcurl().multi_setopt(multi.get(), CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
    libcurl().multi_setopt(multi.get(), CURLMOPT_MAXCONNECTS, connections);
    multi_ = std::move(multi);
    thread_ = std::thread([this] { run(); });
}

void HttpClient::Engine::start(std::shared_ptr<HttpCall> call)
{
    {
        const std::lock_guard lock(mutex_);
        if (!inbox_.stopping) {
            inbox_.started.push_back(std::move(call));
            libcurl().multi_wakeup(multi_.get());
            return;
        }
        --calls_;
    }
    call->finish(std::unexpected(HttpFailure::cancelled));
}

void HttpClient::Engine::cancel(std::shared_ptr<HttpCall> call)
{
    const std::lock_guard lock(mutex_);
    inbox_.cancelled.push_back(std::move(call));
    libcurl().multi_wakeup(multi_.get());
}

void HttpClient::Engine::stop()
{
    {
        const std::lock_guard lock(mutex_);
        inbox_.stopping = true;
        if (multi_) {
            libcurl().multi_wakeup(multi_.get());
        }
    }
    if (thread_.joinable()) {
        thread_.join();
    }
}

void HttpClient::Engine::run()
{
    pthread_setname_np(pthread_self(), "outbound");
    while (true) {
        auto inbox = take_inbox();
        for (const auto& call : inbox.started) {
            begin(call);
        }
        for (const auto& call : inbox.cancelled) {
            end(*call, std::unexpected(HttpFailure::cancelled));
        }
        if (inbox.stopping) {
            break;
        }
        int running = 0;
        libcurl().multi_perform(multi_.get(), &running);
        collect();
        end_overdue();
        libcurl().multi_poll(multi_.get(), nullptr, 0, milliseconds_to_wait(), nullptr);
    }
    while (!under_way_.empty()) {
        end(*under_way_.begin()->second, std::unexpected(HttpFailure::cancelled));
    }
}

HttpClient::Engine::Inbox HttpClient::Engine::take_inbox()
{
    const std::lock_guard lock(mutex_);
    return {
        .started = std::exchange(inbox_.started, {}),
        .cancelled = std::exchange(inbox_.cancelled, {}),
        .stopping = inbox_.stopping,
    };
}

void HttpClient::Engine::begin(const std::shared_ptr<HttpCall>& call)
{
    under_way_.emplace(call->deadline(), call);
    if (call->prepare() == nullptr || libcurl().multi_add_handle(multi_.get(), call->handle()) != CURLM_OK) {
        end(*call, std::unexpected(HttpFailure::protocol));
    }
}

void HttpClient::Engine::collect()
{
    int left = 0;
    while (const CURLMsg* message = libcurl().multi_info_read(multi_.get(), &left)) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        const auto verdict = message->data.result;  // the message dies with its handle
        HttpCall* call = nullptr;
        libcurl().easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
        end(*call, call->result(verdict));
    }
}

void HttpClient::Engine::end_overdue()
{
    const auto now = clock_.steady_now();
    while (!under_way_.empty() && under_way_.begin()->first <= now) {
        end(*under_way_.begin()->second, std::unexpected(HttpFailure::timed_out));
    }
}

int HttpClient::Engine::milliseconds_to_wait() const
{
    using std::chrono::milliseconds;
    constexpr milliseconds without_calls = std::chrono::hours(1);  // a wake-up ends it
    if (under_way_.empty()) {
        return static_cast<int>(without_calls.count());
    }
    const auto left = std::chrono::ceil<milliseconds>(under_way_.begin()->first - clock_.steady_now());
    return static_cast<int>(std::clamp(left, milliseconds(0), without_calls).count());
}

void HttpClient::Engine::end(HttpCall& call, HttpResult result)
{
    const auto [first, last] = under_way_.equal_range(call.deadline());
    const auto found =
        std::find_if(first, last, [&](const auto& each) { return each.second.get() == &call; });
    if (found == last) {
        return;  // cancelled after its end
    }
    const auto kept = std::move(found->second);
    under_way_.erase(found);
    if (kept->handle() != nullptr) {
        libcurl().multi_remove_handle(multi_.get(), kept->handle());
    }
    {
        const std::lock_guard lock(mutex_);
        --calls_;
    }
    kept->finish(std::move(result));
}

}  // namespace kit::outbound
