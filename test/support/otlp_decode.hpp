// OTLP export requests read by the field numbers that opentelemetry-proto publishes (v1.3), independently of
// the code that writes them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace kit::test {

// Values as text: integers in decimal, booleans as true or false.
using OtlpAttributes = std::map<std::string, std::string>;

struct OtlpSpan {
    std::string trace_id;  // hexadecimal, as all ids here
    std::string span_id;
    std::string parent_span_id;
    std::string name;
    int kind = 0;
    std::uint64_t start_time = 0;
    std::uint64_t end_time = 0;
    OtlpAttributes attributes;
    int status = 0;
};

struct OtlpLogLine {
    std::uint64_t time = 0;
    int severity_number = 0;
    std::string severity_text;
    std::string body;
    OtlpAttributes attributes;
    std::string trace_id;
    std::string span_id;
};

struct OtlpExemplar {
    std::string trace_id;
    std::string span_id;
    double value = 0;
    std::uint64_t time = 0;
};

struct OtlpPoint {
    OtlpAttributes attributes;
    std::uint64_t start_time = 0;
    std::uint64_t time = 0;
    double number = 0;  // sums and gauges: the value; histograms: their sum
    bool is_integer = false;
    std::uint64_t count = 0;  // histograms
    std::vector<std::uint64_t> buckets;
    std::vector<double> bounds;
    std::vector<OtlpExemplar> exemplars;
};

struct OtlpMetric {
    enum class Kind : std::uint8_t { gauge, sum, histogram };

    std::string name;
    std::string description;
    std::string unit;
    Kind kind = Kind::gauge;
    int temporality = 0;  // 2: cumulative
    bool monotonic = false;
    std::vector<OtlpPoint> points;
};

struct OtlpExport {
    OtlpAttributes resource;
    std::string scope;
    std::vector<OtlpSpan> spans;
    std::vector<OtlpMetric> metrics;
    std::vector<OtlpLogLine> lines;
};

// What the path says that the records are. Throws protozero::exception on what is malformed.
OtlpExport decode_otlp(std::string_view path, std::string_view request);

}  // namespace kit::test
