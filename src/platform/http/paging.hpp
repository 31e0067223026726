// What lists and rows by id share: the contract's parameters of a page and the ids of paths.
#pragma once

#include "platform/core/listing.hpp"
#include "platform/http/route.hpp"
#include "platform/http/types.hpp"
#include "platform/telemetry/metrics.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kit::http {

class PageTokens;

// The parameters by which a list is asked for, besides those of its page. Of static storage.
struct ListParameters {
    std::span<const std::string_view> fields{};  // for `sort_by`; none: by id, the newest first
    std::span<const std::string_view> filters{};
};

struct ListRequest {
    Paging paging;
    Order order;
    PageLinks links;  // for as long as the request's context lives
};

// `page`, `page_size`, `sort_by` (`created_at` where it is absent), `sort_order`, `page_token` and `total`,
// in this order; 400 with the contract's texts. A token goes on only in the list, with the filters and in the
// order that it is of.
Result<ListRequest> read_list_request(
    const RequestContext& ctx, const PageTokens& tokens, const ListParameters& parameters
);

// RFC 8288; nothing where there are none.
void set_links(Response& response, const std::string& links);

// A decimal from 1 on; nothing where the text is something else.
std::optional<std::int64_t> positive_integer(std::string_view text);

// A parameter of the query without the white space around it; empty where it is absent.
std::string text_parameter(const RequestContext& ctx, std::string_view name);

// Whoever takes tokens of pages gives them in the header Link.
inline constexpr std::string_view page_token_parameter = "page_token";

// What read_list_request() reads, as a row's description lists it, without and with an order; `more` come
// after.
std::vector<Field> paging_parameters(std::vector<Field> more = {});
std::vector<Field> list_parameters(std::span<const std::string_view> sortable, std::vector<Field> more = {});

// The id of a `{name}` segment, white space around it ignored; nothing where it is no unsigned 64-bit
// decimal. One above every id that a database gives becomes the largest: it is found nowhere.
std::optional<std::int64_t> path_id(const RequestContext& ctx, std::string_view name);

// A handler that also needs the tokens of pages.
template <class Service>
Handler bind(
    Task<Reply> (*handler)(Service&, const PageTokens&, RequestContext&),
    Service& service,
    const PageTokens& tokens
)
{
    return [handler, &service, &tokens](RequestContext& ctx) { return handler(service, tokens, ctx); };
}

// A list's handler whose time is recorded, by its endpoint and how it ended.
Handler measured_list(telemetry::Histogram duration, std::string_view endpoint, Handler handler);

}  // namespace kit::http
