// The thread behind HttpClient and the one libcurl multi handle that it owns.
#pragma once

#include "platform/outbound/http_call.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace kit::outbound {

class HttpClient::Engine {
public:
    explicit Engine(Options options) : options_(options) {}

    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    ~Engine() { stop(); }

    // A place among the calls, to be given to start(). Starts the thread. Throws Overloaded or Unavailable.
    std::shared_ptr<HttpCall> admit(HttpRequest request);

    void start(std::shared_ptr<HttpCall> call);

    // Nothing where the call has ended.
    void cancel(std::shared_ptr<HttpCall> call);

    // Ends every call. Idempotent.
    void stop();

private:
    struct Inbox {
        std::vector<std::shared_ptr<HttpCall>> started;
        std::vector<std::shared_ptr<HttpCall>> cancelled;
        bool stopping = false;
    };

    using Multi = std::unique_ptr<CURLM, CurlDeleter>;

    void open();
    void run();
    Inbox take_inbox();
    void begin(const std::shared_ptr<HttpCall>& call);
    void collect();
    void end_overdue();
    int milliseconds_to_wait() const;
    void end(HttpCall& call, HttpResult result);

    Options options_;
    SystemClock clock_;  // libcurl lives in the system's time, so its deadlines do
    std::mutex mutex_;
    Inbox inbox_;
    std::size_t calls_ = 0;  // admitted and not yet ended
    Multi multi_;
    std::thread thread_;

    // The thread's own: those under way, the first deadline first.
    std::multimap<SteadyTime, std::shared_ptr<HttpCall>> under_way_;
};

}  // namespace kit::outbound
