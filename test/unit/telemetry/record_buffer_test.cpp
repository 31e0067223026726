#include "platform/telemetry/record_buffer.hpp"

#include "platform/telemetry/kept_records.hpp"
#include "platform/telemetry/otlp.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace kit::telemetry {
namespace {

using testing::ElementsAre;

constexpr std::size_t everything = 1'000'000'000;

std::vector<std::string> messages(const RecordBuffer::Batch& batch)
{
    std::vector<std::string> result;
    otlp::read_records(batch.bytes, [&result](std::string_view message) { result.emplace_back(message); });
    EXPECT_EQ(result.size(), batch.records);
    return result;
}

TEST(RecordBuffer, GivesWhatItGotInOrder)
{
    RecordBuffer buffer({});
    buffer.push("one");
    buffer.push("two");
    EXPECT_EQ(buffer.records(), 2);
    EXPECT_THAT(messages(buffer.take(everything, everything)), ElementsAre("one", "two"));
    EXPECT_EQ(buffer.records(), 0);
    EXPECT_EQ(buffer.bytes(), 0);
    EXPECT_EQ(buffer.take(everything, everything).records, 0);
}

TEST(RecordBuffer, TakesAsMuchAsFits)
{
    RecordBuffer buffer({});
    for (const char* message : {"aaaa", "bbbb", "cccc", "dddd"}) {
        buffer.push(message);
    }
    EXPECT_THAT(messages(buffer.take(1, everything)), ElementsAre("aaaa"));
    EXPECT_THAT(messages(buffer.take(everything, 12)), ElementsAre("bbbb", "cccc"));
    EXPECT_THAT(messages(buffer.take(everything, 1)), ElementsAre("dddd"));  // one always does
}

TEST(RecordBuffer, TheOldestMakesRoom)
{
    RecordBuffer by_count({.records_max = 2});
    RecordBuffer by_size({.bytes_max = 11});
    for (const char* message : {"aaa", "bbb", "ccc"}) {
        by_count.push(message);
        by_size.push(message);
    }
    EXPECT_THAT(messages(by_count.take(everything, everything)), ElementsAre("bbb", "ccc"));
    EXPECT_THAT(messages(by_size.take(everything, everything)), ElementsAre("bbb", "ccc"));
    EXPECT_EQ(by_count.dropped(), 1);
    EXPECT_EQ(by_size.dropped(), 1);
}

TEST(RecordBuffer, StaysBoundedOverManyChunks)
{
    constexpr std::size_t bytes_max = 100'000;
    constexpr std::size_t pushed = 10'000;
    RecordBuffer buffer({.bytes_max = bytes_max});
    const std::string message(300, 'x');
    for (std::size_t index = 0; index < pushed; ++index) {
        buffer.push(message + std::to_string(index));
        ASSERT_LE(buffer.bytes(), bytes_max);
    }
    EXPECT_EQ(buffer.records() + buffer.dropped(), pushed);
    const auto copies = buffer.copy();
    ASSERT_EQ(copies.size(), 1);
    const auto kept = messages(copies.front());
    EXPECT_EQ(kept.size(), buffer.records());
    EXPECT_EQ(kept.back(), message + std::to_string(pushed - 1));
    EXPECT_EQ(kept.front(), message + std::to_string(pushed - kept.size()));
}

TEST(RecordBuffer, AnOversizedRecordIsDropped)
{
    RecordBuffer buffer({});
    buffer.push(std::string(RecordBuffer::record_bytes_max + 1, 'x'));
    EXPECT_EQ(buffer.records(), 0);
    EXPECT_EQ(buffer.dropped(), 1);
    buffer.push(std::string(RecordBuffer::record_bytes_max, 'x'));
    EXPECT_EQ(buffer.take(everything, everything).records, 1);
}

TEST(RecordBuffer, SaysOnceThatEnoughIsThere)
{
    int calls = 0;
    RecordBuffer buffer({.records_ready = 2, .on_ready = [&calls] { ++calls; }});
    buffer.push("a");
    EXPECT_EQ(calls, 0);
    buffer.push("b");
    buffer.push("c");
    EXPECT_EQ(calls, 1);
    static_cast<void>(buffer.take(everything, everything));
    buffer.push("d");
    buffer.push("e");
    EXPECT_EQ(calls, 2);
}

TEST(RecordBuffer, LosesNothingBetweenThreadsThatItDoesNotCount)
{
    constexpr std::size_t threads = 4;
    constexpr std::size_t pushes = 5'000;
    RecordBuffer buffer({.records_max = 1'000});
    std::atomic<std::size_t> running{threads};
    std::vector<std::thread> writers;
    for (std::size_t thread = 0; thread < threads; ++thread) {
        writers.emplace_back([&] {
            for (std::size_t index = 0; index < pushes; ++index) {
                buffer.push("some message or other");
            }
            --running;
        });
    }
    std::size_t taken = 0;
    while (running > 0) {
        taken += messages(buffer.take(100, everything)).size();
        static_cast<void>(buffer.copy());
    }
    for (auto& writer : writers) {
        writer.join();
    }
    taken += messages(buffer.take(everything, everything)).size();
    EXPECT_EQ(taken + buffer.dropped(), threads * pushes);
}

TEST(Recorder, KeepsAndExportsTheSameBytes)
{
    Recorder recorder({.exported_logs = RecordBuffer::Options{}});
    EXPECT_EQ(recorder.exported_spans(), nullptr);
    recorder.record(LogRecord{.time = {}, .level = LogLevel::info, .message = "m", .fields = {}});
    const auto kept = recorder.kept_logs().copy().front();
    const auto exported = recorder.exported_logs()->take(everything, everything);
    EXPECT_EQ(kept.bytes, exported.bytes);
    EXPECT_EQ(kept.records, 1);
}

TEST(Recorder, KeepsAtMostItsShare)
{
    static_assert(Recorder::kept_span_bytes_max + Recorder::kept_log_bytes_max <= 14UL * 1024 * 1024);
    Recorder recorder({.span_bytes_max = 50'000, .log_bytes_max = 50'000});
    for (int index = 0; index < 2'000; ++index) {
        recorder.record(SpanRecord{.span = {1, 2, 3, 1}, .name = "some span"});
        recorder.record(LogRecord{.time = {}, .level = LogLevel::info, .message = "line", .fields = {}});
    }
    EXPECT_LE(recorder.kept_spans().bytes(), 50'000);
    EXPECT_LE(recorder.kept_logs().bytes(), 50'000);
    EXPECT_GT(KeptSpans(recorder.kept_spans()).spans.size(), 500);
}

}  // namespace
}  // namespace kit::telemetry
