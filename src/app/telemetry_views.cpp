#include "app/telemetry_views.hpp"

#include "app/view_query.hpp"
#include "platform/core/encoding.hpp"
#include "platform/json/json.hpp"
#include "platform/telemetry/kept_records.hpp"
#include "platform/telemetry/trace.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <ranges>
#include <set>
#include <utility>
#include <vector>

namespace kit::app {

namespace {

using telemetry::KeptLine;
using telemetry::KeptLines;
using telemetry::KeptSpan;
using telemetry::KeptSpans;
using telemetry::RouteWindows;
using telemetry::SpanKind;

constexpr std::string_view traces_prefix = "/telemetry/traces/";
static_assert(
    RouteWindows::window_time * RouteWindows::windows_max == std::chrono::seconds(ViewQuery::seconds_max)
);

struct View {
    std::string path;
    std::string shows;
    std::vector<std::string> parameters;
};

BOOST_DESCRIBE_STRUCT(View, (), (path, shows, parameters))

struct Index {
    std::vector<View> views;
};

BOOST_DESCRIBE_STRUCT(Index, (), (views))

struct RouteRow {
    std::string route;
    std::uint64_t count;
    std::uint64_t errors;
    double p50_ms;
    double p90_ms;
    double p99_ms;
};

BOOST_DESCRIBE_STRUCT(RouteRow, (), (route, count, errors, p50_ms, p90_ms, p99_ms))

struct RoutesPage {
    Timestamp since;
    Timestamp until;
    std::vector<RouteRow> routes;
};

BOOST_DESCRIBE_STRUCT(RoutesPage, (), (since, until, routes))

struct SpanRow {
    std::string trace_id;
    std::string span_id;
    std::optional<std::string> parent_span_id;
    std::string name;
    std::string kind;
    Timestamp start;
    double duration_ms;
    bool failed;
    json::Raw attributes;
};

BOOST_DESCRIBE_STRUCT(
    SpanRow, (), (trace_id, span_id, parent_span_id, name, kind, start, duration_ms, failed, attributes)
)

struct SpansPage {
    std::vector<SpanRow> spans;
};

BOOST_DESCRIBE_STRUCT(SpansPage, (), (spans))

struct LineRow {
    Timestamp time;
    std::string level;
    std::string message;
    std::optional<std::string> trace_id;
    std::optional<std::string> span_id;
    json::Raw attributes;
};

BOOST_DESCRIBE_STRUCT(LineRow, (), (time, level, message, trace_id, span_id, attributes))

struct LinesPage {
    std::vector<LineRow> lines;
};

BOOST_DESCRIBE_STRUCT(LinesPage, (), (lines))

struct Node {
    SpanRow span;
    std::vector<LineRow> lines;
    std::vector<Node> children;
};

BOOST_DESCRIBE_STRUCT(Node, (), (span, lines, children))

struct TracePage {
    std::string trace_id;
    std::vector<Node> roots;     // spans whose parent is not kept here, or another process's
    std::vector<LineRow> lines;  // of spans that are not kept here
};

BOOST_DESCRIBE_STRUCT(TracePage, (), (trace_id, roots, lines))

Timestamp to_timestamp(telemetry::UnixNanoseconds time)
{
    return std::chrono::floor<std::chrono::microseconds>(time);
}

double milliseconds(std::chrono::nanoseconds duration)
{
    return std::chrono::duration<double, std::milli>(duration).count();
}

std::string_view kind_name(SpanKind kind)
{
    switch (kind) {
        case SpanKind::internal:
            return "internal";
        case SpanKind::server:
            return "server";
        case SpanKind::client:
            return "client";
    }
    std::unreachable();
}

json::Raw attributes(const std::vector<telemetry::Field>& fields)
{
    json::Raw object;
    auto writer = json::object(object.text);
    for (const auto& field : fields) {
        std::visit([&](const auto& value) { writer.field(field.key, value); }, field.value);
    }
    return object;
}

SpanRow row(const KeptSpan& span)
{
    const telemetry::SpanText ids(span.span);
    auto parent = span.span;
    parent.span_id = span.parent_id;
    const telemetry::SpanText parent_ids(parent);
    return {
        .trace_id = std::string(ids.trace_id()),
        .span_id = std::string(ids.span_id()),
        .parent_span_id =
            span.parent_id == 0 ? std::nullopt : std::optional<std::string>(parent_ids.span_id()),
        .name = std::string(span.name),
        .kind = std::string(kind_name(span.kind)),
        .start = to_timestamp(span.start),
        .duration_ms = milliseconds(span.took()),
        .failed = span.failed,
        .attributes = attributes(span.fields()),
    };
}

LineRow row(const KeptLine& line)
{
    const telemetry::SpanText ids(line.span);
    const bool traced = line.span.valid();
    return {
        .time = to_timestamp(line.time),
        .level = to_lower(telemetry::severity_text(line.level)),
        .message = std::string(line.body),
        .trace_id = traced ? std::optional<std::string>(ids.trace_id()) : std::nullopt,
        .span_id = traced ? std::optional<std::string>(ids.span_id()) : std::nullopt,
        .attributes = attributes(line.fields()),
    };
}

bool is_of_route(const KeptSpan& span, std::string_view route)
{
    return span.kind == SpanKind::server && (span.text("http.route") == route || span.name == route);
}

bool is_wanted(const KeptSpan& span, const ViewQuery& query)
{
    return (!query.route || is_of_route(span, *query.route)) &&
           (!query.trace || trace_of(span.span) == *query.trace) &&
           (!query.since || to_timestamp(span.start) >= *query.since);
}

template <class Row, class Records, class Wanted>
std::vector<Row> first_rows(const Records& records, std::int64_t limit, Wanted wanted)
{
    std::vector<Row> rows;
    for (const auto& record : records) {
        if (std::cmp_greater_equal(rows.size(), limit)) {
            break;
        }
        if (wanted(record)) {
            rows.push_back(row(record));
        }
    }
    return rows;
}

std::vector<KeptSpan> kept_spans(const telemetry::Recorder* recorder, std::optional<KeptSpans>& owner)
{
    if (recorder == nullptr) {
        return {};
    }
    owner.emplace(recorder->kept_spans());
    return std::move(owner->spans);
}

std::vector<KeptLine> kept_lines(const telemetry::Recorder* recorder, std::optional<KeptLines>& owner)
{
    if (recorder == nullptr) {
        return {};
    }
    owner.emplace(recorder->kept_logs());
    return std::move(owner->lines);
}

const std::vector<View>& views()
{
    static const std::vector<View> all{
        {.path = "/telemetry/routes",
         .shows = "requests by route: count, errors (5xx), p50, p90, p99",
         .parameters = {"seconds"}},
        {.path = "/telemetry/slow",
         .shows = "the slowest sampled requests, with their traces",
         .parameters = {"route", "since", "limit"}},
        {.path = "/telemetry/spans",
         .shows = "the latest spans",
         .parameters = {"route", "trace_id", "since", "limit"}},
        {.path = "/telemetry/logs",
         .shows = "the latest log lines",
         .parameters = {"route", "level", "trace_id", "since", "limit"}},
        {.path = "/telemetry/traces/{trace_id}",
         .shows = "one trace as a tree with its log lines",
         .parameters = {}},
        {.path = "/metrics", .shows = "metrics as Prometheus or OpenMetrics text", .parameters = {}},
    };
    return all;
}

const View* find_view(std::string_view path)
{
    const auto& all = views();
    const auto found = std::ranges::find_if(all, [path](const View& view) {
        const bool is_trace = view.path.starts_with(traces_prefix);
        return is_trace ? path.starts_with(traces_prefix) : path == view.path && path != "/metrics";
    });
    return found == all.end() ? nullptr : &*found;
}

std::string show_routes(const TelemetryViews::Sources& sources, const ViewQuery& query)
{
    const auto now = sources.clock.now();
    RoutesPage page{.since = now - std::chrono::seconds(query.seconds), .until = now, .routes = {}};
    for (auto& each : sources.routes.summarize(page.since)) {
        page.routes.push_back(
            {.route = std::move(each.route),
             .count = each.count,
             .errors = each.errors,
             .p50_ms = each.p50_ms,
             .p90_ms = each.p90_ms,
             .p99_ms = each.p99_ms}
        );
    }
    return json::to_text(page);
}

std::string show_spans(const TelemetryViews::Sources& sources, const ViewQuery& query, bool slow)
{
    std::optional<KeptSpans> owner;
    auto spans = kept_spans(sources.recorder, owner);
    if (slow) {
        std::erase_if(spans, [](const KeptSpan& span) { return span.kind != SpanKind::server; });
        std::ranges::sort(spans, std::ranges::greater(), &KeptSpan::took);
    }
    const auto wanted = [&query](const KeptSpan& span) { return is_wanted(span, query); };
    return json::to_text(SpansPage{.spans = first_rows<SpanRow>(spans, query.limit, wanted)});
}

// A line belongs to a route when it says so, or when its trace's request was of that route.
std::string show_lines(const TelemetryViews::Sources& sources, const ViewQuery& query)
{
    std::set<TraceId> traces;
    std::optional<KeptSpans> span_owner;
    if (query.route) {
        for (const auto& span : kept_spans(sources.recorder, span_owner)) {
            if (is_of_route(span, *query.route)) {
                traces.insert(trace_of(span.span));
            }
        }
    }
    std::optional<KeptLines> owner;
    const auto lines = kept_lines(sources.recorder, owner);
    const auto wanted = [&](const KeptLine& line) {
        const auto trace = trace_of(line.span);
        return line.level >= query.level && (!query.trace || trace == *query.trace) &&
               (!query.since || to_timestamp(line.time) >= *query.since) &&
               (!query.route || line.text("route") == *query.route || traces.contains(trace));
    };
    return json::to_text(LinesPage{.lines = first_rows<LineRow>(lines, query.limit, wanted)});
}

// One trace's spans and lines, by the span that they belong to.
class Trace {
public:
    void add(const KeptSpan& span)
    {
        spans_[span.span.span_id] = &span;
        children_[span.parent_id].push_back(&span);
    }

    void add(const KeptLine& line) { lines_[line.span.span_id].push_back(&line); }

    bool is_empty() const { return spans_.empty() && lines_.empty(); }

    TracePage page(std::string_view trace_id) const
    {
        TracePage page{.trace_id = std::string(trace_id), .roots = {}, .lines = {}};
        for (const auto& [parent_id, children] : children_) {
            for (const auto* const span : children) {
                if (span->remote_parent || !spans_.contains(parent_id)) {
                    page.roots.push_back(node(*span, 0));
                }
            }
        }
        std::ranges::sort(page.roots, {}, [](const Node& root) { return root.span.start; });
        for (const auto& [span_id, lines] : lines_) {
            if (!spans_.contains(span_id)) {
                append_rows(page.lines, lines);
            }
        }
        return page;
    }

private:
    static constexpr int depth_max = 64;

    static void append_rows(std::vector<LineRow>& rows, const std::vector<const KeptLine*>& lines)
    {
        for (const auto* const line : lines) {
            rows.push_back(row(*line));
        }
    }

    Node node(const KeptSpan& span, int depth) const
    {
        Node result{.span = row(span), .lines = {}, .children = {}};
        const auto id = span.span.span_id;
        if (const auto found = lines_.find(id); found != lines_.end()) {
            append_rows(result.lines, found->second);
        }
        if (const auto found = children_.find(id); found != children_.end() && depth < depth_max) {
            for (const auto* const child : found->second) {
                if (!child->remote_parent) {
                    result.children.push_back(node(*child, depth + 1));
                }
            }
        }
        return result;
    }

    std::map<std::uint64_t, const KeptSpan*> spans_;
    std::map<std::uint64_t, std::vector<const KeptSpan*>> children_;
    std::map<std::uint64_t, std::vector<const KeptLine*>> lines_;
};

Result<std::string> show_trace(const TelemetryViews::Sources& sources, std::string_view id)
{
    const auto wanted = parse_trace_id(id);
    if (!wanted) {
        return failure(Error::invalid("trace_id: expected 32 lower-case hexadecimal digits"));
    }
    std::optional<KeptSpans> span_owner;
    std::optional<KeptLines> line_owner;
    const auto spans = kept_spans(sources.recorder, span_owner);
    const auto lines = kept_lines(sources.recorder, line_owner);
    Trace trace;
    const auto add = [&](const auto& record) {
        if (trace_of(record.span) == *wanted) {
            trace.add(record);
        }
    };
    std::ranges::for_each(std::views::reverse(spans), add);  // the earliest first
    std::ranges::for_each(std::views::reverse(lines), add);
    if (trace.is_empty()) {
        return failure(Error::not_found("nothing is kept of this trace"));
    }
    return json::to_text(trace.page(id));
}

}  // namespace

bool TelemetryViews::is_view(std::string_view path)
{
    return path == "/" || find_view(path) != nullptr;
}

Result<std::string> TelemetryViews::show(std::string_view path, std::string_view query_text) const
{
    if (path == "/") {
        return json::to_text(Index{.views = views()});
    }
    const auto* const view = find_view(path);
    if (view == nullptr) {
        return failure(Error::not_found("no such view"));
    }
    const auto query = parse_view_query(query_text, view->parameters);
    if (!query) {
        return failure(query.error());
    }
    if (path.starts_with(traces_prefix)) {
        return show_trace(sources_, path.substr(traces_prefix.size()));
    }
    if (path == "/telemetry/routes") {
        return show_routes(sources_, *query);
    }
    if (path == "/telemetry/logs") {
        return show_lines(sources_, *query);
    }
    return show_spans(sources_, *query, path == "/telemetry/slow");
}

}  // namespace kit::app
