// What lists and rows by id share: the contract's parameters of a page and the ids of paths.
#pragma once

#include "platform/http/types.hpp"
#include "platform/json/json.hpp"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace kit::http {

// Which part of a list is wanted.
struct Paging {
    static constexpr std::int64_t size_max = 100;
    static constexpr std::int64_t size_default = 20;

    std::int64_t page = 1;
    std::int64_t page_size = size_default;

    // Rows before the page; the largest number for a page so far out that nothing can be there.
    std::int64_t offset() const;
};

// `page` and `page_size`; 400 with the contract's texts.
Result<Paging> read_paging(const RequestContext& ctx);

// A parameter of the query without the white space around it; empty where it is absent.
std::string text_parameter(const RequestContext& ctx, std::string_view name);

// The id of a `{name}` segment, white space around it ignored; nothing where it is no unsigned 64-bit
// decimal. One above every id that a database gives becomes the largest: it is found nowhere.
std::optional<std::int64_t> path_id(const RequestContext& ctx, std::string_view name);

struct Pagination {
    std::int64_t page = 0;
    std::int64_t page_size = 0;
    std::int64_t total = 0;
    std::int64_t total_pages = 0;
};
BOOST_DESCRIBE_STRUCT(Pagination, (), (page, page_size, total, total_pages))

Pagination pagination(const Paging& paging, std::int64_t total);

// The body of a list.
template <class Item>
struct Paginated {
    std::vector<Item> items;
    Pagination pagination;
};

// A described list is `BOOST_DESCRIBE_STRUCT(Paginated<Item>, (), (items, pagination))` beside its routes.

}  // namespace kit::http
