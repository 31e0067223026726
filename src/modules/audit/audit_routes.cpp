#include "modules/audit/audit.hpp"
#include "platform/core/encoding.hpp"
#include "platform/http/body.hpp"
#include "platform/http/route.hpp"

#include <algorithm>
#include <charconv>

namespace kit::audit {

namespace {

constexpr std::int64_t page_rows_max = 100;
constexpr std::int64_t page_rows_default = 20;
constexpr std::int64_t export_rows_max = 10'000;  // of one answer; the next begins where it ends
constexpr std::int64_t export_batch_rows = 500;   // of one statement

struct Pagination {
    std::int64_t page;
    std::int64_t page_size;
    std::int64_t total;
    std::int64_t total_pages;
};
BOOST_DESCRIBE_STRUCT(Pagination, (), (page, page_size, total, total_pages))

struct List {
    json::Raw items;
    Pagination pagination;
};
BOOST_DESCRIBE_STRUCT(List, (), (items, pagination))

void append_record(std::string& out, const Record& record)
{
    json::object(out)
        .field("id", record.id)
        .field("event_name", record.event_name)
        .field("event_version", record.event_version)
        .field("actor_user_id", record.actor_user_id)
        .field("actor_ip", record.actor_ip)
        .field("target_type", record.target_type)
        .field("target_id", record.target_id)
        .field("action", record.action)
        .field("outcome", record.outcome)
        .field("reason", record.reason)
        .field("request_id", record.request_id)
        .field("trace_id", record.trace_id)
        .field("span_id", record.span_id)
        .field("ts", record.ts)
        .field("extras", json::Raw{record.extras})
        .field("sequence", record.sequence)
        .field("previous_hash", record.previous_hash)
        .field("hash", record.hash);
}

std::string parameter(const http::RequestContext& ctx, std::string_view name)
{
    return std::string(trim(ctx.query_parameter(name).value_or("")));
}

std::optional<std::int64_t> positive(std::string_view text)
{
    std::int64_t number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size() || number < 1) {
        return std::nullopt;
    }
    return number;
}

Result<std::optional<Timestamp>> time_parameter(const http::RequestContext& ctx, std::string_view name)
{
    const auto text = parameter(ctx, name);
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
        .event = parameter(ctx, "event"),
        .actor = parameter(ctx, "actor"),
        .target_type = parameter(ctx, "target_type"),
        .target_id = parameter(ctx, "target_id"),
        .outcome = to_lower(parameter(ctx, "outcome")),
    };
    if (const auto target = parameter(ctx, "target"); !target.empty()) {
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

struct Paging {
    std::int64_t page = 1;
    std::int64_t page_size = page_rows_default;
    std::optional<std::int64_t> before_id;  // by token: then the page's number moves nothing
};

Result<Paging> read_paging(const http::RequestContext& ctx)
{
    Paging paging;
    if (const auto text = parameter(ctx, "page"); !text.empty()) {
        const auto page = positive(text);
        // No offset overflows: nobody has that many pages.
        if (!page || *page > std::numeric_limits<std::int64_t>::max() / page_rows_max) {
            return failure(Error::invalid("page must be a positive integer"));
        }
        paging.page = *page;
    }
    if (const auto text = parameter(ctx, "page_size"); !text.empty()) {
        const auto size = positive(text);
        if (!size) {
            return failure(Error::invalid("page_size must be a positive integer"));
        }
        if (*size > page_rows_max) {
            return failure(Error::invalid("page_size must be <= 100"));
        }
        paging.page_size = *size;
    }
    if (const auto token = parameter(ctx, "page_token"); !token.empty()) {
        const auto decoded = base64url_decode(token);
        paging.before_id = decoded ? positive(*decoded) : std::nullopt;
        if (!paging.before_id) {
            return failure(Error::invalid("invalid page_token"));
        }
    }
    return paging;
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
    Service& service, http::RequestContext& ctx, const Filter& filter, const Paging& paging
)
{
    http::Response response{.payload = http::Payload::complete};
    response.set("Content-Type", "application/x-ndjson");
    response.set("Cache-Control", "no-store");
    response.set("Vary", "Accept");
    Slice slice{.rows_max = export_batch_rows};
    slice.before_id = paging.before_id.value_or(slice.before_id);
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
    const auto paging = TRY(read_paging(ctx));
    const auto filter = TRY(co_await read_filter(ctx));
    const auto format = to_lower(parameter(ctx, "format"));
    if (!format.empty() && format != "json" && format != "jsonl") {
        co_return failure(Error::invalid("format must be json or jsonl"));
    }
    if (format == "jsonl" || (format.empty() && accepts_json_lines(ctx.request))) {
        co_return co_await export_lines(service, ctx, filter, paging);
    }
    Slice slice{.rows_max = paging.page_size};
    if (paging.before_id) {
        slice.before_id = *paging.before_id;
    } else {
        slice.offset = (paging.page - 1) * paging.page_size;
    }
    const auto page = co_await service.page(filter, slice);
    List body{
        .items = {"["},
        .pagination =
            {.page = paging.page,
             .page_size = paging.page_size,
             .total = page.total,
             .total_pages = (page.total + paging.page_size - 1) / paging.page_size}
    };
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
    return {
        {Method::get,
         "/api/v1/admin/audit",
         {authenticated, permission("audit:read")},
         http::bind(list, service),
         {.summary = "List the audit trail, newest first, or export it as JSON lines"}},
    };
}

}  // namespace kit::audit
