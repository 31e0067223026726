// Which span the code on a thread works for. Below everything, so that whatever suspends a coroutine can keep
// it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace kit {

namespace telemetry {
class Tracer;
}

// A span's place in a trace: W3C Trace Context.
struct SpanContext {
    static constexpr std::uint8_t sampled_flag = 0x01;

    std::uint64_t trace_high = 0;
    std::uint64_t trace_low = 0;
    std::uint64_t span_id = 0;
    std::uint8_t flags = 0;

    // Neither id is all zeros (section 3.2.2).
    bool valid() const { return (trace_high | trace_low) != 0 && span_id != 0; }

    bool sampled() const { return (flags & sampled_flag) != 0; }

    friend bool operator==(const SpanContext&, const SpanContext&) = default;
};

// What all spans and log lines of one request share.
struct RequestOrigin {
    std::string request_id;
    std::string tracestate;  // as received; given on with outbound calls
};

// The span that the code on this thread works for, and what is needed to make children of it.
struct CurrentSpan {
    SpanContext span{};                       // invalid outside a request, or where traces are off
    telemetry::Tracer* tracer = nullptr;      // records the children; null where nothing is recorded
    std::chrono::nanoseconds clock_offset{};  // from steady time to Unix time, the same for a whole request
    std::shared_ptr<const RequestOrigin> origin{};
};

// The calling thread's. Work for a request sets it and takes it back (ActiveSpan); a thread's own work has
// none.
CurrentSpan& current_span();

// Makes `span` the thread's current one until the end of the scope, where what was before comes back.
class [[nodiscard]] ActiveSpan {
public:
    explicit ActiveSpan(CurrentSpan span)
        : thread_(&current_span()), before_(std::exchange(*thread_, std::move(span)))
    {
    }

    ActiveSpan(const ActiveSpan&) = delete;
    ActiveSpan& operator=(const ActiveSpan&) = delete;

    // A suspended coroutine may be destroyed on another thread, at the end of the process: that one's span is
    // none of its business.
    ~ActiveSpan()
    {
        if (thread_ == &current_span()) {
            *thread_ = std::move(before_);
        }
    }

private:
    CurrentSpan* thread_;
    CurrentSpan before_;
};

// Around a real suspension, in the coroutine that suspends: while it waits, the thread works for others, who
// must not find this span; afterwards the caller finds his own again. Stands directly before the co_await.
class [[nodiscard]] KeepSpan : ActiveSpan {
public:
    KeepSpan() : ActiveSpan(CurrentSpan{}) {}
};

}  // namespace kit
