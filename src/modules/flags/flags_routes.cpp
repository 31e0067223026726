#include "modules/flags/flags.hpp"
#include "platform/http/body.hpp"
#include "platform/http/paging.hpp"
#include "platform/http/route.hpp"

namespace kit::flags {

BOOST_DESCRIBE_STRUCT(
    Rule, (), (id, feature_flag_id, type, match_value, percentage, enabled, priority, created_at, updated_at)
)
BOOST_DESCRIBE_STRUCT(Flag, (), (id, key, description, enabled, rules, created_at, updated_at))
BOOST_DESCRIBE_STRUCT(NewFlag, (), (key, description, enabled))
BOOST_DESCRIBE_STRUCT(FlagChange, (), (key, description, enabled))
BOOST_DESCRIBE_STRUCT(RuleInput, (), (type, match_value, percentage, enabled, priority))
BOOST_DESCRIBE_STRUCT(Evaluation, (), (key, enabled, source, description))

namespace {

struct Flags {
    std::vector<Flag> items;
};
BOOST_DESCRIBE_STRUCT(Flags, (), (items))

struct Rules {
    std::vector<Rule> items;
};
BOOST_DESCRIBE_STRUCT(Rules, (), (items))

struct EvaluationList {
    std::span<const Evaluation> items;
};
BOOST_DESCRIBE_STRUCT(EvaluationList, (), (items))

struct Deleted {
    bool deleted = true;
};
BOOST_DESCRIBE_STRUCT(Deleted, (), (deleted))

Actor actor_of(const http::RequestContext& ctx)
{
    return {.user_id = ctx.principal.user_id, .origin = audit::origin_of(ctx)};
}

Result<std::int64_t> flag_id(const http::RequestContext& ctx)
{
    const auto id = http::path_id(ctx, "id");
    if (!id) {
        return failure(Error::invalid("invalid flag id"));
    }
    return *id;
}

Task<Result<Service::RuleId>> rule_id(const http::RequestContext& ctx)
{
    const auto flag = TRY(flag_id(ctx));
    const auto rule = http::path_id(ctx, "rule_id");
    if (!rule) {
        co_return failure(Error::invalid("invalid rule id"));
    }
    co_return Service::RuleId{.flag_id = flag, .rule_id = *rule};
}

Task<Subject> subject_of(Service& service, http::RequestContext& ctx)
{
    return service.subject(
        ctx.principal.user_id, http::text_parameter(ctx, "org"), http::text_parameter(ctx, "environment")
    );
}

Task<http::Reply> evaluate_all(Service& service, http::RequestContext& ctx)
{
    auto subject = co_await subject_of(service, ctx);
    const auto evaluations = co_await service.evaluate_all(std::move(subject));
    co_return http::ok(EvaluationList{*evaluations});
}

Task<http::Reply> evaluate_one(Service& service, http::RequestContext& ctx)
{
    std::string key(ctx.path_parameter("key"));
    auto subject = co_await subject_of(service, ctx);
    co_return http::ok(TRY(co_await service.evaluate_one(std::move(key), std::move(subject))));
}

Task<http::Reply> list(Service& service, http::RequestContext& /*ctx*/)
{
    co_return http::ok(Flags{co_await service.list()});
}

Task<http::Reply> get(Service& service, http::RequestContext& ctx)
{
    const auto id = TRY(flag_id(ctx));
    co_return http::ok(TRY(co_await service.find(id)));
}

Task<http::Reply> create(Service& service, http::RequestContext& ctx)
{
    auto flag = TRY(ctx.json<NewFlag>());
    co_return http::created(TRY(co_await service.create(std::move(flag), actor_of(ctx))));
}

Task<http::Reply> update(Service& service, http::RequestContext& ctx)
{
    const auto id = TRY(flag_id(ctx));
    auto change = TRY(ctx.json<FlagChange>());
    co_return http::ok(TRY(co_await service.update(id, std::move(change), actor_of(ctx))));
}

Task<http::Reply> remove(Service& service, http::RequestContext& ctx)
{
    const auto id = TRY(flag_id(ctx));
    const auto removed = co_await service.remove(id, actor_of(ctx));
    if (!removed) {
        co_return failure(removed.error());
    }
    co_return http::ok(Deleted());
}

Task<http::Reply> list_rules(Service& service, http::RequestContext& ctx)
{
    const auto id = TRY(flag_id(ctx));
    co_return http::ok(Rules{TRY(co_await service.rules(id))});
}

Task<http::Reply> create_rule(Service& service, http::RequestContext& ctx)
{
    const auto id = TRY(flag_id(ctx));
    auto input = TRY(ctx.json<RuleInput>());
    co_return http::created(TRY(co_await service.create_rule(id, std::move(input), actor_of(ctx))));
}

Task<http::Reply> update_rule(Service& service, http::RequestContext& ctx)
{
    const auto id = TRY(co_await rule_id(ctx));
    auto input = TRY(ctx.json<RuleInput>());
    co_return http::ok(TRY(co_await service.update_rule(id, std::move(input), actor_of(ctx))));
}

Task<http::Reply> remove_rule(Service& service, http::RequestContext& ctx)
{
    const auto id = TRY(co_await rule_id(ctx));
    const auto removed = co_await service.remove_rule(id, actor_of(ctx));
    if (!removed) {
        co_return failure(removed.error());
    }
    co_return http::ok(Deleted());
}

}  // namespace

std::vector<http::Route> routes(Service& service)
{
    using namespace http;
    const Guard read = permission("feature_flags:read");
    const Guard write = permission("feature_flags:write");
    return {
        {Method::get,
         "/api/v1/feature-flags",
         {authenticated},
         http::bind(evaluate_all, service),
         {.summary = "All flags as the signed-in user sees them"}},
        {Method::get,
         "/api/v1/feature-flags/{key}",
         {authenticated},
         http::bind(evaluate_one, service),
         {.summary = "One flag as the signed-in user sees it"}},
        {Method::get,
         "/api/v1/admin/feature-flags",
         {authenticated, read},
         http::bind(list, service),
         {.summary = "List flags with their rules"}},
        {Method::get,
         "/api/v1/admin/feature-flags/{id}",
         {authenticated, read},
         http::bind(get, service),
         {.summary = "One flag with its rules"}},
        {Method::post,
         "/api/v1/admin/feature-flags",
         {authenticated, write, limited(Policy::admin_write)},
         http::bind(create, service),
         {.summary = "Create a flag", .success = 201}},
        {Method::patch,
         "/api/v1/admin/feature-flags/{id}",
         {authenticated, write, limited(Policy::admin_write)},
         http::bind(update, service),
         {.summary = "Change a flag; what is absent stays as it is"}},
        {Method::del,
         "/api/v1/admin/feature-flags/{id}",
         {authenticated, write, limited(Policy::admin_write)},
         http::bind(remove, service),
         {.summary = "Delete a flag with its rules"}},
        {Method::get,
         "/api/v1/admin/feature-flags/{id}/rules",
         {authenticated, read},
         http::bind(list_rules, service),
         {.summary = "A flag's rules"}},
        {Method::post,
         "/api/v1/admin/feature-flags/{id}/rules",
         {authenticated, write, limited(Policy::admin_write)},
         http::bind(create_rule, service),
         {.summary = "Add a rule", .success = 201}},
        {Method::patch,
         "/api/v1/admin/feature-flags/{id}/rules/{rule_id}",
         {authenticated, write, limited(Policy::admin_write)},
         http::bind(update_rule, service),
         {.summary = "Change a rule; what is absent stays as it is"}},
        {Method::del,
         "/api/v1/admin/feature-flags/{id}/rules/{rule_id}",
         {authenticated, write, limited(Policy::admin_write)},
         http::bind(remove_rule, service),
         {.summary = "Delete a rule"}},
    };
}

}  // namespace kit::flags
