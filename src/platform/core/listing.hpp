// Which rows of a list are wanted, and in which order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace kit {

struct Slice {
    std::int64_t offset = 0;
    std::int64_t rows_max = 0;
};

struct Paging {
    static constexpr std::int64_t size_max = 100;
    static constexpr std::int64_t size_default = 20;

    std::int64_t page = 1;
    std::int64_t page_size = size_default;

    // Of a page so far out that nothing can be there, the largest offset.
    Slice slice() const
    {
        constexpr auto max = std::numeric_limits<std::int64_t>::max();
        return {.offset = page - 1 > max / page_size ? max : (page - 1) * page_size, .rows_max = page_size};
    }
};

// By one of the fields that a list names; ties by id in the same direction.
struct Order {
    std::size_t field = 0;
    bool descending = true;
};

}  // namespace kit
