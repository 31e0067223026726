#include "modules/rbac/rbac.hpp"
#include "platform/http/body.hpp"
#include "platform/http/route.hpp"

namespace kit::rbac {

namespace {

// A link that a person opens in the browser in which he is signed in; hence GET. The token is the authority,
// and works once.
Task<http::Reply> claim_admin(Service& service, http::RequestContext& ctx)
{
    auto token = ctx.query_parameter("token").value_or("");
    TRY(co_await service.claim_admin(std::move(token), ctx.principal.user_id, audit::origin_of(ctx)));
    auto response = http::ok(http::StatusBody{"admin_granted"});
    response.set("Cache-Control", "no-store");
    co_return response;
}

}  // namespace

std::vector<http::Route> routes(Service& service)
{
    using namespace http;
    return {
        {Method::get,
         "/setup/admin",
         {authenticated},
         http::bind(claim_admin, service),
         {.summary =
              "Make the signed-in user the first administrator, by the link that the first start printed"}},
    };
}

}  // namespace kit::rbac
