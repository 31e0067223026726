// What a recorder keeps, read back: for the views of this process.
#pragma once

#include "platform/telemetry/recorder.hpp"

#include <string_view>
#include <vector>

namespace kit::telemetry {

struct KeptSpan {
    SpanContext span;
    std::uint64_t parent_id = 0;
    bool remote_parent = false;
    std::string_view name{};
    SpanKind kind = SpanKind::internal;
    UnixNanoseconds start{};
    UnixNanoseconds end{};
    bool failed = false;
    std::string_view message{};  // the whole: attributes are read when they are asked for

    std::chrono::nanoseconds took() const { return end - start; }

    std::vector<Field> fields() const;

    // The text of an attribute; empty where there is none.
    std::string_view text(std::string_view key) const;
};

struct KeptLine {
    UnixNanoseconds time{};
    LogLevel level = LogLevel::debug;
    std::string_view body{};
    SpanContext span{};
    std::string_view message{};

    std::vector<Field> fields() const;
    std::string_view text(std::string_view key) const;
};

// Copies: their texts live as long as they do. Reading all takes some ten milliseconds when the buffers are
// full.
struct KeptSpans {
    explicit KeptSpans(const RecordBuffer& buffer);

    std::vector<RecordBuffer::Batch> owner;
    std::vector<KeptSpan> spans;  // the latest start first
};

struct KeptLines {
    explicit KeptLines(const RecordBuffer& buffer);

    std::vector<RecordBuffer::Batch> owner;
    std::vector<KeptLine> lines;  // the latest first
};

}  // namespace kit::telemetry
