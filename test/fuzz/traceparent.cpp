// Headers of any shape: what passes names a trace, and its ids are the header's own.

#include "platform/telemetry/trace.hpp"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    if (const auto span = kit::telemetry::parse_traceparent(input)) {
        const kit::telemetry::SpanText text(*span);
        if (!span->valid() || input.substr(3, 32) != text.trace_id() ||
            input.substr(36, 16) != text.span_id()) {
            std::abort();
        }
    }
    return 0;
}
