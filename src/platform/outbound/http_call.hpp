// One call of the HTTP client: a request as a libcurl handle, and the response as it comes in.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/outbound/http_client.hpp"
#include "platform/outbound/libcurl.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

namespace kit::outbound {

class HttpCall {
public:
    using Done = std::move_only_function<void(HttpResult)>;

    HttpCall(HttpRequest request, SteadyTime deadline) : request_(std::move(request)), deadline_(deadline) {}

    HttpCall(const HttpCall&) = delete;
    HttpCall& operator=(const HttpCall&) = delete;
    ~HttpCall() = default;

    // Before the engine gets it.
    void when_done(Done done) { done_ = std::move(done); }

    SteadyTime deadline() const { return deadline_; }

    // The handle that performs it; null where the request is none that may be sent (a line break in a
    // header).
    CURL* prepare();

    CURL* handle() const { return handle_.get(); }

    // What libcurl's verdict means, with the response that came.
    HttpResult result(CURLcode verdict);

    // Resumes the caller; once.
    void finish(HttpResult result) { std::exchange(done_, nullptr)(std::move(result)); }

private:
    static std::size_t on_header(const char* data, std::size_t size, std::size_t count, void* call);
    static std::size_t on_body(const char* data, std::size_t size, std::size_t count, void* call);

    bool take_header(std::string_view line);
    bool take_body(std::string_view bytes);
    bool build_headers();
    void set_method();
    void set_tls();

    template <class Value>
    void set(CURLoption option, Value value)
    {
        // An option that an older libcurl lacks, such as QUICK_EXIT, stays at its default.
        libcurl().easy_setopt(handle_.get(), option, value);
    }

    HttpRequest request_;
    SteadyTime deadline_;
    Done done_;
    CurlList header_lines_;
    std::unique_ptr<CURL, CurlDeleter> handle_;  // gone before what it points to
    HttpResponse response_;
    std::size_t header_bytes_ = 0;
    bool too_large_ = false;
};

}  // namespace kit::outbound
