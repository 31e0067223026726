#include "platform/blob/blob.hpp"

#include "platform/core/error.hpp"
#include "platform/telemetry/span.hpp"

namespace kit::blob {

namespace {

constexpr telemetry::Instrument operation_duration{
    .name = "blob.operation.duration",
    .kind = telemetry::InstrumentKind::histogram,
    .unit = "s",
    .description = "Operations on the store of objects.",
    .attributes = {"operation", "outcome"},
    .bounds = telemetry::buckets::seconds,
};

bool is_alphanumeric(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

}  // namespace

bool is_key(std::string_view text)
{
    if (text.empty() || text.size() > key_bytes_max) {
        return false;
    }
    bool first = true;
    for (const char byte : text) {
        const bool allowed =
            is_alphanumeric(byte) || (!first && (byte == '-' || byte == '_' || byte == '.' || byte == '/'));
        if (!allowed) {
            return false;
        }
        first = byte == '/';
    }
    return !first;
}

Operations::Operations(const Clock& clock, telemetry::Registry& metrics)
    : clock_(clock), duration_(metrics, operation_duration)
{
}

Task<void> Operations::operator()(std::string_view name, Task<void> call) const
{
    struct Timed {
        const Clock& clock;
        const telemetry::Histogram& duration;
        std::string_view name;
        telemetry::ChildSpan span{name, telemetry::SpanKind::client};
        SteadyTime started = clock.steady_now();
        std::string_view outcome = "error";

        ~Timed()
        {
            if (outcome != "success") {
                span.fail(outcome);
            }
            duration.record(telemetry::seconds_between(started, clock.steady_now()), {name, outcome});
        }
    };

    Timed timed{.clock = clock_, .duration = duration_, .name = name};
    co_await std::move(call);
    timed.outcome = "success";
}

}  // namespace kit::blob
