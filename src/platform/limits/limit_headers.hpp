// What an answer says of the limits: the contract's X-RateLimit-* and the IETF draft's RateLimit headers.
#pragma once

#include "platform/http/types.hpp"
#include "platform/limits/quota.hpp"

#include <cstdint>
#include <string_view>

namespace kit::limits {

// The contract's three tell of the limit that was counted last; the draft's two list all that were.
void set_headers(
    http::RequestContext& ctx, std::string_view scope, const Quota& quota, const Verdict& verdict
);

// Microseconds as whole seconds, rounded up.
std::int64_t seconds_up(std::int64_t microseconds);

}  // namespace kit::limits
