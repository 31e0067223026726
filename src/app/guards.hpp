// What enforces each guard of a route's row.
#pragma once

#include "modules/rbac/rbac.hpp"
#include "modules/sessions/sessions.hpp"
#include "platform/http/route.hpp"
#include "platform/telemetry/logger.hpp"
#include "platform/telemetry/metrics.hpp"

namespace kit::app {

http::GuardBinder bind_guards(
    const sessions::Service& sessions,
    rbac::Service& rbac,
    telemetry::Logger& logger,
    telemetry::Registry& metrics
);

}  // namespace kit::app
