// What enforces `idempotent` of a route's row.
#pragma once

#include "modules/audit/audit.hpp"
#include "platform/http/route.hpp"
#include "platform/idempotency/idempotency.hpp"
#include "platform/telemetry/logger.hpp"
#include "platform/telemetry/metrics.hpp"

#include <memory>
#include <string_view>

namespace kit::app {

// What all routes with keys share.
struct Idempotency {
    idempotency::Store* store;  // null: switched off, the header is ignored
    const idempotency::Fingerprints& fingerprints;
    bool strict;  // a reused key is 422, not 409
    Random& random;
    audit::Service& audit;
    telemetry::Logger& logger;
    telemetry::Registry& metrics;
};

std::unique_ptr<http::Middleware> idempotent_middleware(std::string_view scope, const Idempotency& shared);

}  // namespace kit::app
