#include "platform/http/paging.hpp"

#include "platform/core/encoding.hpp"

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

std::optional<std::int64_t> positive(std::string_view text)
{
    const auto number = decimal<std::int64_t>(text);
    return number && *number >= 1 ? number : std::nullopt;
}

}  // namespace

std::int64_t Paging::offset() const
{
    constexpr auto max = std::numeric_limits<std::int64_t>::max();
    return page - 1 > max / page_size ? max : (page - 1) * page_size;
}

std::string text_parameter(const RequestContext& ctx, std::string_view name)
{
    return std::string(trim(ctx.query_parameter(name).value_or("")));
}

Result<Paging> read_paging(const RequestContext& ctx)
{
    Paging paging;
    if (const auto text = text_parameter(ctx, "page"); !text.empty()) {
        const auto page = positive(text);
        if (!page) {
            return failure(Error::invalid("page must be a positive integer"));
        }
        paging.page = *page;
    }
    if (const auto text = text_parameter(ctx, "page_size"); !text.empty()) {
        const auto size = positive(text);
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

std::optional<std::int64_t> path_id(const RequestContext& ctx, std::string_view name)
{
    const auto id = decimal<std::uint64_t>(trim(ctx.path_parameter(name)));
    if (!id) {
        return std::nullopt;
    }
    constexpr auto max = std::numeric_limits<std::int64_t>::max();
    return std::cmp_greater(*id, max) ? max : static_cast<std::int64_t>(*id);
}

Pagination pagination(const Paging& paging, std::int64_t total)
{
    return {
        .page = paging.page,
        .page_size = paging.page_size,
        .total = total,
        .total_pages = total / paging.page_size + (total % paging.page_size == 0 ? 0 : 1)
    };
}

}  // namespace kit::http
