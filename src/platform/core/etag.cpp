#include "platform/core/etag.hpp"

#include "platform/core/encoding.hpp"

namespace kit {

bool etag_listed(std::string_view list, std::string_view etag, EtagComparison comparison)
{
    while (!list.empty()) {
        const auto end = list.find(',');
        auto item = trim(list.substr(0, end));
        list = end == std::string_view::npos ? std::string_view() : list.substr(end + 1);
        if (comparison == EtagComparison::weak && item.starts_with("W/")) {
            item.remove_prefix(2);
        }
        if (item == "*" || item == etag) {
            return true;
        }
    }
    return false;
}

}  // namespace kit
