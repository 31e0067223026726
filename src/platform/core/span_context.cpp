#include "platform/core/span_context.hpp"

namespace kit {

CurrentSpan& current_span()
{
    thread_local CurrentSpan span;
    return span;
}

}  // namespace kit
