// What is encoded, decoded again by the field numbers that opentelemetry-proto publishes.
#include "platform/telemetry/otlp.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <protozero/pbf_reader.hpp>

#include <map>

namespace kit::telemetry {
namespace {

using testing::ElementsAre;
using testing::Pair;

constexpr SpanContext context{
    .trace_high = 0x0102'0304'0506'0708,
    .trace_low = 0x090A'0B0C'0D0E'0F10,
    .span_id = 0x1112'1314'1516'1718,
    .flags = 1
};
constexpr std::string_view trace_bytes(
    "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F\x10", 16
);
constexpr std::string_view span_bytes("\x11\x12\x13\x14\x15\x16\x17\x18", 8);

// The numbers and texts of a message by their tags; submessages as bytes.
struct Decoded {
    explicit Decoded(std::string_view message)
    {
        protozero::pbf_reader reader(message.data(), message.size());
        while (reader.next()) {
            const auto tag = reader.tag();
            switch (reader.wire_type()) {
                case protozero::pbf_wire_type::varint:
                    numbers[tag] = reader.get_uint64();
                    break;
                case protozero::pbf_wire_type::fixed64:
                    numbers[tag] = reader.get_fixed64();
                    break;
                case protozero::pbf_wire_type::fixed32:
                    numbers[tag] = reader.get_fixed32();
                    break;
                default:
                    texts.emplace(tag, reader.get_string());
            }
        }
    }

    std::string text(std::uint32_t tag) const
    {
        const auto found = texts.find(tag);
        return found == texts.end() ? "(none)" : found->second;
    }

    std::map<std::uint32_t, std::uint64_t> numbers;
    std::multimap<std::uint32_t, std::string> texts;
};

UnixNanoseconds at(std::int64_t nanoseconds)
{
    return UnixNanoseconds(std::chrono::nanoseconds(nanoseconds));
}

TEST(Otlp, ASpanHasThePublishedFields)
{
    const std::array<Field, 4> fields{
        Field("text", "a"), Field("number", -1), Field("real", 1.5), Field("yes", true)
    };
    std::string message;
    otlp::append_span(
        message,
        {.span = context,
         .parent_id = 0x2122'2324'2526'2728,
         .remote_parent = true,
         .tracestate = "a=b",
         .name = "GET /x",
         .kind = SpanKind::server,
         .start = at(1'000),
         .end = at(2'500),
         .failed = true,
         .fields = fields}
    );
    const Decoded span(message);
    EXPECT_EQ(span.text(1), trace_bytes);
    EXPECT_EQ(span.text(2), span_bytes);
    EXPECT_EQ(span.text(3), "a=b");
    EXPECT_EQ(span.text(4), "\x21\x22\x23\x24\x25\x26\x27\x28");
    EXPECT_EQ(span.text(5), "GET /x");
    EXPECT_THAT(span.numbers, ElementsAre(Pair(6, 2), Pair(7, 1'000), Pair(8, 2'500), Pair(16, 0x301)));
    EXPECT_EQ(Decoded(span.text(15)).numbers.at(3), 2);  // Status.code = STATUS_CODE_ERROR
    std::vector<std::string> keys;
    for (auto [each, end] = span.texts.equal_range(9); each != end; ++each) {
        const Decoded pair(each->second);
        keys.push_back(pair.text(1));
        const Decoded value(pair.text(2));
        if (keys.back() == "text") {
            EXPECT_EQ(value.text(1), "a");
        } else if (keys.back() == "yes") {
            EXPECT_EQ(value.numbers.at(2), 1);
        } else if (keys.back() == "number") {
            EXPECT_EQ(value.numbers.at(3), ~std::uint64_t{0});
        } else {
            EXPECT_EQ(value.numbers.at(4), std::bit_cast<std::uint64_t>(1.5));
        }
    }
    EXPECT_THAT(keys, ElementsAre("text", "number", "real", "yes"));
}

TEST(Otlp, ALogRecordHasThePublishedFields)
{
    const Field field("key", "value");
    std::string message;
    otlp::append_log(
        message,
        {.time = at(7), .level = LogLevel::warn, .message = "careful", .fields = {&field, 1}, .span = context}
    );
    const Decoded line(message);
    EXPECT_THAT(line.numbers, ElementsAre(Pair(1, 7), Pair(2, 13), Pair(8, 1), Pair(11, 7)));
    EXPECT_EQ(line.text(3), "WARN");
    EXPECT_EQ(Decoded(line.text(5)).text(1), "careful");
    EXPECT_EQ(Decoded(line.text(6)).text(1), "key");
    EXPECT_EQ(Decoded(Decoded(line.text(6)).text(2)).text(1), "value");
    EXPECT_EQ(line.text(9), trace_bytes);
    EXPECT_EQ(line.text(10), span_bytes);
}

TEST(Otlp, ALineOutsideOfTracesHasNoIds)
{
    std::string message;
    otlp::append_log(message, {.time = at(7), .level = LogLevel::debug, .message = "m", .fields = {}});
    const Decoded line(message);
    EXPECT_EQ(line.text(9), "(none)");
    EXPECT_EQ(line.text(10), "(none)");
    EXPECT_EQ(line.numbers.at(2), 5);
}

// A collector refuses a whole export for one text that is not UTF-8.
TEST(Otlp, TextsAreValidAndBounded)
{
    const std::string long_text(10'000, 'x');
    const std::array<Field, 2> fields{Field("bad", "a\xff"), Field("long", long_text)};
    std::string message;
    otlp::append_log(message, {.time = at(7), .level = LogLevel::info, .message = "\xc3", .fields = fields});
    const auto line = otlp::read_log(message);
    EXPECT_EQ(line.body, "\xEF\xBF\xBD");
    EXPECT_EQ(line.text("bad"), "a\xEF\xBF\xBD");
    EXPECT_EQ(line.text("long").size(), otlp::text_bytes_max);
}

TEST(Otlp, ReadsWhatItWrote)
{
    const std::array<Field, 3> fields{Field("real", 0.25), Field("yes", false), Field("number", 7)};
    std::string message;
    otlp::append_span(
        message,
        {.span = context, .parent_id = 9, .name = "n", .start = at(5), .end = at(8), .fields = fields}
    );
    const auto span = otlp::read_span(message);
    EXPECT_EQ(span.span, context);
    EXPECT_EQ(span.parent_id, 9);
    EXPECT_FALSE(span.remote_parent);
    EXPECT_FALSE(span.failed);
    EXPECT_EQ(span.kind, SpanKind::internal);
    EXPECT_EQ(span.took(), std::chrono::nanoseconds(3));
    const auto read = span.fields();
    ASSERT_EQ(read.size(), 3);
    EXPECT_EQ(std::get<double>(read[0].value), 0.25);
    EXPECT_FALSE(std::get<bool>(read[1].value));
    EXPECT_EQ(std::get<std::int64_t>(read[2].value), 7);
}

}  // namespace
}  // namespace kit::telemetry
