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
    const auto user = co_await service.find(ctx.principal.user_id);
    service.count_profile(user ? "success" : "not_found");
    if (!user) {
        co_return failure(user.error());
    }
    co_return http::ok(*user);
}

constexpr std::array<std::string_view, 3> list_filters{"email", "status", "role"};
constexpr http::ListParameters list_parameters{.fields = list_fields, .filters = list_filters};

Task<http::Reply> list(Service& service, const http::PageTokens& tokens, http::RequestContext& ctx)
{
    auto wanted = TRY(http::read_list_request(ctx, tokens, list_parameters));
    const auto body = co_await service.list({
        .key = cache::list_key(Service::list_namespace, ctx.principal.user_id, parse_form(ctx.request.query)),
        .paging = std::move(wanted.paging),
        .order = wanted.order,
        .filter =
            {.email = to_lower(http::text_parameter(ctx, "email")),
             .status = to_lower(http::text_parameter(ctx, "status")),
             .role = to_lower(http::text_parameter(ctx, "role"))},
        .links = std::move(wanted.links),
    });
    auto response = http::revalidated(ctx.request, body->data, body->etag);
    http::set_links(response, body->links);
    service.lists().answered(response.status == 304);
    co_return response;
}

}  // namespace

std::vector<http::Route> routes(Service& service, const http::PageTokens& tokens)
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
         http::measured_list(service.list_duration(), "admin.users", http::bind(list, service, tokens)),
         {.summary = "List users",
          .ok = data<json::ListOf<User>>,
          .query = http::list_parameters(
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
