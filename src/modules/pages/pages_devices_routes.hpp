// The page of a user's devices, and what its buttons do.
#pragma once

#include "modules/pages/pages.hpp"
#include "platform/http/route.hpp"

#include <vector>

namespace kit::pages {

std::vector<http::Route> device_routes(Routes& handlers);

}  // namespace kit::pages
