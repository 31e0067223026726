#include "modules/flags/flags.hpp"
#include "platform/core/encoding.hpp"
#include "platform/db/database.hpp"
#include "platform/json/json.hpp"

#include <algorithm>
#include <array>

namespace kit::flags {

struct Service::Change {
    Actor actor;
    audit::Event event;
    std::optional<audit::Entry> entry{};
    cache::Epochs::Raised raised{};
};

BOOST_DESCRIBE_STRUCT(Evaluation, (), (key, enabled, source, description))

namespace {

// A set of evaluations as text among the copies that nodes share.
struct Evaluated {
    std::vector<Evaluation> values;
};
BOOST_DESCRIBE_STRUCT(Evaluated, (), (values))

std::string encode(const std::vector<Evaluation>& evaluations)
{
    return json::to_text(Evaluated{.values = evaluations});
}

Service::Evaluations decode(std::string_view text)
{
    auto evaluated = json::read<Evaluated>(text);
    return evaluated ? std::make_shared<const std::vector<Evaluation>>(std::move(evaluated->values))
                     : nullptr;
}

constexpr telemetry::Instrument evaluation_counts{
    .name = "feature_flag.evaluation.events",
    .description = "Evaluations of flags.",
    .attributes = {"mode", "outcome"},
};

constexpr telemetry::Instrument evaluation_times{
    .name = "feature_flag.evaluation.duration",
    .kind = telemetry::InstrumentKind::histogram,
    .unit = "s",
    .description = "Evaluations of flags.",
    .attributes = {"mode", "outcome"},
    .bounds = telemetry::buckets::seconds,
};

constexpr telemetry::Instrument evaluation_cache_counts{
    .name = "feature_flag.evaluation.cache.events",
    .description = "Evaluations of all flags that were, or were not, in the cache.",
    .attributes = {"outcome"},
};

std::size_t size_of(const std::vector<Evaluation>& evaluations)
{
    std::size_t bytes = 0;
    for (const auto& evaluation : evaluations) {
        bytes += sizeof(evaluation) + evaluation.key.size() + evaluation.source.size() +
                 evaluation.description.size();
    }
    return bytes;
}

Error invalid_key()
{
    return Error::invalid("invalid feature flag key");
}

Error no_such_flag()
{
    return Error::not_found("feature flag not found");
}

Error no_such_rule()
{
    return Error::not_found("feature flag rule not found");
}

Error key_exists()
{
    return Error::conflict("feature flag already exists");
}

std::optional<Error> check_description(std::string& description)
{
    if (count_characters(description) > description_characters_max) {
        return Error::invalid("description must be at most 512 characters");
    }
    return std::nullopt;
}

// What was given over what is there, normalised; the first fault in the contract's order.
std::optional<Error> apply(const RuleInput& input, Rule& rule)
{
    static constexpr std::array<std::string_view, 5> types{"user", "role", "org", "environment", "percent"};
    rule.type = to_lower(trim(input.type));
    if (std::ranges::find(types, rule.type) == types.end()) {
        return Error::invalid("invalid feature flag rule type");
    }
    rule.match_value = to_lower(trim(input.match_value.value_or(rule.match_value)));
    rule.percentage = input.percentage.value_or(rule.percentage);
    rule.enabled = input.enabled.value_or(rule.enabled);
    rule.priority = input.priority.value_or(rule.priority);
    if (rule.priority == 0) {
        rule.priority = default_priority;
    }
    if (rule.type == "percent") {
        rule.match_value.clear();
        if (rule.percentage < 0 || rule.percentage > 100) {
            return Error::invalid("invalid feature flag rule value");
        }
        return std::nullopt;
    }
    rule.percentage = 0;
    if (rule.match_value.empty() || count_characters(rule.match_value) > match_value_characters_max) {
        return Error::invalid("invalid feature flag rule value");
    }
    return std::nullopt;
}

constexpr std::string_view read_permission = "feature_flags:read";

struct Names {
    audit::Kind kind;
    std::string_view reason;
    std::string_view target_type;
};

constexpr Names flag_created{{"feature_flag.create", "create"}, "feature_flag_created", "feature_flag"};
constexpr Names flag_updated{{"feature_flag.update", "update"}, "feature_flag_updated", "feature_flag"};
constexpr Names flag_deleted{{"feature_flag.delete", "delete"}, "feature_flag_deleted", "feature_flag"};
constexpr Names rule_created{
    {"feature_flag.rule.create", "create"}, "feature_flag_rule_created", "feature_flag_rule"
};
constexpr Names rule_updated{
    {"feature_flag.rule.update", "update"}, "feature_flag_rule_updated", "feature_flag_rule"
};
constexpr Names rule_deleted{
    {"feature_flag.rule.delete", "delete"}, "feature_flag_rule_deleted", "feature_flag_rule"
};

audit::Event event_of(const Names& names, const Actor& actor, std::int64_t target)
{
    return {
        .kind = names.kind,
        .outcome = audit::outcome::success,
        .reason = names.reason,
        .target_type = names.target_type,
        .target_id = std::to_string(target),
        .actor = actor.user_id
    };
}

}  // namespace

Service::Service(Deps deps, const cache::Copies* copies)
    : deps_(deps),
      operations_(deps.metrics),
      evaluation_events_(deps.metrics, evaluation_counts),
      evaluation_duration_(deps.metrics, evaluation_times),
      cache_events_(deps.metrics, evaluation_cache_counts),
      space_(deps.epochs, "feature_flags"),
      evaluations_(
          space_,
          deps.clock,
          {.ttl = evaluation_time_max,
           .size_of = size_of,
           .copies = copies,
           .codec = {.encode = encode, .decode = decode}}
      )
{
}

// With its audit row and the raised epoch, all at once or not at all.
template <class T, class Body>
Task<Result<T>> Service::change(Change& change, Body body)
{
    struct Attempt {
        Service& service;
        Change& change;
        Body& body;

        Task<Result<T>> run(db::Transaction& transaction)
        {
            auto value = TRY(co_await body(transaction));
            change.entry = service.deps_.audit.entry(change.event, change.actor.origin);
            co_await audit::Repository::insert(transaction, *change.entry);
            change.raised = co_await cache::Epochs::raise(transaction, {service.space_});
            co_return std::move(value);
        }
    };

    Attempt attempt{.service = *this, .change = change, .body = body};
    auto result = co_await deps_.database.transaction([&attempt](db::Transaction& transaction) {
        return attempt.run(transaction);
    });
    if (result) {
        deps_.epochs.publish(change.raised);
        deps_.audit.announce(*change.entry);
    }
    co_return result;
}

// Counts an evaluation when it ends; a refusal and an exception are errors.
template <class T>
Task<T> Service::measured(std::string_view mode, Task<T> evaluation)
{
    struct Call {
        const Service& service;
        std::string_view mode;
        SteadyTime started = service.deps_.clock.steady_now();
        std::string_view outcome = "error";

        ~Call()
        {
            const telemetry::Attributes attributes{mode, outcome};
            service.evaluation_events_.add(attributes);
            service.evaluation_duration_.record(
                telemetry::seconds_between(started, service.deps_.clock.steady_now()), attributes
            );
        }
    };

    Call call{.service = *this, .mode = mode};
    auto result = co_await std::move(evaluation);
    if (result) {
        call.outcome = "success";
    }
    co_return result;
}

Task<Subject> Service::subject(std::int64_t user_id, std::string org, std::string environment)
{
    Subject subject{
        .user_id = user_id,
        .roles = {},
        .org = std::string(trim(org)),
        .environment = std::string(trim(environment))
    };
    if (const auto authority = co_await deps_.rbac.authority(user_id)) {
        subject.roles = authority->roles;
    }
    co_return subject;
}

Task<Result<Subject>> Service::subject_for(
    std::int64_t caller_id, std::int64_t user_id, std::string org, std::string environment
)
{
    if (user_id != caller_id) {
        const auto authority = co_await deps_.rbac.authority(caller_id);
        if (!authority || !authority->allows(read_permission)) {
            std::string details;
            json::object(details).field("required", read_permission);
            co_return failure(Error::forbidden("insufficient permission").with_details(std::move(details)));
        }
    }
    co_return co_await subject(user_id, std::move(org), std::move(environment));
}

Task<Service::Evaluations> Service::evaluate_all(Subject subject)
{
    return measured("all", try_evaluate_all(std::move(subject)));
}

Task<Service::Evaluations> Service::try_evaluate_all(Subject subject)
{
    const auto read =
        co_await evaluations_.read(subject_key(subject), [&] { return read_evaluations(subject); });
    cache_events_.add({read.outcome == cache::Outcome::hit ? "hit" : "miss"});
    co_return read.value;
}

Task<Service::Evaluations> Service::read_evaluations(const Subject& subject)
{
    std::vector<Evaluation> evaluations;
    for (const auto& flag : co_await operations_("feature_flag", "list", Repository::list(deps_.database))) {
        evaluations.push_back(evaluate(flag, subject));
    }
    co_return std::make_shared<const std::vector<Evaluation>>(std::move(evaluations));
}

Task<Result<Evaluation>> Service::evaluate_one(std::string key, Subject subject)
{
    return measured("single", try_evaluate_one(std::move(key), std::move(subject)));
}

Task<Result<Evaluation>> Service::try_evaluate_one(std::string key, Subject subject)
{
    const auto wanted = normalise_key(key);
    if (wanted.empty()) {
        co_return failure(invalid_key());
    }
    const auto flag =
        co_await operations_("feature_flag", "find_by_key", Repository::find_by_key(deps_.database, wanted));
    if (!flag) {
        co_return failure(no_such_flag());
    }
    co_return evaluate(*flag, subject);
}

Task<std::vector<Flag>> Service::list()
{
    return operations_("feature_flag", "list", Repository::list(deps_.database));
}

Task<Result<Flag>> Service::find(std::int64_t id)
{
    auto flag = co_await operations_("feature_flag", "find_by_id", Repository::find(deps_.database, id));
    if (!flag) {
        co_return failure(no_such_flag());
    }
    co_return std::move(*flag);
}

Task<Result<Flag>> Service::create(NewFlag flag, Actor actor)
{
    flag.key = normalise_key(flag.key);
    if (flag.key.empty()) {
        co_return failure(invalid_key());
    }
    if (auto fault = check_description(flag.description)) {
        co_return failure(std::move(*fault));
    }
    Change made{.actor = actor, .event = event_of(flag_created, actor, 0)};
    made.event.extras = {{"key", flag.key}};
    co_return co_await change<Flag>(made, [&](db::Transaction& transaction) {
        return create_in(transaction, flag, made);
    });
}

Task<Result<Flag>> Service::create_in(db::Transaction& transaction, const NewFlag& flag, Change& change)
{
    auto created = co_await operations_(
        "feature_flag", "create", Repository::insert(transaction, flag, deps_.clock.now())
    );
    if (!created) {
        co_return failure(key_exists());
    }
    change.event.target_id = std::to_string(created->id);
    co_return std::move(*created);
}

Task<Result<Flag>> Service::update(std::int64_t id, FlagChange wanted, Actor actor)
{
    wanted.key = normalise_key(wanted.key);
    if (wanted.key.empty()) {
        co_return failure(invalid_key());
    }
    if (auto fault = wanted.description ? check_description(*wanted.description) : std::nullopt) {
        co_return failure(std::move(*fault));
    }
    Change made{.actor = actor, .event = event_of(flag_updated, actor, id)};
    made.event.extras = {{"key", wanted.key}};
    co_return co_await change<Flag>(made, [&](db::Transaction& transaction) {
        return update_in(transaction, id, wanted);
    });
}

Task<Result<Flag>> Service::update_in(db::Transaction& transaction, std::int64_t id, const FlagChange& wanted)
{
    if (!co_await Repository::find(transaction, id)) {
        co_return failure(no_such_flag());
    }
    if (co_await Repository::key_taken(transaction, wanted.key, id)) {
        co_return failure(key_exists());
    }
    co_await operations_(
        "feature_flag", "update", Repository::update(transaction, id, wanted, deps_.clock.now())
    );
    auto stored = co_await Repository::find(transaction, id);
    co_return std::move(stored.value());
}

Task<Result<void>> Service::remove(std::int64_t id, Actor actor)
{
    Change made{.actor = actor, .event = event_of(flag_deleted, actor, id)};
    const auto removed =
        co_await change<bool>(made, [&](db::Transaction& transaction) { return remove_in(transaction, id); });
    if (!removed) {
        co_return failure(removed.error());
    }
    co_return Result<void>();
}

Task<Result<bool>> Service::remove_in(db::Transaction& transaction, std::int64_t id)
{
    if (!co_await operations_("feature_flag", "delete", Repository::remove(transaction, id))) {
        co_return failure(no_such_flag());
    }
    co_return true;
}

Task<Result<std::vector<Rule>>> Service::rules(std::int64_t flag_id)
{
    auto flag = co_await operations_("feature_flag_rule", "list", Repository::find(deps_.database, flag_id));
    if (!flag) {
        co_return failure(no_such_flag());
    }
    co_return std::move(flag->rules).value_or(std::vector<Rule>());
}

Task<Result<Rule>> Service::create_rule(std::int64_t flag_id, RuleInput input, Actor actor)
{
    Rule rule{.feature_flag_id = flag_id};
    if (auto fault = apply(input, rule)) {
        co_return failure(std::move(*fault));
    }
    Change made{.actor = actor, .event = event_of(rule_created, actor, 0)};
    made.event.extras = {{"feature_flag_id", std::to_string(flag_id)}};
    co_return co_await change<Rule>(made, [&](db::Transaction& transaction) {
        return create_rule_in(transaction, rule, made);
    });
}

Task<Result<Rule>> Service::create_rule_in(db::Transaction& transaction, const Rule& rule, Change& change)
{
    if (!co_await Repository::find(transaction, rule.feature_flag_id)) {
        co_return failure(no_such_flag());
    }
    auto created = co_await operations_(
        "feature_flag_rule", "create", Repository::insert_rule(transaction, rule, deps_.clock.now())
    );
    change.event.target_id = std::to_string(created.id);
    co_return std::move(created);
}

Task<Result<Rule>> Service::update_rule(RuleId id, RuleInput input, Actor actor)
{
    Change made{.actor = actor, .event = event_of(rule_updated, actor, id.rule_id)};
    made.event.extras = {{"feature_flag_id", std::to_string(id.flag_id)}};
    co_return co_await change<Rule>(made, [&](db::Transaction& transaction) {
        return update_rule_in(transaction, id, input);
    });
}

Task<Result<Rule>> Service::update_rule_in(
    db::Transaction& transaction, const RuleId& id, const RuleInput& input
)
{
    auto rule = co_await Repository::find_rule(transaction, id.flag_id, id.rule_id);
    // What is wrong with the request itself is said first, whether there is such a rule or not.
    Rule wanted = rule.value_or(Rule{.feature_flag_id = id.flag_id});
    if (auto fault = apply(input, wanted)) {
        co_return failure(std::move(*fault));
    }
    if (!rule) {
        co_return failure(no_such_rule());
    }
    co_return co_await operations_(
        "feature_flag_rule", "update", Repository::update_rule(transaction, wanted, deps_.clock.now())
    );
}

Task<Result<void>> Service::remove_rule(RuleId id, Actor actor)
{
    Change made{.actor = actor, .event = event_of(rule_deleted, actor, id.rule_id)};
    made.event.extras = {{"feature_flag_id", std::to_string(id.flag_id)}};
    const auto removed = co_await change<bool>(made, [&](db::Transaction& transaction) {
        return remove_rule_in(transaction, id);
    });
    if (!removed) {
        co_return failure(removed.error());
    }
    co_return Result<void>();
}

Task<Result<bool>> Service::remove_rule_in(db::Transaction& transaction, const RuleId& id)
{
    const bool removed = co_await operations_(
        "feature_flag_rule", "delete", Repository::remove_rule(transaction, id.flag_id, id.rule_id)
    );
    if (!removed) {
        co_return failure(no_such_rule());
    }
    co_return true;
}

}  // namespace kit::flags
