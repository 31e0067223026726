#include "modules/rbac/rbac.hpp"
#include "modules/users/users_metadata.hpp"
#include "platform/core/encoding.hpp"
#include "platform/http/body.hpp"
#include "platform/http/claim.hpp"
#include "platform/http/conditional.hpp"
#include "platform/http/paging.hpp"
#include "platform/http/route.hpp"
#include "platform/json/paginated.hpp"

#include <algorithm>
#include <array>
#include <iterator>

namespace kit::rbac {

BOOST_DESCRIBE_STRUCT(NewRole, (), (name, description, permissions))
BOOST_DESCRIBE_STRUCT(RoleChange, (), (name, description, permissions))
BOOST_DESCRIBE_STRUCT(UserEffect, (), (user_id, gained, lost))
BOOST_DESCRIBE_STRUCT(Effects, (), (users, complete))

namespace {

struct PermissionBody {
    std::string resource;
    std::string action;
};
BOOST_DESCRIBE_STRUCT(PermissionBody, (), (resource, action))

struct RoleIds {
    std::optional<std::vector<std::uint64_t>> role_ids;
};
BOOST_DESCRIBE_STRUCT(RoleIds, (), (role_ids))

struct RolesSet {
    std::vector<std::uint64_t> role_ids;
    std::int64_t user_id;
};
BOOST_DESCRIBE_STRUCT(RolesSet, (), (role_ids, user_id))

struct RoleDeleted {
    std::int64_t role_id;
    std::string_view status = "deleted";
};
BOOST_DESCRIBE_STRUCT(RoleDeleted, (), (role_id, status))

struct PermissionDeleted {
    std::int64_t permission_id;
    std::string_view status = "deleted";
};
BOOST_DESCRIBE_STRUCT(PermissionDeleted, (), (permission_id, status))

struct SyncReport {
    std::int64_t created_permissions;
    std::int64_t created_roles;
    std::int64_t bound_permissions;
    bool noop;
};
BOOST_DESCRIBE_STRUCT(SyncReport, (), (created_permissions, created_roles, bound_permissions, noop))

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

// What asks for effects only must never change anything by a slip of the pen.
Result<Actor> actor_of(const http::RequestContext& ctx)
{
    Actor actor{.user_id = ctx.principal.user_id, .origin = audit::origin_of(ctx)};
    if (const auto tag = ctx.request.header("if-match")) {
        actor.if_match = std::string(*tag);
    }
    const auto validate_only = http::text_parameter(ctx, "validate_only");
    if (!validate_only.empty() && validate_only != "true" && validate_only != "false") {
        return failure(Error::invalid("validate_only must be true or false"));
    }
    actor.validate_only = validate_only == "true";
    return actor;
}

Result<std::int64_t> id_of(const http::RequestContext& ctx, std::string_view fault)
{
    const auto id = http::path_id(ctx, "id");
    if (!id) {
        return failure(Error::invalid(std::string(fault)));
    }
    return *id;
}

// The entity with its tag, or what would happen.
template <class T>
http::Response answer(int status, const Changed<T>& changed)
{
    if (changed.effects) {
        return http::ok(*changed.effects);
    }
    auto response = http::answer(status, *changed.value);
    response.set("ETag", cache::list_body(response.body, {})->etag);
    return response;
}

template <class T>
http::Response answer_done(const Changed<Nothing>& changed, const T& done)
{
    return changed.effects ? http::ok(*changed.effects) : http::ok(done);
}

constexpr std::array<std::string_view, 1> role_filters{"name"};
constexpr std::array<std::string_view, 2> permission_filters{"resource", "action"};
constexpr http::ListParameters role_parameters{.fields = role_list_fields, .filters = role_filters};
constexpr http::ListParameters permission_parameters{
    .fields = permission_list_fields, .filters = permission_filters
};

Service::ListQuery list_query(
    const http::RequestContext& ctx, const cache::ListCache& lists, http::ListRequest wanted
)
{
    return {
        .key = cache::list_key(lists.space().name(), ctx.principal.user_id, parse_form(ctx.request.query)),
        .paging = std::move(wanted.paging),
        .order = wanted.order,
        .links = std::move(wanted.links)
    };
}

http::Response answer_list(
    const http::RequestContext& ctx, const cache::ListCache& lists, const cache::ListBody& body
)
{
    auto response = http::revalidated(ctx.request, body.data, body.etag);
    http::set_links(response, body.links);
    lists.answered(response.status == 304);
    return response;
}

Task<http::Reply> list_roles(Service& service, const http::PageTokens& tokens, http::RequestContext& ctx)
{
    auto wanted = TRY(http::read_list_request(ctx, tokens, role_parameters));
    const auto& lists = service.role_lists();
    const auto body = co_await service.list_roles(
        list_query(ctx, lists, std::move(wanted)), http::text_parameter(ctx, "name")
    );
    co_return answer_list(ctx, lists, *body);
}

Task<http::Reply> create_role(Service& service, http::RequestContext& ctx)
{
    auto role = TRY(ctx.json<NewRole>());
    // Committed with the role: a repetition gets the same answer.
    const Companion<users::Role> commit = [&ctx](db::Transaction& transaction, const users::Role& made) {
        return http::commit_answer(ctx, transaction, http::created(made));
    };
    auto actor = TRY(actor_of(ctx));
    const auto created = TRY(co_await service.create_role(std::move(role), std::move(actor), commit));
    co_return answer(201, created);
}

Task<http::Reply> update_role(Service& service, http::RequestContext& ctx)
{
    const auto id = TRY(id_of(ctx, "invalid role id"));
    TRY(co_await service.check_role(id, Service::Verb::modify));
    auto change = TRY(ctx.json<RoleChange>());
    auto actor = TRY(actor_of(ctx));
    const auto updated = TRY(co_await service.update_role(id, std::move(change), std::move(actor)));
    co_return answer(200, updated);
}

Task<http::Reply> delete_role(Service& service, http::RequestContext& ctx)
{
    const auto id = TRY(id_of(ctx, "invalid role id"));
    TRY(co_await service.check_role(id, Service::Verb::remove));
    auto actor = TRY(actor_of(ctx));
    const auto deleted = TRY(co_await service.delete_role(id, std::move(actor)));
    co_return answer_done(deleted, RoleDeleted{.role_id = id});
}

Task<http::Reply> list_permissions(
    Service& service, const http::PageTokens& tokens, http::RequestContext& ctx
)
{
    auto wanted = TRY(http::read_list_request(ctx, tokens, permission_parameters));
    const auto& lists = service.permission_lists();
    const auto body = co_await service.list_permissions(
        list_query(ctx, lists, std::move(wanted)),
        {.resource = http::text_parameter(ctx, "resource"), .action = http::text_parameter(ctx, "action")}
    );
    co_return answer_list(ctx, lists, *body);
}

Task<http::Reply> create_permission(Service& service, http::RequestContext& ctx)
{
    const auto body = TRY(ctx.json<PermissionBody>());
    auto actor = TRY(actor_of(ctx));
    const auto created =
        TRY(co_await service.create_permission(parse_permission(body.resource, body.action), std::move(actor))
        );
    co_return answer(201, created);
}

Task<http::Reply> update_permission(Service& service, http::RequestContext& ctx)
{
    const auto id = TRY(id_of(ctx, "invalid permission id"));
    TRY(co_await service.check_permission(id, Service::Verb::modify));
    const auto body = TRY(ctx.json<PermissionBody>());
    auto actor = TRY(actor_of(ctx));
    const auto updated = TRY(
        co_await service.update_permission(id, parse_permission(body.resource, body.action), std::move(actor))
    );
    co_return answer(200, updated);
}

Task<http::Reply> delete_permission(Service& service, http::RequestContext& ctx)
{
    const auto id = TRY(id_of(ctx, "invalid permission id"));
    TRY(co_await service.check_permission(id, Service::Verb::remove));
    auto actor = TRY(actor_of(ctx));
    const auto deleted = TRY(co_await service.delete_permission(id, std::move(actor)));
    co_return answer_done(deleted, PermissionDeleted{.permission_id = id});
}

// An id above what the database gives is one that does not exist.
std::vector<std::int64_t> narrowed(const std::vector<std::uint64_t>& ids)
{
    constexpr auto max = std::numeric_limits<std::int64_t>::max();
    std::vector<std::int64_t> all;
    for (const auto id : ids) {
        all.push_back(std::cmp_greater(id, max) ? max : static_cast<std::int64_t>(id));
    }
    return all;
}

Task<http::Reply> set_roles(Service& service, http::RequestContext& ctx)
{
    const auto id = TRY(id_of(ctx, "invalid user id"));
    auto body = TRY(ctx.json<RoleIds>());
    if (!body.role_ids) {
        co_return failure(Error::invalid("role_ids is required"));
    }
    auto role_ids = narrowed(*body.role_ids);
    const RolesSet done{.role_ids = std::move(*body.role_ids), .user_id = id};
    const Companion<Nothing> commit = [&ctx, &done](db::Transaction& transaction, const Nothing& /*made*/) {
        return http::commit_answer(ctx, transaction, http::ok(done));
    };
    auto actor = TRY(actor_of(ctx));
    const auto set = TRY(co_await service.set_roles(id, std::move(role_ids), std::move(actor), commit));
    co_return answer_done(set, done);
}

Task<http::Reply> sync(Service& service, http::RequestContext& ctx)
{
    auto actor = TRY(actor_of(ctx));
    const auto report = co_await service.sync(std::move(actor));
    co_return http::ok(SyncReport{
        .created_permissions = report.created_permissions,
        .created_roles = report.created_roles,
        .bound_permissions = report.bound_permissions,
        .noop = report.noop()
    });
}

constexpr http::Field name_part{
    .name = "name",
    .trimmed = true,
    .characters_min = 1,
    .characters_max = role_name_characters_max,
};
constexpr http::Field description_part{
    .name = "description", .trimmed = true, .characters_max = role_description_characters_max
};
constexpr http::Field permissions_part{.name = "permissions", .note = "names of the form resource:action"};
constexpr std::array new_role_fields{http::required(name_part), description_part, permissions_part};
constexpr std::array role_change_fields{name_part, description_part, permissions_part};

constexpr http::Field permission_part(std::string_view name)
{
    return {
        .name = name,
        .required = true,
        .trimmed = true,
        .characters_min = 1,
        .characters_max = permission_part_characters_max,
        .pattern = R"(^\s*[a-zA-Z0-9_\-]+\s*$)"
    };
}

constexpr std::array permission_fields{permission_part("resource"), permission_part("action")};
constexpr std::array role_ids_fields{
    http::Field{.name = "role_ids", .note = "all that the user shall have", .required = true}
};

// What all changes here have in common.
const std::vector<http::Field> change_query{
    {.name = "validate_only",
     .note = "true: nothing is changed, the answer tells what would be",
     .kind = http::Field::Kind::boolean}
};
constexpr http::Answer
    effects{200, "With `validate_only=true`: what the change would do to whom", http::data<Effects>};
constexpr http::Refusal no_role{404, "role not found"};
constexpr http::Refusal no_permission{404, "permission not found"};
constexpr http::Refusal kept{403, "Also: it is protected, or the caller would lock himself out"};

std::vector<http::Route> user_rows(Service& service)
{
    using namespace http;
    return {
        {Method::get,
         "/setup/admin",
         {authenticated},
         http::bind(claim_admin, service),
         {.summary =
              "Make the signed-in user the first administrator, by the link that the first start printed",
          .ok = data<StatusBody>,
          .query = {{.name = "token", .required = true}},
          .refusals = {{400, "The token is unknown, used or expired (INVALID_OR_EXPIRED_TOKEN)"}}}},
        {Method::patch,
         "/api/v1/admin/users/{id}/roles",
         {authenticated,
          permission("users:write"),
          limited(Policy::admin_write),
          idempotent("admin.users.roles.patch")},
         http::bind(set_roles, service),
         {.summary = "Replace a user's roles",
          .ok = data<RolesSet>,
          .body = body<RoleIds>(role_ids_fields),
          .query = change_query,
          .also = {effects},
          .refusals = {{403, "Also: the last administrator keeps the role"}, {404, "user not found"}}}},
    };
}

std::vector<http::Route> role_rows(Service& service, const http::PageTokens& tokens)
{
    using namespace http;
    return {
        {Method::get,
         "/api/v1/admin/roles",
         {authenticated, permission("roles:read")},
         http::measured_list(service.list_duration(), "admin.roles", http::bind(list_roles, service, tokens)),
         {.summary = "List roles",
          .ok = data<json::ListOf<users::Role>>,
          .query = list_parameters(role_list_fields, {{.name = "name", .note = "the beginning of the name"}}),
          .tagged = true}},
        {Method::post,
         "/api/v1/admin/roles",
         {authenticated,
          permission("roles:write"),
          limited(Policy::admin_write),
          idempotent("admin.roles.create")},
         http::bind(create_role, service),
         {.summary = "Create a role",
          .success = 201,
          .ok = data<users::Role>,
          .body = body<NewRole>(new_role_fields),
          .query = change_query,
          .also = {effects},
          .refusals = {{409, "Also: role already exists"}},
          .tagged = true}},
        {Method::patch,
         "/api/v1/admin/roles/{id}",
         {authenticated, permission("roles:write"), limited(Policy::admin_write)},
         http::bind(update_role, service),
         {.summary = "Change a role; what is absent stays as it is",
          .ok = data<users::Role>,
          .body = body<RoleChange>(role_change_fields),
          .query = change_query,
          .also = {effects},
          .refusals = {kept, no_role, {409, "role name already exists"}},
          .tagged = true,
          .if_match = true}},
        {Method::del,
         "/api/v1/admin/roles/{id}",
         {authenticated, permission("roles:write"), limited(Policy::admin_write)},
         http::bind(delete_role, service),
         {.summary = "Delete a role",
          .ok = data<RoleDeleted>,
          .query = change_query,
          .also = {effects},
          .refusals = {kept, no_role},
          .if_match = true}},
    };
}

std::vector<http::Route> permission_rows(Service& service, const http::PageTokens& tokens)
{
    using namespace http;
    return {
        {Method::get,
         "/api/v1/admin/permissions",
         {authenticated, permission("permissions:read")},
         http::measured_list(
             service.list_duration(), "admin.permissions", http::bind(list_permissions, service, tokens)
         ),
         {.summary = "List permissions",
          .ok = data<json::ListOf<users::Permission>>,
          .query = list_parameters(
              permission_list_fields,
              {{.name = "resource", .note = "its beginning"}, {.name = "action", .note = "its beginning"}}
          ),
          .tagged = true}},
        {Method::post,
         "/api/v1/admin/permissions",
         {authenticated, permission("permissions:write"), limited(Policy::admin_write)},
         http::bind(create_permission, service),
         {.summary = "Create a permission",
          .success = 201,
          .ok = data<users::Permission>,
          .body = body<PermissionBody>(permission_fields),
          .query = change_query,
          .also = {effects},
          .refusals = {{409, "permission already exists"}},
          .tagged = true}},
        {Method::patch,
         "/api/v1/admin/permissions/{id}",
         {authenticated, permission("permissions:write"), limited(Policy::admin_write)},
         http::bind(update_permission, service),
         {.summary = "Rename a permission",
          .ok = data<users::Permission>,
          .body = body<PermissionBody>(permission_fields),
          .query = change_query,
          .also = {effects},
          .refusals = {kept, no_permission, {409, "permission already exists"}},
          .tagged = true,
          .if_match = true}},
        {Method::del,
         "/api/v1/admin/permissions/{id}",
         {authenticated, permission("permissions:write"), limited(Policy::admin_write)},
         http::bind(delete_permission, service),
         {.summary = "Delete a permission",
          .ok = data<PermissionDeleted>,
          .query = change_query,
          .also = {effects},
          .refusals = {kept, no_permission},
          .if_match = true}},
        {Method::post,
         "/api/v1/admin/rbac/sync",
         {authenticated, permission("roles:write"), limited(Policy::admin_sync)},
         http::bind(sync, service),
         {.summary = "Add what is missing of the default permissions, roles and bindings",
          .ok = data<SyncReport>}},
    };
}

}  // namespace

std::vector<http::Route> routes(Service& service, const http::PageTokens& tokens)
{
    auto rows = user_rows(service);
    for (auto more : {role_rows, permission_rows}) {
        std::ranges::move(more(service, tokens), std::back_inserter(rows));
    }
    return rows;
}

}  // namespace kit::rbac
