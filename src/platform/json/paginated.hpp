// The body of a list: its items, and where they stand.
#pragma once

#include "platform/core/listing.hpp"
#include "platform/json/write.hpp"

#include <boost/describe/class.hpp>

#include <string>
#include <vector>

namespace kit::json {

struct Pagination {
    std::int64_t page = 0;
    std::int64_t page_size = 0;
    std::int64_t total = 0;
    std::int64_t total_pages = 0;
};
BOOST_DESCRIBE_STRUCT(Pagination, (), (page, page_size, total, total_pages))

inline Pagination pagination(const Paging& paging, std::int64_t total)
{
    return {
        .page = paging.page,
        .page_size = paging.page_size,
        .total = total,
        .total_pages = total / paging.page_size + (total % paging.page_size == 0 ? 0 : 1)
    };
}

// What paginated() prints, for descriptions.
template <class Item>
struct ListOf {
    std::vector<Item> items;
    Pagination pagination;

    BOOST_DESCRIBE_CLASS(ListOf, (), (items, pagination), (), ())
};

template <class Item>
std::string paginated(const std::vector<Item>& items, const Paging& paging, std::int64_t total)
{
    std::string text;
    object(text).field("items", items).field("pagination", pagination(paging, total));
    return text;
}

}  // namespace kit::json
