// What enforces each guard of a route's row.
#pragma once

#include "modules/sessions/sessions.hpp"
#include "platform/http/route.hpp"
#include "platform/telemetry/metrics.hpp"

namespace kit::app {

http::GuardBinder bind_guards(const sessions::Service& sessions, telemetry::Registry& metrics);

}  // namespace kit::app
