#include "platform/telemetry/exposition.hpp"

#include "platform/core/encoding.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace kit::telemetry {

namespace {

constexpr std::string_view overflow_label = R"(otel_metric_overflow="true")";

std::string plain_name(std::string_view dotted)
{
    std::string name(dotted);
    std::ranges::replace(name, '.', '_');
    return name;
}

std::string_view unit_word(const Instrument& instrument)
{
    if (instrument.unit == "s") {
        return "seconds";
    }
    if (instrument.unit == "By") {
        return "bytes";
    }
    return instrument.unit == "1" && instrument.kind == InstrumentKind::gauge ? "ratio" : "";
}

// The family's name without _total.
std::string family_name(const Instrument& instrument)
{
    auto name = plain_name(instrument.name);
    if (const auto unit = unit_word(instrument); !unit.empty() && !name.ends_with(unit)) {
        name += '_';
        name += unit;
    }
    if (instrument.kind == InstrumentKind::counter && name.ends_with("_total")) {
        name.resize(name.size() - std::string_view("_total").size());
    }
    return name;
}

void append_escaped(std::string& out, std::string_view text)
{
    for (const char letter : text) {
        if (letter == '\n') {
            out += "\\n";
            continue;
        }
        if (letter == '\\' || letter == '"') {
            out += '\\';
        }
        out += letter;
    }
}

std::string labels_of(const Instrument& instrument, const SeriesReading& series)
{
    if (series.overflow) {
        return std::string(overflow_label);
    }
    std::string labels;
    for (std::size_t index = 0; index < series.attributes.size(); ++index) {
        if (series.attributes[index].empty()) {
            continue;
        }
        labels += labels.empty() ? "" : ",";
        labels += plain_name(instrument.attributes[index]);
        labels += "=\"";
        append_escaped(labels, series.attributes[index]);
        labels += '"';
    }
    return labels;
}

std::string braces(std::string_view labels)
{
    return labels.empty() ? std::string() : fmt::format("{{{}}}", labels);
}

class Page {
public:
    explicit Page(Exposition format) : format_(format) {}

    void add(const InstrumentReading& reading)
    {
        const auto& instrument = *reading.instrument;
        const auto name = family_name(instrument);
        head(instrument, name);
        for (const auto& series : reading.series) {
            const auto labels = labels_of(instrument, series);
            switch (instrument.kind) {
                case InstrumentKind::counter:
                    line("{}_total{} {}\n", name, braces(labels), series.count);
                    break;
                case InstrumentKind::up_down_counter:
                    line("{}{} {}\n", name, braces(labels), series.count);
                    break;
                case InstrumentKind::gauge:
                    line("{}{} {}\n", name, braces(labels), series.number);
                    break;
                case InstrumentKind::histogram:
                    histogram(instrument, name, series, labels);
                    break;
            }
        }
    }

    std::string finish() &&
    {
        if (format_ == Exposition::openmetrics) {
            text_ += "# EOF\n";
        }
        return std::move(text_);
    }

private:
    template <class... Values>
    void line(fmt::format_string<Values...> form, Values&&... values)
    {
        fmt::format_to(std::back_inserter(text_), form, std::forward<Values>(values)...);
    }

    void head(const Instrument& instrument, const std::string& name)
    {
        const bool counter = instrument.kind == InstrumentKind::counter;
        const bool histogram = instrument.kind == InstrumentKind::histogram;
        const auto* const type = counter ? "counter" : histogram ? "histogram" : "gauge";
        // The text format calls a counter's family by the sample's name.
        const auto* const suffix = counter && format_ == Exposition::prometheus ? "_total" : "";
        line("# HELP {}{} {}\n", name, suffix, instrument.description);
        line("# TYPE {}{} {}\n", name, suffix, type);
        if (const auto unit = unit_word(instrument); format_ == Exposition::openmetrics && !unit.empty()) {
            line("# UNIT {} {}\n", name, unit);
        }
    }

    void histogram(
        const Instrument& instrument,
        const std::string& name,
        const SeriesReading& series,
        const std::string& labels
    )
    {
        const auto* const comma = labels.empty() ? "" : ",";
        std::uint64_t below = 0;
        for (std::size_t bucket = 0; bucket < series.buckets.size(); ++bucket) {
            below += series.buckets[bucket];
            const auto bound = bucket < instrument.bounds.size()
                                   ? fmt::format("{}", instrument.bounds[bucket])
                                   : std::string("+Inf");
            line(R"({}_bucket{{{}{}le="{}"}} {})", name, labels, comma, bound, below);
            if (format_ == Exposition::openmetrics && series.exemplars[bucket]) {
                exemplar(*series.exemplars[bucket]);
            }
            text_ += '\n';
        }
        line("{}_sum{} {}\n", name, braces(labels), series.number);
        line("{}_count{} {}\n", name, braces(labels), series.count);
    }

    void exemplar(const Exemplar& found)
    {
        const SpanText ids(found.span);
        const auto micros = found.time.time_since_epoch().count();
        line(
            R"( # {{trace_id="{}",span_id="{}"}} {} {}.{:06})",
            ids.trace_id(),
            ids.span_id(),
            found.value,
            micros / 1'000'000,
            micros % 1'000'000
        );
    }

    Exposition format_;
    std::string text_;
};

// "q=0", "q=0.000": RFC 9110 section 12.4.2.
bool is_refused(std::string_view parameters)
{
    while (!parameters.empty()) {
        const auto end = std::min(parameters.find(';'), parameters.size());
        const auto parameter = trim(parameters.substr(0, end));
        if (parameter.starts_with("q=") || parameter.starts_with("Q=")) {
            return parameter.substr(2).find_first_not_of("0.") == std::string_view::npos;
        }
        parameters.remove_prefix(std::min(end + 1, parameters.size()));
    }
    return false;
}

}  // namespace

Exposition choose_exposition(std::string_view accept)
{
    while (!accept.empty()) {
        const auto end = std::min(accept.find(','), accept.size());
        const auto range = trim(accept.substr(0, end));
        const auto type_end = std::min(range.find(';'), range.size());
        if (equal_ignoring_case(trim(range.substr(0, type_end)), "application/openmetrics-text") &&
            !is_refused(range.substr(type_end))) {
            return Exposition::openmetrics;
        }
        accept.remove_prefix(std::min(end + 1, accept.size()));
    }
    return Exposition::prometheus;
}

std::string_view content_type(Exposition format)
{
    return format == Exposition::openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                             : "text/plain; version=0.0.4; charset=utf-8";
}

std::string expose(const Registry& registry, Exposition format)
{
    Page page(format);
    for (const auto& reading : registry.collect()) {
        page.add(reading);
    }
    return std::move(page).finish();
}

}  // namespace kit::telemetry
