#include "modules/audit/audit.hpp"
#include "platform/core/encoding.hpp"
#include "platform/http/body.hpp"
#include "platform/http/paging.hpp"
#include "platform/http/route.hpp"
#include "platform/json/paginated.hpp"

#include <algorithm>
#include <array>

namespace kit::audit {

namespace {

constexpr std::int64_t export_rows_max = 10'000;  // of one answer; the next begins where it ends
constexpr std::int64_t export_batch_rows = 500;   // of one statement

struct List {
    json::Raw items;
    json::Pagination pagination;
};
BOOST_DESCRIBE_STRUCT(List, (), (items, pagination))

// A record as it prints.
struct AuditRecord {
    std::int64_t id;
    std::string_view event_name;
    std::int64_t event_version;
    std::string_view actor_user_id;
    std::string_view actor_ip;
    std::string_view target_type;
    std::string_view target_id;
    std::string_view action;
    std::string_view outcome;
    std::string_view reason;
    std::string_view request_id;
    std::string_view trace_id;
    std::string_view span_id;
    Timestamp ts;
    json::Raw extras;
    std::optional<std::int64_t> sequence;
    std::optional<std::string_view> previous_hash;
    std::optional<std::string_view> hash;
};
BOOST_DESCRIBE_STRUCT(
    AuditRecord,
    (),
    (id,
     event_name,
     event_version,
     actor_user_id,
     actor_ip,
     target_type,
     target_id,
     action,
     outcome,
     reason,
     request_id,
     trace_id,
     span_id,
     ts,
     extras,
     sequence,
     previous_hash,
     hash)
)

void append_record(std::string& out, const Record& record)
{
    json::write(
        out,
        AuditRecord{
            .id = record.id,
            .event_name = record.event_name,
            .event_version = record.event_version,
            .actor_user_id = record.actor_user_id,
            .actor_ip = record.actor_ip,
            .target_type = record.target_type,
            .target_id = record.target_id,
            .action = record.action,
            .outcome = record.outcome,
            .reason = record.reason,
            .request_id = record.request_id,
            .trace_id = record.trace_id,
            .span_id = record.span_id,
            .ts = record.ts,
            .extras = {record.extras},
            .sequence = record.sequence,
            .previous_hash = record.previous_hash,
            .hash = record.hash,
        }
    );
}

Result<std::optional<Timestamp>> time_parameter(const http::RequestContext& ctx, std::string_view name)
{
    const auto text = http::text_parameter(ctx, name);
    if (text.empty()) {
        return std::nullopt;
    }
    const auto time = parse_rfc3339(text);
    if (!time) {
        return failure(Error::invalid(std::string(name) + " must be an RFC 3339 time"));
    }
    return time;
}

Task<Result<Filter>> read_filter(const http::RequestContext& ctx)
{
    Filter filter{
        .event = http::text_parameter(ctx, "event"),
        .actor = http::text_parameter(ctx, "actor"),
        .target_type = http::text_parameter(ctx, "target_type"),
        .target_id = http::text_parameter(ctx, "target_id"),
        .outcome = to_lower(http::text_parameter(ctx, "outcome")),
    };
    if (const auto target = http::text_parameter(ctx, "target"); !target.empty()) {
        const auto slash = target.find('/');
        filter.target_type = target.substr(0, slash);
        filter.target_id = slash == std::string::npos ? "" : target.substr(slash + 1);
    }
    const auto outcomes = {
        std::string_view(), outcome::success, outcome::failure, outcome::rejected, outcome::accepted
    };
    if (std::ranges::find(outcomes, filter.outcome) == outcomes.end()) {
        co_return failure(Error::invalid("outcome must be success, failure, rejected or accepted"));
    }
    filter.from = TRY(time_parameter(ctx, "from")).value_or(never);
    filter.to = TRY(time_parameter(ctx, "to"));
    co_return filter;
}

constexpr std::array<std::string_view, 8> list_filters{
    "event", "actor", "target", "target_type", "target_id", "outcome", "from", "to"
};
constexpr http::ListParameters list_parameters{.fields = {}, .filters = list_filters};

// Where a list or an export begins. Its links lead on only: towards what is older.
Slice slice_of(const Paging& paging)
{
    const auto slice = paging.slice();
    Slice rows{.offset = slice.offset, .rows_max = slice.rows_max};
    if (slice.cursor) {
        rows.before_id = slice.cursor->place.id;
    }
    return rows;
}

Neighbours next_after(std::int64_t last_id, std::optional<std::int64_t> total)
{
    return {.next = Place{.value = {}, .id = last_id}, .total = total};
}

bool accepts_json_lines(const http::Request& request)
{
    for (const auto& header : request.headers) {
        if (equal_ignoring_case(header.name, "accept") &&
            to_lower(header.value).contains("application/x-ndjson")) {
            return true;
        }
    }
    return false;
}

Task<http::Reply> export_lines(Service& service, const Filter& filter, const http::ListRequest& wanted)
{
    http::Response response{.payload = http::Payload::complete};
    response.set("Content-Type", "application/x-ndjson");
    response.set("Cache-Control", "no-store");
    response.set("Vary", "Accept");
    Slice slice{.before_id = slice_of(wanted.paging).before_id, .rows_max = export_batch_rows};
    for (std::int64_t rows = 0; rows < export_rows_max; rows += export_batch_rows) {
        const auto records = co_await service.older(filter, slice);
        for (const auto& record : records) {
            append_record(response.body, record);
            response.body += '\n';
        }
        if (std::cmp_less(records.size(), export_batch_rows)) {
            co_return response;
        }
        slice.before_id = records.back().id;
    }
    http::set_links(response, wanted.links(next_after(slice.before_id, std::nullopt)));
    co_return response;
}

Task<http::Reply> list(Service& service, const http::PageTokens& tokens, http::RequestContext& ctx)
{
    const auto wanted = TRY(http::read_list_request(ctx, tokens, list_parameters));
    const auto filter = TRY(co_await read_filter(ctx));
    const auto format = to_lower(http::text_parameter(ctx, "format"));
    if (!format.empty() && format != "json" && format != "jsonl") {
        co_return failure(Error::invalid("format must be json or jsonl"));
    }
    if (format == "jsonl" || (format.empty() && accepts_json_lines(ctx.request))) {
        co_return co_await export_lines(service, filter, wanted);
    }
    const auto& paging = wanted.paging;
    const auto page = co_await service.page(filter, slice_of(paging), paging.total);
    const auto total = page.total ? page.total : paging.known_total;
    List body{.items = {"["}, .pagination = json::pagination(paging, total)};
    for (const auto& record : page.records) {
        body.items.text += body.items.text.size() > 1 ? "," : "";
        append_record(body.items.text, record);
    }
    body.items.text += ']';
    auto response = http::ok(body);
    response.set("Cache-Control", "no-store");
    response.set("Vary", "Accept");
    if (page.more) {
        http::set_links(response, wanted.links(next_after(page.records.back().id, total)));
    }
    co_return response;
}

}  // namespace

Origin origin_of(const http::RequestContext& ctx)
{
    return {.ip = ctx.client_address, .request_id = ctx.request_id, .span = ctx.span};
}

std::vector<http::Route> routes(Service& service, const http::PageTokens& tokens)
{
    using namespace http;
    static constexpr std::array<std::string_view, 4> outcomes{
        outcome::success, outcome::failure, outcome::rejected, outcome::accepted
    };
    static constexpr std::array<std::string_view, 2> formats{"json", "jsonl"};
    return {
        {Method::get,
         "/api/v1/admin/audit",
         {authenticated, permission("audit:read")},
         http::bind(list, service, tokens),
         {.summary = "List the audit trail, newest first, or export it as JSON lines",
          .ok = data<json::ListOf<AuditRecord>>,
          .query = paging_parameters({
              {.name = "event", .note = "an event's name"},
              {.name = "actor", .note = "a user's id"},
              {.name = "target", .note = "a type, or type/id"},
              {.name = "target_type"},
              {.name = "target_id"},
              {.name = "outcome", .one_of = outcomes},
              {.name = "from", .note = "inclusive", .kind = Field::Kind::time},
              {.name = "to", .note = "exclusive", .kind = Field::Kind::time},
              {.name = "format", .note = "wins over Accept", .one_of = formats},
          }),
          .also =
              {{200, "With `format=jsonl` or that Accept: one record a line", media("application/x-ndjson")}},
          .note = "The header Link leads on only, towards what is older, also from one export to the next."}},
    };
}

}  // namespace kit::audit
