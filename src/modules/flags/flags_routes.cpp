#include "modules/flags/flags.hpp"
#include "modules/flags/flags_ofrep_routes.hpp"
#include "platform/http/body.hpp"
#include "platform/http/paging.hpp"
#include "platform/http/route.hpp"

#include <algorithm>
#include <array>
#include <iterator>

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

using http::Field;

constexpr std::string_view key_pattern = R"(^\s*[a-zA-Z0-9][a-zA-Z0-9_\-]{0,127}\s*$)";
constexpr Field key_field{
    .name = "key",
    .note = "letters become small ones",
    .required = true,
    .trimmed = true,
    .pattern = key_pattern
};
constexpr std::array flag_fields{
    key_field,
    Field{.name = "description", .characters_max = description_characters_max},
    Field{.name = "enabled", .note = "the value where no rule matches"},
};
constexpr std::array<std::string_view, 5> rule_types{"user", "role", "org", "environment", "percent"};
constexpr std::array rule_fields{
    Field{.name = "type", .required = true, .one_of = rule_types},
    Field{
        .name = "match_value",
        .note = "demanded but for percent",
        .trimmed = true,
        .characters_max = match_value_characters_max
    },
    Field{.name = "percentage", .note = "of users, for percent", .min = 0, .max = 100},
    Field{.name = "enabled", .note = "the value that the rule gives"},
    Field{.name = "priority", .note = "lower first, among rules of one type; 0 is 100"},
};

const std::vector<Field> hints{
    {.name = "org", .note = "a hint of the caller's"},
    {.name = "environment", .note = "a hint of the caller's"}
};
constexpr http::Refusal no_flag{404, "feature flag not found"};
constexpr http::Refusal no_rule{404, "feature flag rule not found"};
constexpr http::Refusal key_taken{409, "feature flag already exists"};

std::vector<http::Route> evaluation_rows(Service& service)
{
    using namespace http;
    return {
        {Method::get,
         "/api/v1/feature-flags",
         {authenticated},
         http::bind(evaluate_all, service),
         {.summary = "All flags as the signed-in user sees them", .ok = data<EvaluationList>, .query = hints}
        },
        {Method::get,
         "/api/v1/feature-flags/{key}",
         {authenticated},
         http::bind(evaluate_one, service),
         {.summary = "One flag as the signed-in user sees it",
          .ok = data<Evaluation>,
          .query = hints,
          .path = {key_field},
          .refusals = {no_flag}}},
    };
}

std::vector<http::Route> flag_rows(Service& service)
{
    using namespace http;
    const Guard read = permission("feature_flags:read");
    const Guard write = permission("feature_flags:write");
    return {
        {Method::get,
         "/api/v1/admin/feature-flags",
         {authenticated, read},
         http::bind(list, service),
         {.summary = "List flags with their rules", .ok = data<Flags>}},
        {Method::get,
         "/api/v1/admin/feature-flags/{id}",
         {authenticated, read},
         http::bind(get, service),
         {.summary = "One flag with its rules", .ok = data<Flag>, .refusals = {no_flag}}},
        {Method::post,
         "/api/v1/admin/feature-flags",
         {authenticated, write, limited(Policy::admin_write)},
         http::bind(create, service),
         {.summary = "Create a flag",
          .success = 201,
          .ok = data<Flag>,
          .body = body<NewFlag>(flag_fields),
          .refusals = {key_taken}}},
        {Method::patch,
         "/api/v1/admin/feature-flags/{id}",
         {authenticated, write, limited(Policy::admin_write)},
         http::bind(update, service),
         {.summary = "Change a flag; what is absent stays as it is",
          .ok = data<Flag>,
          .body = body<FlagChange>(flag_fields),
          .refusals = {no_flag, key_taken}}},
        {Method::del,
         "/api/v1/admin/feature-flags/{id}",
         {authenticated, write, limited(Policy::admin_write)},
         http::bind(remove, service),
         {.summary = "Delete a flag with its rules", .ok = data<Deleted>, .refusals = {no_flag}}},
    };
}

std::vector<http::Route> rule_rows(Service& service)
{
    using namespace http;
    const Guard write = permission("feature_flags:write");
    return {
        {Method::get,
         "/api/v1/admin/feature-flags/{id}/rules",
         {authenticated, permission("feature_flags:read")},
         http::bind(list_rules, service),
         {.summary = "A flag's rules", .ok = data<Rules>, .refusals = {no_flag}}},
        {Method::post,
         "/api/v1/admin/feature-flags/{id}/rules",
         {authenticated, write, limited(Policy::admin_write)},
         http::bind(create_rule, service),
         {.summary = "Add a rule",
          .success = 201,
          .ok = data<Rule>,
          .body = body<RuleInput>(rule_fields),
          .refusals = {no_flag}}},
        {Method::patch,
         "/api/v1/admin/feature-flags/{id}/rules/{rule_id}",
         {authenticated, write, limited(Policy::admin_write)},
         http::bind(update_rule, service),
         {.summary = "Change a rule; what is absent stays as it is",
          .ok = data<Rule>,
          .body = body<RuleInput>(rule_fields),
          .refusals = {no_rule}}},
        {Method::del,
         "/api/v1/admin/feature-flags/{id}/rules/{rule_id}",
         {authenticated, write, limited(Policy::admin_write)},
         http::bind(remove_rule, service),
         {.summary = "Delete a rule", .ok = data<Deleted>, .refusals = {no_rule}}},
    };
}

}  // namespace

std::vector<http::Route> routes(Service& service)
{
    std::vector<http::Route> rows;
    for (auto more : {evaluation_rows, ofrep_rows, flag_rows, rule_rows}) {
        std::ranges::move(more(service), std::back_inserter(rows));
    }
    return rows;
}

}  // namespace kit::flags
