#include "platform/telemetry/otlp.hpp"

#include "platform/core/append.hpp"
#include "platform/core/encoding.hpp"
#include "platform/telemetry/otlp_tags.hpp"

#include <protozero/pbf_writer.hpp>
#include <protozero/varint.hpp>

#include <array>
#include <bit>
#include <cstring>

namespace kit::telemetry::otlp {

namespace {

// Tags with their wire types, each one byte: KeyValue and AnyValue.
constexpr char key_tag = 0x0A;
constexpr char value_tag = 0x12;
constexpr char string_tag = 0x0A;
constexpr char bool_tag = 0x10;
constexpr char int_tag = 0x18;
constexpr char double_tag = 0x21;
constexpr std::string_view status_error("\x18\x02", 2);  // code = STATUS_CODE_ERROR

// `text` where it may be sent as it is, else `mended`, made of it.
std::string_view sendable(std::string_view text, std::string& mended)
{
    text = text.substr(0, text_bytes_max);
    if (is_utf8(text)) {
        return text;
    }
    mended = to_valid_utf8(text);
    return mended;
}

void put_varint(ByteWriter& out, std::uint64_t number)
{
    while (number >= 0x80U) {
        out.put(static_cast<char>((number & 0x7FU) | 0x80U));
        number >>= 7U;
    }
    out.put(static_cast<char>(number));
}

void put_text(ByteWriter& out, std::string_view text)
{
    put_varint(out, text.size());
    out.put(text);
}

std::size_t varint_size(std::uint64_t number)
{
    return static_cast<std::size_t>(protozero::length_of_varint(number));
}

std::size_t text_size(std::string_view text)
{
    return varint_size(text.size()) + text.size();
}

std::string_view big_endian(std::uint64_t number, std::span<char, 8> bytes)
{
    if constexpr (std::endian::native == std::endian::little) {
        number = std::byteswap(number);
    }
    std::memcpy(bytes.data(), &number, sizeof number);
    return {bytes.data(), bytes.size()};
}

std::uint64_t nanoseconds(UnixNanoseconds time)
{
    return static_cast<std::uint64_t>(time.time_since_epoch().count());
}

class Message {
public:
    explicit Message(std::string& out) : out_(out), writer_(out) {}

    void text(protozero::pbf_tag_type tag, std::string_view value)
    {
        std::string mended;
        const auto sent = sendable(value, mended);
        writer_.add_string(tag, sent.data(), sent.size());
    }

    void id(protozero::pbf_tag_type tag, std::uint64_t number)
    {
        std::array<char, 8> bytes;
        const auto id = big_endian(number, bytes);
        writer_.add_bytes(tag, id.data(), id.size());
    }

    void trace_id(protozero::pbf_tag_type tag, const SpanContext& span)
    {
        std::array<char, 16> bytes;
        const std::span<char, 16> both(bytes);
        big_endian(span.trace_high, both.first<8>());
        big_endian(span.trace_low, both.last<8>());
        writer_.add_bytes(tag, bytes.data(), bytes.size());
    }

    void fields(protozero::pbf_tag_type tag, std::span<const Field> fields)
    {
        for (const auto& field : fields) {
            append_field(out_, tag, field);
        }
    }

    protozero::pbf_writer& writer() { return writer_; }

private:
    std::string& out_;
    protozero::pbf_writer writer_;
};

// The inside of an AnyValue, tag included.
std::size_t value_size(const Field::Value& value, std::string_view sent)
{
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
        return 1 + varint_size(static_cast<std::uint64_t>(*number));
    }
    if (std::holds_alternative<double>(value)) {
        return 1 + sizeof(double);
    }
    return std::holds_alternative<bool>(value) ? 2 : 1 + text_size(sent);
}

void put_value(ByteWriter& out, const Field::Value& value, std::string_view sent)
{
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
        out.put(int_tag);
        put_varint(out, static_cast<std::uint64_t>(*number));
    } else if (const auto* real = std::get_if<double>(&value)) {
        static_assert(std::endian::native == std::endian::little);
        std::array<char, sizeof(double)> bytes;
        std::memcpy(bytes.data(), real, sizeof(double));
        out.put(double_tag);
        out.put({bytes.data(), bytes.size()});
    } else if (const auto* flag = std::get_if<bool>(&value)) {
        out.put(bool_tag);
        out.put(*flag ? '\1' : '\0');
    } else {
        out.put(string_tag);
        put_text(out, sent);
    }
}

}  // namespace

void append_field(std::string& out, std::uint32_t tag, const Field& field)
{
    std::string mended;
    const auto* text = std::get_if<std::string_view>(&field.value);
    const auto sent = text == nullptr ? std::string_view() : sendable(*text, mended);
    const auto inner = value_size(field.value, sent);
    const auto pair = 1 + text_size(field.key) + 1 + varint_size(inner) + inner;
    const auto wire_tag = tag << 3U | 2U;
    append_sized(out, varint_size(wire_tag) + varint_size(pair) + pair, [&](ByteWriter& writer) {
        put_varint(writer, wire_tag);
        put_varint(writer, pair);
        writer.put(key_tag);
        put_text(writer, field.key);
        writer.put(value_tag);
        put_varint(writer, inner);
        put_value(writer, field.value, sent);
    });
}

void append_span(std::string& out, const SpanRecord& span)
{
    Message message(out);
    message.trace_id(span_tag::trace_id, span.span);
    message.id(span_tag::span_id, span.span.span_id);
    if (!span.tracestate.empty()) {
        message.text(span_tag::trace_state, span.tracestate);
    }
    if (span.parent_id != 0) {
        message.id(span_tag::parent_span_id, span.parent_id);
    }
    message.text(span_tag::name, span.name);
    message.writer().add_enum(span_tag::kind, static_cast<std::int32_t>(span.kind));
    message.writer().add_fixed64(span_tag::start_time_unix_nano, nanoseconds(span.start));
    message.writer().add_fixed64(span_tag::end_time_unix_nano, nanoseconds(span.end));
    message.fields(span_tag::attributes, span.fields);
    if (span.failed) {
        message.writer().add_message(span_tag::status, status_error.data(), status_error.size());
    }
    message.writer().add_fixed32(
        span_tag::flags, span.span.flags | has_is_remote | (span.remote_parent ? is_remote : 0)
    );
}

void append_log(std::string& out, const LogRecord& line)
{
    Message message(out);
    message.writer().add_fixed64(log_tag::time_unix_nano, nanoseconds(line.time));
    message.writer().add_enum(log_tag::severity_number, severity_number(line.level));
    message.text(log_tag::severity_text, severity_text(line.level));
    std::string mended;
    const auto body = sendable(line.message, mended);
    append_sized(out, 1 + varint_size(1 + text_size(body)) + 1 + text_size(body), [&](ByteWriter& writer) {
        static_assert(log_tag::body < 16, "a tag of one byte");
        put_varint(writer, log_tag::body << 3U | 2U);
        put_varint(writer, 1 + text_size(body));
        writer.put(string_tag);
        put_text(writer, body);
    });
    message.fields(log_tag::attributes, line.fields);
    if (line.span.valid()) {
        message.writer().add_fixed32(log_tag::flags, line.span.flags);
        message.trace_id(log_tag::trace_id, line.span);
        message.id(log_tag::span_id, line.span.span_id);
    }
    message.writer().add_fixed64(log_tag::observed_time_unix_nano, nanoseconds(line.time));
}

}  // namespace kit::telemetry::otlp
