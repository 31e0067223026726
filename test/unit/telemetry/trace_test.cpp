#include "platform/telemetry/trace.hpp"

#include "platform/telemetry/span.hpp"
#include "support/manual_clock.hpp"

#include <gtest/gtest.h>

#include <set>

namespace kit::telemetry {
namespace {

constexpr std::string_view good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(Traceparent, IsRead)
{
    const auto span = parse_traceparent(good).value();
    EXPECT_EQ(SpanText(span).trace_id(), "0af7651916cd43dd8448eb211c80319c");
    EXPECT_EQ(SpanText(span).span_id(), "b7ad6b7169203331");
    EXPECT_TRUE(span.sampled());
    EXPECT_FALSE(
        parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02").value().sampled()
    );
}

TEST(Traceparent, OfALaterVersionCountsByItsKnownBeginning)
{
    EXPECT_TRUE(parse_traceparent("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
    EXPECT_TRUE(parse_traceparent("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes"));
    EXPECT_FALSE(parse_traceparent("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.what-comes"));
}

TEST(Traceparent, IsRefusedWhereMalformed)
{
    for (const std::string_view header :
         {"",
          "00",
          "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          "00-00000000000000000000000000000000-b7ad6b7169203331-01",
          "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
          "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
          "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
          "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
          "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
          "0x-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01"}) {
        EXPECT_FALSE(parse_traceparent(header)) << header;
    }
}

TEST(Traceparent, IsWrittenAsItIsRead)
{
    EXPECT_EQ(format_traceparent(parse_traceparent(good).value()), good);
}

TEST(Tracestate, IsJoinedAndGivenOn)
{
    EXPECT_EQ(join_tracestate({}), "");
    EXPECT_EQ(join_tracestate(std::array<std::string_view, 2>{"a=1,b=2", "c=3"}), "a=1,b=2,c=3");
    EXPECT_EQ(join_tracestate(std::array<std::string_view, 1>{"a=\x01"}), "");
    EXPECT_EQ(join_tracestate(std::array<std::string_view, 1>{"a=\xff"}), "");
}

TEST(Tracestate, LosesWholeEntriesWhereItIsTooLong)
{
    const auto entry = "a=" + std::string(298, 'x');
    EXPECT_EQ(join_tracestate(std::array<std::string_view, 2>{entry, entry}), entry);
    const std::string endless(tracestate_bytes_max + 1, 'x');
    EXPECT_EQ(join_tracestate(std::array<std::string_view, 1>{endless}), "");
}

TEST(SpanText, IsReadBack)
{
    const auto span = parse_traceparent(good).value();
    const SpanText text(span);
    const auto ids = parse_ids(text.trace_id(), text.span_id());
    EXPECT_EQ(ids.trace_high, span.trace_high);
    EXPECT_EQ(ids.trace_low, span.trace_low);
    EXPECT_EQ(ids.span_id, span.span_id);
    EXPECT_FALSE(parse_ids("", "").valid());
}

TEST(SpanText, IsEmptyWithoutASpan)
{
    EXPECT_EQ(SpanText(SpanContext{}).trace_id(), "");
    EXPECT_EQ(SpanText(SpanContext{}).span_id(), "");
}

TEST(Tracer, ContinuesTheParentsTraceAndDecision)
{
    test::SeededRandom random;
    const test::ManualClock clock;
    Tracer none(0.0, random, clock, nullptr);
    Tracer all(1.0, random, clock, nullptr);
    const auto parent = parse_traceparent(good);
    const auto child = none.start(parent);
    EXPECT_EQ(child.trace_low, parent->trace_low);
    EXPECT_EQ(child.trace_high, parent->trace_high);
    EXPECT_NE(child.span_id, parent->span_id);
    EXPECT_TRUE(child.sampled());
    auto unsampled = *parent;
    unsampled.flags = 0;
    EXPECT_FALSE(all.start(unsampled).sampled());
}

TEST(Tracer, SamplesRootsByTheRatio)
{
    test::SeededRandom random;
    const test::ManualClock clock;
    constexpr int traces = 10'000;
    for (const double ratio : {0.0, 0.1, 0.5, 1.0}) {
        Tracer tracer(ratio, random, clock, nullptr);
        int sampled = 0;
        std::set<std::uint64_t> ids;
        for (int index = 0; index < traces; ++index) {
            const auto span = tracer.start(std::nullopt);
            EXPECT_TRUE(span.valid());
            ids.insert(span.trace_low);
            sampled += span.sampled() ? 1 : 0;
        }
        EXPECT_EQ(ids.size(), traces);
        EXPECT_NEAR(sampled, ratio * traces, ratio == 0.0 || ratio == 1.0 ? 0 : 200);
    }
}

}  // namespace
}  // namespace kit::telemetry
