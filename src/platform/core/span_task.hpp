// Spawned work and the span that it works for.
#pragma once

#include "platform/core/span_context.hpp"
#include "platform/core/task.hpp"

#include <utility>

namespace kit {

// `work` for that span. Whatever is spawned says so: it starts either at once, inside its spawner, or after
// him.
template <class T>
Task<T> under_span(CurrentSpan span, Task<T> work)
{
    const ActiveSpan active(std::move(span));
    co_return co_await std::move(work);
}

}  // namespace kit
