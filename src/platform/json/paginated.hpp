// The body of a list: its items, and where they stand.
#pragma once

#include "platform/core/listing.hpp"
#include "platform/json/write.hpp"

#include <boost/describe/class.hpp>

#include <optional>
#include <string>
#include <vector>

namespace kit::json {

// Without totals where nobody wanted to know them.
struct Pagination {
    std::int64_t page = 0;
    std::int64_t page_size = 0;
    std::optional<std::int64_t> total{};
    std::optional<std::int64_t> total_pages{};
};
BOOST_DESCRIBE_STRUCT(Pagination, (), (page, page_size, total, total_pages))

inline Pagination pagination(const Paging& paging, std::optional<std::int64_t> total)
{
    Pagination pagination{.page = paging.page, .page_size = paging.page_size, .total = total};
    if (total) {
        pagination.total_pages = *total / paging.page_size + (*total % paging.page_size == 0 ? 0 : 1);
    }
    return pagination;
}

// What paginated() prints, for descriptions.
template <class Item>
struct ListOf {
    std::vector<Item> items;
    Pagination pagination;

    BOOST_DESCRIBE_CLASS(ListOf, (), (items, pagination), (), ())
};

template <class Item>
std::string paginated(const PageOf<Item>& page, const Paging& paging)
{
    std::string text;
    object(text)
        .field("items", page.rows)
        .field("pagination", pagination(paging, page.total ? page.total : paging.known_total));
    return text;
}

}  // namespace kit::json
