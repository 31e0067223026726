#include "platform/http/paging.hpp"

#include "platform/core/encoding.hpp"
#include "platform/http/page_tokens.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace kit::http {

namespace {

template <class Number>
std::optional<Number> decimal(std::string_view text)
{
    Number number = 0;
    const auto* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, number);
    if (read.ec != std::errc() || read.ptr != end) {
        return std::nullopt;
    }
    return number;
}

std::string_view status_of(const Reply& reply)
{
    if (reply) {
        return reply->status == 304 ? "not_modified" : "success";
    }
    return reply.error().code() == ErrorCode::invalid_input ? "bad_request" : "error";
}

struct ListCall {
    telemetry::Histogram duration;
    std::string_view endpoint;
    const Handler& handler;
};

Task<Reply> measure(ListCall call, RequestContext& ctx)
{
    struct Ended {
        const ListCall& call;
        const RequestContext& ctx;
        SteadyTime started = ctx.clock.steady_now();
        std::string_view status = "error";

        ~Ended()
        {
            call.duration.record(
                telemetry::seconds_between(started, ctx.clock.steady_now()),
                {call.endpoint, status},
                ctx.span,
                ctx.clock.now()
            );
        }
    };

    Ended ended{.call = call, .ctx = ctx};
    auto reply = co_await call.handler(ctx);
    ended.status = status_of(reply);
    co_return reply;
}

Result<Paging> read_page(const RequestContext& ctx)
{
    Paging paging;
    if (const auto text = text_parameter(ctx, "page"); !text.empty()) {
        const auto page = positive_integer(text);
        if (!page) {
            return failure(Error::invalid("page must be a positive integer"));
        }
        paging.page = *page;
    }
    if (const auto text = text_parameter(ctx, "page_size"); !text.empty()) {
        const auto size = positive_integer(text);
        if (!size) {
            return failure(Error::invalid("page_size must be a positive integer"));
        }
        if (*size > Paging::size_max) {
            return failure(Error::invalid("page_size must be <= 100"));
        }
        paging.page_size = *size;
    }
    return paging;
}

Result<Order> read_order(const RequestContext& ctx, std::span<const std::string_view> fields)
{
    auto wanted = to_lower(text_parameter(ctx, "sort_by"));
    if (wanted.empty()) {
        wanted = "created_at";
    }
    const auto field = std::ranges::find(fields, wanted);
    if (field == fields.end()) {
        return failure(Error::invalid("invalid sort_by: " + wanted));
    }
    const auto direction = to_lower(text_parameter(ctx, "sort_order"));
    if (!direction.empty() && direction != "asc" && direction != "desc") {
        return failure(Error::invalid("sort_order must be asc or desc"));
    }
    return Order{.field = static_cast<std::size_t>(field - fields.begin()), .descending = direction != "asc"};
}

// What a token is of: the list, its filters and its order, however they are written.
std::string list_name(const RequestContext& ctx, const ListParameters& parameters, const Order& order)
{
    std::string name(ctx.route->pattern);
    if (!parameters.fields.empty()) {
        name += ' ';
        name += parameters.fields[order.field];
    }
    name += order.descending ? " desc" : " asc";
    for (const auto filter : parameters.filters) {
        if (const auto value = text_parameter(ctx, filter); !value.empty()) {
            name += ' ' + std::string(filter) + '=' + percent_encode(to_lower(value));
        }
    }
    return name;
}

Result<void> read_cursor(
    const RequestContext& ctx, const PageTokens& tokens, std::string_view list, Paging& paging
)
{
    if (const auto token = text_parameter(ctx, page_token_parameter); !token.empty()) {
        auto content = tokens.open(token, list);
        if (!content) {
            return failure(content.error());
        }
        paging.cursor = std::move(content->cursor);
        paging.known_total = content->total;
        paging.total = Total::none;
    }
    const auto total = to_lower(text_parameter(ctx, "total"));
    if (total.empty()) {
        return {};
    }
    paging.known_total.reset();
    if (total == "exact") {
        paging.total = Total::exact;
    } else if (total == "estimate") {
        paging.total = Total::estimate;
    } else if (total == "none") {
        paging.total = Total::none;
    } else {
        return failure(Error::invalid("total must be exact, estimate or none"));
    }
    return {};
}

// RFC 8288: the same request with another page.
struct Links {
    const RequestContext* ctx;
    const PageTokens* tokens;
    const ListParameters* parameters;
    Order order;

    std::string operator()(const Neighbours& neighbours) const
    {
        std::string text;
        add(text, neighbours.previous, true, neighbours.total);
        add(text, neighbours.next, false, neighbours.total);
        return text;
    }

    void add(
        std::string& text,
        const std::optional<Place>& place,
        bool before,
        const std::optional<std::int64_t>& total
    ) const
    {
        if (!place) {
            return;
        }
        text += text.empty() ? "<" : ", <";
        text += ctx->route->pattern;
        char separator = '?';
        for (const auto& [name, value] : parse_form(ctx->request.query)) {
            if (name != "page" && name != page_token_parameter) {
                text += separator + percent_encode(name) + '=' + percent_encode(value);
                separator = '&';
            }
        }
        // The number is for people: the token alone says where the page begins.
        const auto page = positive_integer(text_parameter(*ctx, "page")).value_or(1);
        const auto other = before ? std::max<std::int64_t>(page, 2) - 1
                                  : std::min(page, std::numeric_limits<std::int64_t>::max() - 1) + 1;
        text += separator;
        text += "page=" + std::to_string(other) + "&page_token=";
        text += tokens->seal(
            {.cursor = {.place = *place, .before = before}, .total = total},
            list_name(*ctx, *parameters, order)
        );
        text += before ? R"(>; rel="prev")" : R"(>; rel="next")";
    }
};

}  // namespace

std::optional<std::int64_t> positive_integer(std::string_view text)
{
    const auto number = decimal<std::int64_t>(text);
    return number && *number >= 1 ? number : std::nullopt;
}

std::string text_parameter(const RequestContext& ctx, std::string_view name)
{
    return std::string(trim(ctx.query_parameter(name).value_or("")));
}

Result<ListRequest> read_list_request(
    const RequestContext& ctx, const PageTokens& tokens, const ListParameters& parameters
)
{
    auto paging = read_page(ctx);
    if (!paging) {
        return failure(paging.error());
    }
    Order order;
    if (!parameters.fields.empty()) {
        const auto read = read_order(ctx, parameters.fields);
        if (!read) {
            return failure(read.error());
        }
        order = *read;
    }
    const auto moved = read_cursor(ctx, tokens, list_name(ctx, parameters, order), *paging);
    if (!moved) {
        return failure(moved.error());
    }
    return ListRequest{
        .paging = std::move(*paging),
        .order = order,
        .links = Links{.ctx = &ctx, .tokens = &tokens, .parameters = &parameters, .order = order}
    };
}

void set_links(Response& response, const std::string& links)
{
    if (!links.empty()) {
        response.set("Link", links);
    }
}

std::vector<Field> paging_parameters(std::vector<Field> more)
{
    static constexpr std::array<std::string_view, 3> totals{"exact", "estimate", "none"};
    std::vector<Field> fields{
        {.name = "page", .note = "1 by default", .min = 1, .kind = Field::Kind::integer},
        {.name = "page_size",
         .note = "20 by default",
         .min = 1,
         .max = static_cast<double>(Paging::size_max),
         .kind = Field::Kind::integer},
        {.name = page_token_parameter, .note = "of the header Link of another page; then `page` moves nothing"
        },
        {.name = "total",
         .note = "exact by default; with a token what the walk by tokens began with",
         .one_of = totals},
    };
    fields.insert(fields.end(), more.begin(), more.end());
    return fields;
}

std::vector<Field> list_parameters(std::span<const std::string_view> sortable, std::vector<Field> more)
{
    static constexpr std::array<std::string_view, 2> directions{"asc", "desc"};
    auto fields = paging_parameters({
        {.name = "sort_by", .note = "created_at by default", .one_of = sortable},
        {.name = "sort_order", .note = "desc by default", .one_of = directions},
    });
    fields.insert(fields.end(), more.begin(), more.end());
    return fields;
}

std::optional<std::int64_t> path_id(const RequestContext& ctx, std::string_view name)
{
    const auto id = decimal<std::uint64_t>(trim(ctx.path_parameter(name)));
    if (!id) {
        return std::nullopt;
    }
    constexpr auto max = std::numeric_limits<std::int64_t>::max();
    return std::cmp_greater(*id, max) ? max : static_cast<std::int64_t>(*id);
}

Handler measured_list(telemetry::Histogram duration, std::string_view endpoint, Handler handler)
{
    return [duration, endpoint, handler = std::move(handler)](RequestContext& ctx) {
        return measure({.duration = duration, .endpoint = endpoint, .handler = handler}, ctx);
    };
}

}  // namespace kit::http
