// Which rows of a list are wanted, in which order, from where on, and what stands beside them.
#pragma once

#include "platform/core/timestamp.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace kit {

// A row's place in an ordered list: what it holds of the order's field, nothing where that is the id, and its
// id.
struct Place {
    std::variant<std::monostate, Timestamp, std::string> value{};
    std::int64_t id = 0;
};

// The rows after a place, or those before it. Unlike an offset it is unmoved by rows that come and go.
struct Cursor {
    Place place;
    bool before = false;
};

struct Slice {
    std::int64_t offset = 0;  // without a cursor
    std::int64_t rows_max = 0;
    std::optional<Cursor> cursor{};
};

// How many rows a list has in all: counted, guessed where counting is dear, or not of interest.
enum class Total : std::uint8_t { exact, estimate, none };

struct Paging {
    static constexpr std::int64_t size_max = 100;
    static constexpr std::int64_t size_default = 20;

    std::int64_t page = 1;
    std::int64_t page_size = size_default;
    std::optional<Cursor> cursor{};  // then the page's number moves nothing
    Total total = Total::exact;
    std::optional<std::int64_t> known_total{};  // counted when the walk by cursors began

    // Of a page so far out that nothing can be there, the largest offset.
    Slice slice() const
    {
        constexpr auto max = std::numeric_limits<std::int64_t>::max();
        const auto offset = page - 1 > max / page_size ? max : (page - 1) * page_size;
        return {.offset = cursor ? 0 : offset, .rows_max = page_size, .cursor = cursor};
    }
};

// By one of the fields that a list names; ties by id in the same direction.
struct Order {
    std::size_t field = 0;
    bool descending = true;
};

// A page of rows as a repository reads it.
template <class Row>
struct PageOf {
    std::vector<Row> rows;
    std::optional<std::int64_t> total;  // where it was asked for
    bool more = false;                  // rows beyond it, in the direction in which it was read
};

// The places at which the neighbours of a page begin; nothing where there is none.
struct Neighbours {
    std::optional<Place> next{};
    std::optional<Place> previous{};
    std::optional<std::int64_t> total{};  // what a walk goes on with
};

// `place_of` gives a row's place in the list's order.
template <class Row, class PlaceOf>
Neighbours neighbours_of(const Paging& paging, const PageOf<Row>& page, PlaceOf place_of)
{
    Neighbours neighbours{.total = page.total ? page.total : paging.known_total};
    if (page.rows.empty()) {
        return neighbours;
    }
    const bool backwards = paging.cursor && paging.cursor->before;
    const bool first = !paging.cursor && paging.page == 1;
    if (backwards || page.more) {
        neighbours.next = place_of(page.rows.back());
    }
    if (backwards ? page.more : !first) {
        neighbours.previous = place_of(page.rows.front());
    }
    return neighbours;
}

// The links to a page's neighbours, as whoever asks for the page writes them.
using PageLinks = std::function<std::string(const Neighbours&)>;

}  // namespace kit
