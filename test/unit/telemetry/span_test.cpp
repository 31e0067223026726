#include "platform/telemetry/span.hpp"

#include "platform/core/block_on.hpp"
#include "platform/core/workers.hpp"
#include "platform/telemetry/kept_records.hpp"
#include "support/manual_clock.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kit::telemetry {
namespace {

using testing::ElementsAre;
using testing::Pair;

class SpanTest : public testing::Test {
protected:
    // A request's span as the pipeline makes it.
    CurrentSpan request(bool sampled = true)
    {
        return {
            .span = {.trace_high = 1, .trace_low = 2, .span_id = 3, .flags = std::uint8_t{sampled}},
            .tracer = sampled ? &tracer_ : nullptr,
            .clock_offset = clock_offset(clock_.now(), clock_.steady_now()),
            .origin =
                std::make_shared<const RequestOrigin>(RequestOrigin{.request_id = "r", .tracestate = "a=b"}),
        };
    }

    test::ManualClock clock_;
    test::SeededRandom random_;
    Recorder recorder_{{}};
    Tracer tracer_{1.0, random_, clock_, &recorder_};
};

TEST_F(SpanTest, ChildrenHangTogether)
{
    {
        const ActiveSpan active(request());
        ChildSpan outer("outer");
        outer.set({"key", "value"});
        {
            const ChildSpan inner("inner", SpanKind::client);
            EXPECT_EQ(current_span().span.trace_low, 2);
        }
        EXPECT_NE(current_span().span.span_id, 3);
    }
    EXPECT_FALSE(current_span().span.valid());
    const KeptSpans kept(recorder_.kept_spans());
    ASSERT_EQ(kept.spans.size(), 2);
    const auto& inner = kept.spans.front();
    const auto& outer = kept.spans.back();
    EXPECT_EQ(inner.name, "inner");
    EXPECT_EQ(inner.kind, SpanKind::client);
    EXPECT_EQ(inner.parent_id, outer.span.span_id);
    EXPECT_EQ(outer.parent_id, 3);
    EXPECT_EQ(outer.text("key"), "value");
    EXPECT_LE(outer.start, inner.start);
    EXPECT_LE(inner.end, outer.end);
}

TEST_F(SpanTest, NothingIsRecordedOfWhatIsNotSampled)
{
    const ActiveSpan active(request(false));
    const ChildSpan child("child");
    EXPECT_FALSE(child.recording());
    EXPECT_EQ(current_span().span.span_id, 3);
    EXPECT_EQ(recorder_.kept_spans().records(), 0);
}

TEST_F(SpanTest, AnExceptionIsAFailure)
{
    {
        const ActiveSpan active(request());
        EXPECT_THROW(
            {
                const ChildSpan child("child");
                throw std::runtime_error("no");
            },
            std::runtime_error
        );
        ChildSpan said("said");
        said.fail("timeout");
    }
    const KeptSpans kept(recorder_.kept_spans());
    ASSERT_EQ(kept.spans.size(), 2);
    EXPECT_TRUE(kept.spans.front().failed);
    EXPECT_EQ(kept.spans.front().text("error.type"), "timeout");
    EXPECT_TRUE(kept.spans.back().failed);
    EXPECT_EQ(kept.spans.back().text("error.type"), "_OTHER");
}

TEST_F(SpanTest, FurtherFieldsAreLeftOut)
{
    {
        const ActiveSpan active(request());
        ChildSpan child("child");
        for (std::size_t index = 0; index < 2 * ChildSpan::fields_max; ++index) {
            child.set({"key", 1});
        }
    }
    EXPECT_EQ(KeptSpans(recorder_.kept_spans()).spans.front().fields().size(), ChildSpan::fields_max);
}

TEST_F(SpanTest, IsGivenOnToOtherServers)
{
    EXPECT_TRUE(propagation_headers().empty());
    const ActiveSpan active(request());
    EXPECT_THAT(
        propagation_headers(),
        ElementsAre(
            Pair("traceparent", "00-00000000000000010000000000000002-0000000000000003-01"),
            Pair("tracestate", "a=b")
        )
    );
}

Task<void> work(Clock& clock)
{
    const ChildSpan child("work");
    co_await clock.sleep_for(std::chrono::milliseconds(1));
    const ChildSpan rest("rest");
}

TEST_F(SpanTest, AreKeptOverSuspensions)
{
    Workers workers(1);
    workers.start();

    struct Request {
        static Task<bool> run(CurrentSpan span, Clock& clock)
        {
            const ActiveSpan active(std::move(span));
            co_await spanned("spanned", work(clock));
            co_return current_span().span.span_id == 3;
        }
    };

    EXPECT_TRUE(block_on(workers.executor(0), Request::run(request(), clock_)));
    workers.stop();
    const KeptSpans kept(recorder_.kept_spans());
    ASSERT_EQ(kept.spans.size(), 3);
    EXPECT_EQ(kept.spans[0].name, "rest");
    EXPECT_EQ(kept.spans[0].parent_id, kept.spans[1].span.span_id);
    EXPECT_EQ(kept.spans[1].parent_id, kept.spans[2].span.span_id);
    EXPECT_GE(kept.spans[1].took(), std::chrono::milliseconds(1));
}

}  // namespace
}  // namespace kit::telemetry
