// The OpenFeature Remote Evaluation Protocol (OFREP): how every OpenFeature SDK asks for flags.
#pragma once

#include "modules/flags/flags.hpp"
#include "platform/http/route.hpp"

#include <vector>

namespace kit::flags {

std::vector<http::Route> ofrep_rows(Service& service);

}  // namespace kit::flags
