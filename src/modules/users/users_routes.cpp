#include "modules/users/users.hpp"
#include "modules/users/users_metadata.hpp"
#include "platform/http/body.hpp"
#include "platform/http/route.hpp"

namespace kit::users {

namespace {

Task<http::Reply> me(Service& service, http::RequestContext& ctx)
{
    const auto user = TRY(co_await service.find(ctx.principal.user_id));
    co_return http::ok(user);
}

}  // namespace

std::vector<http::Route> routes(Service& service)
{
    using namespace http;
    return {
        {Method::get,
         "/api/v1/me",
         {authenticated},
         http::bind(me, service),
         {.summary = "The signed-in user"}},
    };
}

}  // namespace kit::users
