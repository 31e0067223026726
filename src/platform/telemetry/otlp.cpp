#include "platform/telemetry/otlp.hpp"

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

void append_varint(std::string& out, std::uint64_t number)
{
    protozero::add_varint_to_buffer(&out, number);
}

void append_text(std::string& out, std::string_view text)
{
    append_varint(out, text.size());
    out += text;
}

std::size_t text_size(std::string_view text)
{
    return static_cast<std::size_t>(protozero::length_of_varint(text.size())) + text.size();
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
        return 1 + static_cast<std::size_t>(protozero::length_of_varint(static_cast<std::uint64_t>(*number)));
    }
    if (std::holds_alternative<double>(value)) {
        return 1 + sizeof(double);
    }
    return std::holds_alternative<bool>(value) ? 2 : 1 + text_size(sent);
}

void append_value(std::string& out, const Field::Value& value, std::string_view sent)
{
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
        out += int_tag;
        append_varint(out, static_cast<std::uint64_t>(*number));
    } else if (const auto* real = std::get_if<double>(&value)) {
        static_assert(std::endian::native == std::endian::little);
        std::array<char, sizeof(double)> bytes;
        std::memcpy(bytes.data(), real, sizeof(double));
        out += double_tag;
        out.append(bytes.data(), bytes.size());
    } else if (const auto* flag = std::get_if<bool>(&value)) {
        out += bool_tag;
        out += *flag ? '\1' : '\0';
    } else {
        out += string_tag;
        append_text(out, sent);
    }
}

}  // namespace

void append_field(std::string& out, std::uint32_t tag, const Field& field)
{
    std::string mended;
    const auto* text = std::get_if<std::string_view>(&field.value);
    const auto sent = text == nullptr ? std::string_view() : sendable(*text, mended);
    const auto inner = value_size(field.value, sent);
    const auto inner_length = static_cast<std::size_t>(protozero::length_of_varint(inner));
    append_varint(out, tag << 3U | 2U);
    append_varint(out, 1 + text_size(field.key) + 1 + inner_length + inner);
    out += key_tag;
    append_text(out, field.key);
    out += value_tag;
    append_varint(out, inner);
    append_value(out, field.value, sent);
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
    append_varint(out, log_tag::body << 3U | 2U);
    append_varint(out, 1 + text_size(body));
    out += string_tag;
    append_text(out, body);
    message.fields(log_tag::attributes, line.fields);
    if (line.span.valid()) {
        message.writer().add_fixed32(log_tag::flags, line.span.flags);
        message.trace_id(log_tag::trace_id, line.span);
        message.id(log_tag::span_id, line.span.span_id);
    }
    message.writer().add_fixed64(log_tag::observed_time_unix_nano, nanoseconds(line.time));
}

}  // namespace kit::telemetry::otlp
