// The pages' style, script and icon, served by ourselves.
#pragma once

#include "platform/http/route.hpp"

#include <vector>

namespace kit::pages {

// Their addresses change with their texts, so that browsers may keep them for good.
const std::string& style_address();
const std::string& script_address();
const std::string& icon_address();

std::vector<http::Route> asset_routes();

}  // namespace kit::pages
