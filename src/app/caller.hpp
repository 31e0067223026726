// Whom a request's access token names.
#pragma once

#include "modules/sessions/sessions.hpp"
#include "platform/http/types.hpp"

#include <string_view>

namespace kit::app {

// RFC 6750 section 2.1; the scheme in any case. Empty where there is none.
std::string_view bearer_token(const http::Request& request);

// By the cookie; by the bearer token where there is no cookie or it is no good. Looked at once a request:
// limits, bypass and `authenticated` ask.
const std::optional<http::Principal>& caller_of(http::RequestContext& ctx, const sessions::Service& sessions);

}  // namespace kit::app
