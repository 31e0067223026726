// The child spans of statements: by their names, never their texts or values.
#pragma once

#include "platform/core/span_context.hpp"
#include "platform/db/database.hpp"
#include "platform/telemetry/span.hpp"

#include <exception>
#include <span>
#include <string_view>

namespace kit::db {

// For drivers. Statements sent together have a span each, of the same time: they have one answer.
class StatementSpans {
public:
    StatementSpans(Engine engine, std::span<const Statement> statements);
    StatementSpans(const StatementSpans&) = delete;
    StatementSpans& operator=(const StatementSpans&) = delete;
    ~StatementSpans();

    void fail(const std::exception_ptr& failed);

private:
    Engine engine_;
    std::span<const Statement> statements_;
    std::uint64_t parent_id_;
    SteadyTime start_{};
    std::string_view error_type_{};
};

namespace detail {

template <class T>
Task<T> with_spans(Engine engine, std::span<const Statement> statements, Task<T> work)
{
    StatementSpans spans(engine, statements);
    try {
        co_return co_await std::move(work);
    } catch (...) {
        spans.fail(std::current_exception());
        throw;
    }
}

template <class T>
Task<T> with_span(Engine engine, Statement statement, Task<T> work)
{
    co_return co_await with_spans(engine, {&statement, 1}, std::move(work));
}

}  // namespace detail

// `work`, which runs the statements, with its spans where the current trace is recorded.
template <class T>
Task<T> traced(Engine engine, std::span<const Statement> statements, Task<T> work)
{
    return current_span().tracer == nullptr ? std::move(work)
                                            : detail::with_spans(engine, statements, std::move(work));
}

template <class T>
Task<T> traced(Engine engine, const Statement& statement, Task<T> work)
{
    return current_span().tracer == nullptr ? std::move(work)
                                            : detail::with_span(engine, statement, std::move(work));
}

// A transaction from its first statement to its end, around the spans of its statements.
inline constexpr std::string_view transaction_span_name = "db.transaction";

}  // namespace kit::db
