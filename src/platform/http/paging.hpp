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

// `page` and `page_size`; 400 with the contract's texts.
Result<Paging> read_paging(const RequestContext& ctx);

// `sort_by`, one of the fields, `created_at` where it is absent, and `sort_order`; 400 with the contract's
// texts.
Result<Order> read_order(const RequestContext& ctx, std::span<const std::string_view> fields);

// A decimal from 1 on; nothing where the text is something else.
std::optional<std::int64_t> positive_integer(std::string_view text);

// A parameter of the query without the white space around it; empty where it is absent.
std::string text_parameter(const RequestContext& ctx, std::string_view name);

// The parameters that these two read, as a row's description lists them; `more` come after them.
std::vector<Field> paging_parameters(std::vector<Field> more = {});
std::vector<Field> list_parameters(std::span<const std::string_view> sortable, std::vector<Field> more = {});

// The id of a `{name}` segment, white space around it ignored; nothing where it is no unsigned 64-bit
// decimal. One above every id that a database gives becomes the largest: it is found nowhere.
std::optional<std::int64_t> path_id(const RequestContext& ctx, std::string_view name);

// A list's handler whose time is recorded, by its endpoint and how it ended.
Handler measured_list(telemetry::Histogram duration, std::string_view endpoint, Handler handler);

}  // namespace kit::http
