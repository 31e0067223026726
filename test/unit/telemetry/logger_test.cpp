#include "platform/telemetry/logger.hpp"

#include "platform/telemetry/kept_records.hpp"
#include "support/manual_clock.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <unistd.h>

namespace kit::telemetry {
namespace {

using testing::HasSubstr;

class Pipe {
public:
    Pipe() { EXPECT_EQ(::pipe(ends_.data()), 0); }

    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;

    ~Pipe()
    {
        ::close(ends_[0]);
        ::close(ends_[1]);
    }

    int writer() const { return ends_[1]; }

    // What a single read yields.
    std::string read() const
    {
        std::string text(65536, '\0');
        text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::read(ends_[0], text.data(), text.size())))
        );
        return text;
    }

private:
    std::array<int, 2> ends_{};
};

TEST(Logger, JsonLine)
{
    const test::ManualClock clock;
    const Pipe pipe;
    Logger logger({.descriptor = pipe.writer(), .readable = false}, clock);
    logger.info("hello \"you\"", {{"text", "a\nb"}, {"number", 7}, {"real", 1.5}, {"yes", true}});
    logger.flush();
    EXPECT_EQ(
        pipe.read(),
        R"({"time":"2026-03-01T00:00:00Z","level":"INFO","msg":"hello \"you\"","text":"a\nb","number":7,"real":1.5,"yes":true,"trace_id":"","span_id":""})"
        "\n"
    );
}

TEST(Logger, ReadableLine)
{
    const test::ManualClock clock;
    const Pipe pipe;
    Logger logger({.descriptor = pipe.writer(), .readable = true}, clock);
    logger.warn("careful", {{"path", "/a b"}});
    logger.flush();
    const auto line = pipe.read();
    EXPECT_THAT(line, HasSubstr("00:00:00.000"));
    EXPECT_THAT(line, HasSubstr("WARN"));
    EXPECT_THAT(line, HasSubstr("\"/a b\""));
}

TEST(Logger, LevelsBelowTheSettingAreSilent)
{
    const test::ManualClock clock;
    const Pipe pipe;
    Logger logger({.level = LogLevel::warn, .descriptor = pipe.writer(), .readable = false}, clock);
    logger.debug("no");
    logger.info("no");
    logger.error("yes");
    logger.flush();
    EXPECT_THAT(pipe.read(), testing::AllOf(HasSubstr("\"yes\""), testing::Not(HasSubstr("\"no\""))));
    EXPECT_EQ(parse_log_level("warn"), LogLevel::warn);
    EXPECT_FALSE(parse_log_level("WARN"));
}

const CurrentSpan request_span{
    .span = {.trace_high = 1, .trace_low = 2, .span_id = 3, .flags = 1},
    .origin = std::make_shared<const RequestOrigin>(RequestOrigin{.request_id = "r-1", .tracestate = {}}),
};

TEST(Logger, ALineOfARequestCarriesItsIds)
{
    const test::ManualClock clock;
    const Pipe pipe;
    Recorder recorder({});
    Logger logger({.descriptor = pipe.writer(), .readable = false, .recorder = &recorder}, clock);
    const ActiveSpan active(request_span);
    logger.info("hello", {{"key", "value"}});
    logger.flush();
    EXPECT_THAT(
        pipe.read(),
        HasSubstr(R"("key":"value","request_id":"r-1","trace_id":"00000000000000010000000000000002",)"
                  R"("span_id":"0000000000000003"})")
    );
    const KeptLines kept(recorder.kept_logs());
    ASSERT_EQ(kept.lines.size(), 1);
    EXPECT_EQ(kept.lines.front().span, request_span.span);
    EXPECT_EQ(kept.lines.front().text("request_id"), "r-1");
    EXPECT_EQ(kept.lines.front().fields().size(), 2);  // the ids are the record's own
}

TEST(Logger, EachKeyIsWrittenOnceAndTheCallersWins)
{
    const test::ManualClock clock;
    const Pipe pipe;
    Recorder recorder({});
    Logger logger({.descriptor = pipe.writer(), .readable = false, .recorder = &recorder}, clock);
    const ActiveSpan active(request_span);
    logger.info(
        "audit.event",
        {{"request_id", "r-2"},
         {"trace_id", "0000000000000000000000000000000a"},
         {"span_id", "000000000000000b"},
         {"last", 1}}
    );
    logger.flush();
    EXPECT_THAT(
        pipe.read(),
        HasSubstr(R"("msg":"audit.event","request_id":"r-2","last":1,)"
                  R"("trace_id":"0000000000000000000000000000000a","span_id":"000000000000000b"})")
    );
    EXPECT_EQ(KeptLines(recorder.kept_logs()).lines.front().span.span_id, 11);
}

TEST(Logger, TheLevelHoldsForEverySink)
{
    const test::ManualClock clock;
    const Pipe pipe;
    Recorder recorder({.exported_logs = RecordBuffer::Options{}});
    Logger logger(
        {.level = LogLevel::warn, .descriptor = pipe.writer(), .readable = false, .recorder = &recorder},
        clock
    );
    logger.info("no");
    logger.error("yes");
    EXPECT_EQ(recorder.kept_logs().copy().front().records, 1);
    EXPECT_EQ(recorder.exported_logs()->records(), 1);
}

TEST(Logger, AFullBufferDropsAndSaysSo)
{
    const test::ManualClock clock;
    const Pipe pipe;
    Logger logger({.descriptor = pipe.writer(), .readable = false, .buffer_bytes_max = 300}, clock);
    const std::string long_text(200, 'x');
    for (int index = 0; index < 50; ++index) {
        logger.info(long_text);
    }
    logger.flush();
    EXPECT_GT(logger.dropped(), 0);
    EXPECT_THAT(pipe.read(), HasSubstr("log lines dropped"));
}

}  // namespace
}  // namespace kit::telemetry
