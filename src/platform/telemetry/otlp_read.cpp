#include "platform/telemetry/otlp.hpp"
#include "platform/telemetry/otlp_tags.hpp"

#include <protozero/pbf_reader.hpp>

#include <algorithm>

namespace kit::telemetry::otlp {

namespace {

protozero::pbf_reader reader(std::string_view bytes)
{
    return {bytes.data(), bytes.size()};
}

std::string_view text(protozero::pbf_reader& message)
{
    const auto view = message.get_view();
    return {view.data(), view.size()};
}

std::uint64_t big_endian(std::string_view bytes)
{
    std::uint64_t number = 0;
    for (const char byte : bytes) {
        number = number << 8U | static_cast<unsigned char>(byte);
    }
    return number;
}

void read_trace_id(SpanContext& span, std::string_view bytes)
{
    span.trace_high = big_endian(bytes.substr(0, bytes.size() / 2));
    span.trace_low = big_endian(bytes.substr(bytes.size() / 2));
}

UnixNanoseconds time(protozero::pbf_reader& message)
{
    return UnixNanoseconds(std::chrono::nanoseconds(static_cast<std::int64_t>(message.get_fixed64())));
}

Field::Value read_value(std::string_view bytes)
{
    auto value = reader(bytes);
    while (value.next()) {
        switch (value.tag()) {
            case any_value_tag::string_value:
                return text(value);
            case any_value_tag::bool_value:
                return value.get_bool();
            case any_value_tag::int_value:
                return std::int64_t{value.get_int64()};
            case any_value_tag::double_value:
                return value.get_double();
            default:
                value.skip();
        }
    }
    return std::string_view();
}

Field read_field(std::string_view bytes)
{
    Field field;
    auto pair = reader(bytes);
    while (pair.next()) {
        switch (pair.tag()) {
            case key_value_tag::key:
                field.key = text(pair);
                break;
            case key_value_tag::value:
                field.value = read_value(text(pair));
                break;
            default:
                pair.skip();
        }
    }
    return field;
}

std::vector<Field> read_fields(std::string_view bytes, protozero::pbf_tag_type tag)
{
    std::vector<Field> fields;
    auto message = reader(bytes);
    while (message.next(tag, protozero::pbf_wire_type::length_delimited)) {
        fields.push_back(read_field(text(message)));
    }
    return fields;
}

}  // namespace

std::vector<Field> read_span_fields(std::string_view message)
{
    return read_fields(message, span_tag::attributes);
}

std::vector<Field> read_log_fields(std::string_view message)
{
    return read_fields(message, log_tag::attributes);
}

void read_records(std::string_view framed, const std::function<void(std::string_view message)>& use)
{
    auto records = reader(framed);
    while (records.next()) {
        use(text(records));
    }
}

KeptSpan read_span(std::string_view message)
{
    KeptSpan span{.span = {}, .message = message};
    auto fields = reader(message);
    while (fields.next()) {
        switch (fields.tag()) {
            case span_tag::trace_id:
                read_trace_id(span.span, text(fields));
                break;
            case span_tag::span_id:
                span.span.span_id = big_endian(text(fields));
                break;
            case span_tag::parent_span_id:
                span.parent_id = big_endian(text(fields));
                break;
            case span_tag::name:
                span.name = text(fields);
                break;
            case span_tag::kind:
                span.kind = static_cast<SpanKind>(fields.get_enum());
                break;
            case span_tag::start_time_unix_nano:
                span.start = time(fields);
                break;
            case span_tag::end_time_unix_nano:
                span.end = time(fields);
                break;
            case span_tag::status:
                span.failed = true;  // written for nothing else
                fields.skip();
                break;
            case span_tag::flags: {
                const auto flags = fields.get_fixed32();
                span.span.flags = static_cast<std::uint8_t>(flags);
                span.remote_parent = (flags & is_remote) != 0;
                break;
            }
            default:
                fields.skip();
        }
    }
    return span;
}

KeptLine read_log(std::string_view message)
{
    KeptLine line{.message = message};
    auto fields = reader(message);
    while (fields.next()) {
        switch (fields.tag()) {
            case log_tag::time_unix_nano:
                line.time = time(fields);
                break;
            case log_tag::severity_number:
                line.level = level_of(fields.get_enum());
                break;
            case log_tag::body:
                if (const auto body = read_value(text(fields));
                    std::holds_alternative<std::string_view>(body)) {
                    line.body = std::get<std::string_view>(body);
                }
                break;
            case log_tag::flags:
                line.span.flags = static_cast<std::uint8_t>(fields.get_fixed32());
                break;
            case log_tag::trace_id:
                read_trace_id(line.span, text(fields));
                break;
            case log_tag::span_id:
                line.span.span_id = big_endian(text(fields));
                break;
            default:
                fields.skip();
        }
    }
    return line;
}

}  // namespace kit::telemetry::otlp
