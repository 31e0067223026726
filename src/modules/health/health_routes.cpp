#include "modules/health/health.hpp"
#include "platform/http/body.hpp"
#include "platform/http/route.hpp"

namespace kit::health {

BOOST_DESCRIBE_STRUCT(CheckResult, (), (name, healthy, error))

namespace {

struct Ready {
    std::vector<CheckResult> checks;
    std::string status = "ready";
};
BOOST_DESCRIBE_STRUCT(Ready, (), (checks, status))

struct NotReady {
    std::vector<CheckResult> checks;
};
BOOST_DESCRIBE_STRUCT(NotReady, (), (checks))

Task<http::Reply> live(Service&, http::RequestContext&)
{
    co_return http::ok(http::StatusBody{"ok"});
}

Task<http::Reply> ready(Service& service, http::RequestContext&)
{
    auto readiness = co_await service.readiness();
    if (readiness.ready) {
        co_return http::ok(Ready{.checks = std::move(readiness.checks)});
    }
    std::string details;
    json::write(details, NotReady{std::move(readiness.checks)});
    co_return failure(
        Error(ErrorCode::unavailable, "dependencies are not ready").with_details(std::move(details))
    );
}

}  // namespace

std::vector<http::Route> routes(Service& service)
{
    using namespace http;
    return {
        {Method::get,
         "/health/live",
         {},
         http::bind(live, service),
         {.summary = "The process runs", .ok = data<StatusBody>},
         {.always_answered = true}},
        {Method::get,
         "/health/ready",
         {},
         http::bind(ready, service),
         {.summary = "The process and what it needs are ready",
          .ok = data<Ready>,
          .refusals =
              {{503, "A dependency is away, or the process starts or stops; `details` lists the checks"}}},
         {.always_answered = true}},
    };
}

}  // namespace kit::health
