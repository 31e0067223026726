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

struct Position {
    Paging paging;
    std::optional<std::int64_t> before_id;  // by token: then the page's number moves nothing
};

Result<Position> read_position(const http::RequestContext& ctx)
{
    auto paging = http::read_paging(ctx);
    if (!paging) {
        return failure(paging.error());
    }
    Position position{.paging = *paging, .before_id = std::nullopt};
    if (const auto token = http::text_parameter(ctx, "page_token"); !token.empty()) {
        const auto decoded = base64url_decode(token);
        position.before_id = decoded ? http::positive_integer(*decoded) : std::nullopt;
        if (!position.before_id) {
            return failure(Error::invalid("invalid page_token"));
        }
    }
    return position;
}

// RFC 8288: the same request, from below the last row of this answer on.
void link_next(http::Response& response, const http::RequestContext& ctx, std::int64_t last_id)
{
    std::string target = "</api/v1/admin/audit?";
    for (const auto& [name, value] : parse_form(ctx.request.query)) {
        if (name != "page" && name != "page_token") {
            target += percent_encode(name) + "=" + percent_encode(value) + "&";
        }
    }
    target += "page_token=" + base64url_encode(std::to_string(last_id)) + ">; rel=\"next\"";
    response.set("Link", std::move(target));
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

Task<http::Reply> export_lines(
    Service& service, http::RequestContext& ctx, const Filter& filter, const Position& position
)
{
    http::Response response{.payload = http::Payload::complete};
    response.set("Content-Type", "application/x-ndjson");
    response.set("Cache-Control", "no-store");
    response.set("Vary", "Accept");
    Slice slice{.rows_max = export_batch_rows};
    slice.before_id = position.before_id.value_or(slice.before_id);
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
    link_next(response, ctx, slice.before_id);
    co_return response;
}

Task<http::Reply> list(Service& service, http::RequestContext& ctx)
{
    const auto position = TRY(read_position(ctx));
    const auto filter = TRY(co_await read_filter(ctx));
    const auto format = to_lower(http::text_parameter(ctx, "format"));
    if (!format.empty() && format != "json" && format != "jsonl") {
        co_return failure(Error::invalid("format must be json or jsonl"));
    }
    if (format == "jsonl" || (format.empty() && accepts_json_lines(ctx.request))) {
        co_return co_await export_lines(service, ctx, filter, position);
    }
    Slice slice{.rows_max = position.paging.page_size};
    if (position.before_id) {
        slice.before_id = *position.before_id;
    } else {
        slice.offset = position.paging.slice().offset;
    }
    const auto page = co_await service.page(filter, slice);
    List body{.items = {"["}, .pagination = json::pagination(position.paging, page.total)};
    for (const auto& record : page.records) {
        body.items.text += body.items.text.size() > 1 ? "," : "";
        append_record(body.items.text, record);
    }
    body.items.text += ']';
    auto response = http::ok(body);
    response.set("Cache-Control", "no-store");
    response.set("Vary", "Accept");
    if (page.more) {
        link_next(response, ctx, page.records.back().id);
    }
    co_return response;
}

}  // namespace

Origin origin_of(const http::RequestContext& ctx)
{
    return {.ip = ctx.client_address, .request_id = ctx.request_id, .span = ctx.span};
}

std::vector<http::Route> routes(Service& service)
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
         http::bind(list, service),
         {.summary = "List the audit trail, newest first, or export it as JSON lines",
          .ok = data<json::ListOf<AuditRecord>>,
          .query = paging_parameters({
              {.name = "page_token",
               .note = "of the Link header of the answer before; then `page` moves nothing"},
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
          .note = "While there is more, the header Link names the next page (rel=next)."}},
    };
}

}  // namespace kit::audit
