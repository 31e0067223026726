// Lists of entity tags: RFC 9110 section 13.1.
#pragma once

#include <cstdint>
#include <string_view>

namespace kit {

// RFC 9110 section 8.8.3.2: a weak comparison ignores that a listed tag is weak.
enum class EtagComparison : std::uint8_t { strong, weak };

// Whether a header's list names the tag, or is `*`.
bool etag_listed(std::string_view list, std::string_view etag, EtagComparison comparison);

}  // namespace kit
