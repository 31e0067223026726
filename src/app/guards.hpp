// What enforces each guard of a route's row.
#pragma once

#include "app/idempotency.hpp"
#include "modules/rbac/rbac.hpp"
#include "modules/sessions/sessions.hpp"
#include "platform/http/request_origin.hpp"
#include "platform/http/route.hpp"
#include "platform/limits/limiter.hpp"
#include "platform/telemetry/logger.hpp"
#include "platform/telemetry/metrics.hpp"

namespace kit::app {

// All outlive the binder and what it makes.
struct GuardDeps {
    const sessions::Service& sessions;
    rbac::Service& rbac;
    const Idempotency& idempotency;
    const limits::Limiter& limiter;
    const http::RequestOrigins& origins;
    telemetry::Logger& logger;
    telemetry::Registry& metrics;
};

http::GuardBinder bind_guards(GuardDeps deps);

}  // namespace kit::app
