#include "modules/users/users.hpp"
#include "modules/users/users_metadata.hpp"
#include "platform/core/encoding.hpp"
#include "platform/http/body.hpp"
#include "platform/http/conditional.hpp"
#include "platform/http/paging.hpp"
#include "platform/http/route.hpp"
#include "platform/json/paginated.hpp"

namespace kit::users {

namespace {

Task<http::Reply> me(Service& service, http::RequestContext& ctx)
{
    const auto user = TRY(co_await service.find(ctx.principal.user_id));
    co_return http::ok(user);
}

Task<http::Reply> list(Service& service, http::RequestContext& ctx)
{
    const auto paging = TRY(http::read_paging(ctx));
    const auto order = TRY(http::read_order(ctx, list_fields));
    const auto body = co_await service.list({
        .key = cache::list_key(ctx.principal.user_id, parse_form(ctx.request.query)),
        .paging = paging,
        .order = order,
        .filter =
            {.email = to_lower(http::text_parameter(ctx, "email")),
             .status = to_lower(http::text_parameter(ctx, "status")),
             .role = to_lower(http::text_parameter(ctx, "role"))},
    });
    auto response = http::revalidated(ctx.request, body->data, body->etag);
    service.lists().answered(response.status == 304);
    co_return response;
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
         {.summary = "The signed-in user", .ok = data<User>, .refusals = {{404, "The user was deleted"}}}},
        {Method::get,
         "/api/v1/admin/users",
         {authenticated, permission("users:read")},
         http::measured_list(service.list_duration(), "admin.users", http::bind(list, service)),
         {.summary = "List users",
          .ok = data<json::ListOf<User>>,
          .query = list_parameters(
              list_fields,
              {{.name = "email", .note = "the beginning of the address"},
               {.name = "status", .note = "exactly, in any case of letters"},
               {.name = "role", .note = "the name of a role, exactly, in any case of letters"}}
          ),
          .tagged = true,
          .note = "Roles come without their permissions."}},
    };
}

}  // namespace kit::users
