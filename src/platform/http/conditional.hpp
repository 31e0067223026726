// Answers that a client may already have: RFC 9110 section 13.
#pragma once

#include "platform/http/types.hpp"

#include <string_view>

namespace kit::http {

// A success whose `data` is these bytes, revalidated by their tag at every use: 304 where the client has
// them.
Response revalidated(const Request& request, std::string_view data, std::string_view etag);

}  // namespace kit::http
