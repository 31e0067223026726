#include "platform/telemetry/kept_records.hpp"

#include "platform/telemetry/otlp.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace kit::telemetry {

namespace {

std::string_view text_of(const std::vector<Field>& fields, std::string_view key)
{
    const auto found = std::ranges::find(fields, key, &Field::key);
    const auto* const text = found == fields.end() ? nullptr : std::get_if<std::string_view>(&found->value);
    return text == nullptr ? std::string_view() : *text;
}

// Of two of the same time the one recorded later is the later.
template <class Record>
void sort_latest_first(std::vector<Record>& records, UnixNanoseconds Record::* time)
{
    std::vector<std::size_t> order(records.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, [&records, time](std::size_t left, std::size_t right) {
        return std::pair(records[left].*time, left) > std::pair(records[right].*time, right);
    });
    std::vector<Record> sorted;
    sorted.reserve(records.size());
    for (const auto index : order) {
        sorted.push_back(std::move(records[index]));
    }
    records = std::move(sorted);
}

}  // namespace

std::vector<Field> KeptSpan::fields() const
{
    return otlp::read_span_fields(message);
}

std::string_view KeptSpan::text(std::string_view key) const
{
    return text_of(fields(), key);
}

std::vector<Field> KeptLine::fields() const
{
    return otlp::read_log_fields(message);
}

std::string_view KeptLine::text(std::string_view key) const
{
    return text_of(fields(), key);
}

KeptSpans::KeptSpans(const RecordBuffer& buffer) : owner(buffer.copy())
{
    for (const auto& batch : owner) {
        otlp::read_records(batch.bytes, [this](std::string_view message) {
            spans.push_back(otlp::read_span(message));
        });
    }
    sort_latest_first(spans, &KeptSpan::start);
}

KeptLines::KeptLines(const RecordBuffer& buffer) : owner(buffer.copy())
{
    for (const auto& batch : owner) {
        otlp::read_records(batch.bytes, [this](std::string_view message) {
            lines.push_back(otlp::read_log(message));
        });
    }
    sort_latest_first(lines, &KeptLine::time);
}

}  // namespace kit::telemetry
