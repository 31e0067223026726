// What enforces each guard of a route's row.
#pragma once

#include "modules/sessions/sessions.hpp"
#include "platform/http/route.hpp"

namespace kit::app {

http::GuardBinder bind_guards(const sessions::Service& sessions);

}  // namespace kit::app
