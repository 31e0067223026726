#include "support/otlp_decode.hpp"

#include "platform/core/encoding.hpp"

#include <protozero/pbf_reader.hpp>

namespace kit::test {
namespace {

using Reader = protozero::pbf_reader;

std::string hex(Reader& field)
{
    return hex_encode(field.get_bytes());
}

std::string any_value(Reader value)
{
    std::string text;
    while (value.next()) {
        switch (value.tag()) {
            case 1:
                text = value.get_string();
                break;
            case 2:
                text = value.get_bool() ? "true" : "false";
                break;
            case 3:
                text = std::to_string(value.get_int64());
                break;
            case 4:
                text = std::to_string(value.get_double());
                break;
            default:
                value.skip();
        }
    }
    return text;
}

void key_value(Reader message, OtlpAttributes& attributes)
{
    std::string key;
    std::string value;
    while (message.next()) {
        if (message.tag() == 1) {
            key = message.get_string();
        } else if (message.tag() == 2) {
            value = any_value(message.get_message());
        } else {
            message.skip();
        }
    }
    attributes[key] = value;
}

OtlpSpan span(Reader message)
{
    OtlpSpan found;
    while (message.next()) {
        switch (message.tag()) {
            case 1:
                found.trace_id = hex(message);
                break;
            case 2:
                found.span_id = hex(message);
                break;
            case 4:
                found.parent_span_id = hex(message);
                break;
            case 5:
                found.name = message.get_string();
                break;
            case 6:
                found.kind = message.get_enum();
                break;
            case 7:
                found.start_time = message.get_fixed64();
                break;
            case 8:
                found.end_time = message.get_fixed64();
                break;
            case 9:
                key_value(message.get_message(), found.attributes);
                break;
            case 15: {
                auto status = message.get_message();
                while (status.next(3)) {
                    found.status = status.get_enum();
                }
                break;
            }
            default:
                message.skip();
        }
    }
    return found;
}

OtlpLogLine line(Reader message)
{
    OtlpLogLine found;
    while (message.next()) {
        switch (message.tag()) {
            case 1:
                found.time = message.get_fixed64();
                break;
            case 2:
                found.severity_number = message.get_enum();
                break;
            case 3:
                found.severity_text = message.get_string();
                break;
            case 5:
                found.body = any_value(message.get_message());
                break;
            case 6:
                key_value(message.get_message(), found.attributes);
                break;
            case 9:
                found.trace_id = hex(message);
                break;
            case 10:
                found.span_id = hex(message);
                break;
            default:
                message.skip();
        }
    }
    return found;
}

OtlpExemplar exemplar(Reader message)
{
    OtlpExemplar found;
    while (message.next()) {
        switch (message.tag()) {
            case 2:
                found.time = message.get_fixed64();
                break;
            case 3:
                found.value = message.get_double();
                break;
            case 4:
                found.span_id = hex(message);
                break;
            case 5:
                found.trace_id = hex(message);
                break;
            default:
                message.skip();
        }
    }
    return found;
}

OtlpPoint number_point(Reader message)
{
    OtlpPoint found;
    while (message.next()) {
        switch (message.tag()) {
            case 2:
                found.start_time = message.get_fixed64();
                break;
            case 3:
                found.time = message.get_fixed64();
                break;
            case 4:
                found.number = message.get_double();
                break;
            case 5:
                found.exemplars.push_back(exemplar(message.get_message()));
                break;
            case 6:
                found.number = static_cast<double>(message.get_sfixed64());
                found.is_integer = true;
                break;
            case 7:
                key_value(message.get_message(), found.attributes);
                break;
            default:
                message.skip();
        }
    }
    return found;
}

OtlpPoint histogram_point(Reader message)
{
    OtlpPoint found;
    while (message.next()) {
        switch (message.tag()) {
            case 2:
                found.start_time = message.get_fixed64();
                break;
            case 3:
                found.time = message.get_fixed64();
                break;
            case 4:
                found.count = message.get_fixed64();
                break;
            case 5:
                found.number = message.get_double();
                break;
            case 6:
                for (const auto count : message.get_packed_fixed64()) {
                    found.buckets.push_back(count);
                }
                break;
            case 7:
                for (const auto bound : message.get_packed_double()) {
                    found.bounds.push_back(bound);
                }
                break;
            case 8:
                found.exemplars.push_back(exemplar(message.get_message()));
                break;
            case 9:
                key_value(message.get_message(), found.attributes);
                break;
            default:
                message.skip();
        }
    }
    return found;
}

void data(Reader message, OtlpMetric& metric)
{
    while (message.next()) {
        if (message.tag() == 1) {
            const auto point = message.get_message();
            metric.points.push_back(
                metric.kind == OtlpMetric::Kind::histogram ? histogram_point(point) : number_point(point)
            );
        } else if (message.tag() == 2) {
            metric.temporality = message.get_enum();
        } else if (message.tag() == 3) {
            metric.monotonic = message.get_bool();
        } else {
            message.skip();
        }
    }
}

OtlpMetric metric(Reader message)
{
    OtlpMetric found;
    while (message.next()) {
        switch (message.tag()) {
            case 1:
                found.name = message.get_string();
                break;
            case 2:
                found.description = message.get_string();
                break;
            case 3:
                found.unit = message.get_string();
                break;
            case 5:
                found.kind = OtlpMetric::Kind::gauge;
                data(message.get_message(), found);
                break;
            case 7:
                found.kind = OtlpMetric::Kind::sum;
                data(message.get_message(), found);
                break;
            case 9:
                found.kind = OtlpMetric::Kind::histogram;
                data(message.get_message(), found);
                break;
            default:
                message.skip();
        }
    }
    return found;
}

void record(std::string_view path, Reader message, OtlpExport& all)
{
    if (path.contains("trace")) {
        all.spans.push_back(span(message));
    } else if (path.contains("metrics")) {
        all.metrics.push_back(metric(message));
    } else {
        all.lines.push_back(line(message));
    }
}

void scope_records(std::string_view path, Reader message, OtlpExport& all)
{
    while (message.next()) {
        if (message.tag() == 1) {
            auto scope = message.get_message();
            while (scope.next(1)) {
                all.scope = scope.get_string();
            }
        } else if (message.tag() == 2) {
            record(path, message.get_message(), all);
        } else {
            message.skip();
        }
    }
}

}  // namespace

OtlpExport decode_otlp(std::string_view path, std::string_view request)
{
    OtlpExport all;
    Reader reader(request.data(), request.size());
    while (reader.next(1)) {
        auto of_resource = reader.get_message();
        while (of_resource.next()) {
            if (of_resource.tag() == 1) {
                auto resource = of_resource.get_message();
                while (resource.next(1)) {
                    key_value(resource.get_message(), all.resource);
                }
            } else if (of_resource.tag() == 2) {
                scope_records(path, of_resource.get_message(), all);
            } else {
                of_resource.skip();
            }
        }
    }
    return all;
}

}  // namespace kit::test
