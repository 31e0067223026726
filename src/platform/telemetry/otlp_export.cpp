#include "platform/telemetry/otlp_export.hpp"

#include "platform/telemetry/otlp.hpp"

#include <protozero/pbf_message.hpp>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include <array>
#include <bit>
#include <cstring>

namespace kit::telemetry::otlp {

namespace {

using Tag = protozero::pbf_tag_type;

constexpr Tag resource_attributes = 1;

// Export…ServiceRequest, Resource…, Scope…: the same in traces, metrics and logs.
constexpr Tag request_resource_records = 1;
constexpr Tag resource_records_resource = 1;
constexpr Tag resource_records_scope_records = 2;
constexpr Tag scope_records_scope = 1;
constexpr Tag scope_records_records = 2;
constexpr Tag scope_name_tag = 1;

namespace metric_tag {
constexpr Tag name = 1;
constexpr Tag description = 2;
constexpr Tag unit = 3;
constexpr Tag gauge = 5;
constexpr Tag sum = 7;
constexpr Tag histogram = 9;
}  // namespace metric_tag

// Gauge, Sum and Histogram.
namespace data_tag {
constexpr Tag points = 1;
constexpr Tag temporality = 2;
constexpr Tag is_monotonic = 3;
}  // namespace data_tag

constexpr std::int32_t cumulative = 2;

namespace number_tag {
constexpr Tag start_time = 2;
constexpr Tag time = 3;
constexpr Tag as_double = 4;
constexpr Tag as_int = 6;
constexpr Tag attributes = 7;
}  // namespace number_tag

namespace histogram_tag {
constexpr Tag start_time = 2;
constexpr Tag time = 3;
constexpr Tag count = 4;
constexpr Tag sum = 5;
constexpr Tag bucket_counts = 6;
constexpr Tag explicit_bounds = 7;
constexpr Tag exemplars = 8;
constexpr Tag attributes = 9;
}  // namespace histogram_tag

namespace exemplar_tag {
constexpr Tag time = 2;
constexpr Tag as_double = 3;
constexpr Tag span_id = 4;
constexpr Tag trace_id = 5;
}  // namespace exemplar_tag

std::uint64_t nanoseconds(Timestamp time)
{
    return static_cast<std::uint64_t>(std::chrono::nanoseconds(time.time_since_epoch()).count());
}

template <std::size_t count>
std::string big_endian(const std::array<std::uint64_t, count>& numbers)
{
    std::string bytes;
    for (auto number : numbers) {
        if constexpr (std::endian::native == std::endian::little) {
            number = std::byteswap(number);
        }
        bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
    }
    return bytes;
}

class MetricWriter {
public:
    MetricWriter(Timestamp start, Timestamp now) : start_(nanoseconds(start)), now_(nanoseconds(now)) {}

    // A Metric message.
    std::string write(const InstrumentReading& reading) const
    {
        const auto& instrument = *reading.instrument;
        std::string out;
        protozero::pbf_writer metric(out);
        metric.add_string(metric_tag::name, std::string(instrument.name));
        metric.add_string(metric_tag::description, std::string(instrument.description));
        metric.add_string(metric_tag::unit, std::string(instrument.unit));
        protozero::pbf_writer data(metric, data_field(instrument.kind));
        if (instrument.kind != InstrumentKind::gauge) {
            data.add_enum(data_tag::temporality, cumulative);
        }
        if (instrument.kind == InstrumentKind::counter) {
            data.add_bool(data_tag::is_monotonic, true);
        }
        for (const auto& series : reading.series) {
            data.add_message(
                data_tag::points,
                instrument.kind == InstrumentKind::histogram ? histogram_point(instrument, series)
                                                             : number_point(instrument, series)
            );
        }
        data.commit();
        return out;
    }

private:
    static Tag data_field(InstrumentKind kind)
    {
        switch (kind) {
            case InstrumentKind::gauge:
                return metric_tag::gauge;
            case InstrumentKind::histogram:
                return metric_tag::histogram;
            case InstrumentKind::counter:
            case InstrumentKind::up_down_counter:
                return metric_tag::sum;
        }
        std::unreachable();
    }

    static void add_attributes(
        std::string& out, Tag tag, const Instrument& instrument, const SeriesReading& series
    )
    {
        if (series.overflow) {
            append_field(out, tag, {"otel.metric.overflow", true});
            return;
        }
        for (std::size_t index = 0; index < series.attributes.size(); ++index) {
            if (const auto& value = series.attributes[index]; !value.empty()) {
                append_field(out, tag, {instrument.attributes.at(index), value});
            }
        }
    }

    std::string number_point(const Instrument& instrument, const SeriesReading& series) const
    {
        std::string out;
        protozero::pbf_writer point(out);
        point.add_fixed64(number_tag::start_time, start_);
        point.add_fixed64(number_tag::time, now_);
        if (instrument.kind == InstrumentKind::gauge) {
            point.add_double(number_tag::as_double, series.number);
        } else {
            point.add_sfixed64(number_tag::as_int, series.count);
        }
        add_attributes(out, number_tag::attributes, instrument, series);
        return out;
    }

    std::string histogram_point(const Instrument& instrument, const SeriesReading& series) const
    {
        std::string out;
        protozero::pbf_writer point(out);
        point.add_fixed64(histogram_tag::start_time, start_);
        point.add_fixed64(histogram_tag::time, now_);
        point.add_fixed64(histogram_tag::count, static_cast<std::uint64_t>(series.count));
        point.add_double(histogram_tag::sum, series.number);
        point.add_packed_fixed64(histogram_tag::bucket_counts, series.buckets.begin(), series.buckets.end());
        point.add_packed_double(
            histogram_tag::explicit_bounds, instrument.bounds.begin(), instrument.bounds.end()
        );
        for (const auto& exemplar : series.exemplars) {
            if (exemplar) {
                point.add_message(histogram_tag::exemplars, exemplar_message(*exemplar));
            }
        }
        add_attributes(out, histogram_tag::attributes, instrument, series);
        return out;
    }

    static std::string exemplar_message(const Exemplar& exemplar)
    {
        std::string out;
        protozero::pbf_writer writer(out);
        writer.add_fixed64(exemplar_tag::time, nanoseconds(exemplar.time));
        writer.add_double(exemplar_tag::as_double, exemplar.value);
        writer.add_bytes(exemplar_tag::span_id, big_endian<1>({exemplar.span.span_id}));
        writer.add_bytes(
            exemplar_tag::trace_id, big_endian<2>({exemplar.span.trace_high, exemplar.span.trace_low})
        );
        return out;
    }

    std::uint64_t start_;
    std::uint64_t now_;
};

// The number of seconds and nanoseconds of a google.protobuf.Duration inside a RetryInfo.
std::chrono::milliseconds read_duration(protozero::pbf_reader retry_info)
{
    std::chrono::nanoseconds delay{0};
    while (retry_info.next(1)) {
        auto duration = retry_info.get_message();
        while (duration.next()) {
            if (duration.tag() == 1) {
                delay += std::chrono::seconds(duration.get_int64());
            } else if (duration.tag() == 2) {
                delay += std::chrono::nanoseconds(duration.get_int32());
            } else {
                duration.skip();
            }
        }
    }
    return std::chrono::ceil<std::chrono::milliseconds>(delay);
}

}  // namespace

std::string encode_resource(std::span<const Field> attributes)
{
    std::string out;
    for (const auto& attribute : attributes) {
        append_field(out, resource_attributes, attribute);
    }
    return out;
}

std::string encode_metrics(std::span<const InstrumentReading> readings, Timestamp start, Timestamp now)
{
    const MetricWriter metrics(start, now);
    std::string out;
    protozero::pbf_writer writer(out);
    for (const auto& reading : readings) {
        if (!reading.series.empty()) {
            writer.add_message(scope_records_records, metrics.write(reading));
        }
    }
    return out;
}

std::string export_request(std::string_view resource, std::string_view scope_name, std::string_view framed)
{
    std::string scope;
    protozero::pbf_writer(scope).add_string(scope_name_tag, scope_name.data(), scope_name.size());
    std::string out;
    out.reserve(resource.size() + scope.size() + framed.size() + 64);
    protozero::pbf_writer request(out);
    protozero::pbf_writer of_resource(request, request_resource_records);
    of_resource.add_message(resource_records_resource, resource.data(), resource.size());
    {
        protozero::pbf_writer of_scope(of_resource, resource_records_scope_records);
        of_scope.add_message(scope_records_scope, scope);
        out += framed;  // with their tag
    }
    of_resource.commit();
    return out;
}

std::int64_t rejected_records(std::string_view response)
{
    try {
        std::int64_t rejected = 0;
        protozero::pbf_reader reader(response.data(), response.size());
        while (reader.next(1)) {
            auto partial_success = reader.get_message();
            while (partial_success.next()) {
                if (partial_success.tag() == 1) {
                    rejected = partial_success.get_int64();
                } else {
                    partial_success.skip();
                }
            }
        }
        return rejected;
    } catch (const protozero::exception&) {
        return 0;
    }
}

std::optional<std::chrono::milliseconds> retry_delay(std::string_view status)
{
    constexpr std::string_view retry_info = "google.rpc.RetryInfo";
    try {
        protozero::pbf_reader reader(status.data(), status.size());
        while (reader.next(3)) {  // details
            auto any = reader.get_message();
            bool matches = false;
            while (any.next()) {
                if (any.tag() == 1) {
                    matches = any.get_string().ends_with(retry_info);
                } else if (any.tag() == 2 && matches) {
                    return read_duration(any.get_message());
                } else {
                    any.skip();
                }
            }
        }
    } catch (const protozero::exception&) {
        return std::nullopt;
    }
    return std::nullopt;
}

}  // namespace kit::telemetry::otlp
