// `flags`: feature flags, for whom a browser is too far away. Running servers follow within half a second.
#include "command.hpp"
#include "platform/json/json.hpp"
#include "tool.hpp"

#include <fmt/format.h>

#include <charconv>

namespace kit::flags {

BOOST_DESCRIBE_STRUCT(
    Rule, (), (id, feature_flag_id, type, match_value, percentage, enabled, priority, created_at, updated_at)
)
BOOST_DESCRIBE_STRUCT(Flag, (), (id, key, description, enabled, rules, created_at, updated_at))

}  // namespace kit::flags

namespace kit::cmd {

namespace {

// The services, for as long as the command runs.
class FlagsTool {
public:
    explicit FlagsTool(Tool& tool)
        : tool_(tool),
          rbac_(
              {.database = tool.database(),
               .clock = tool.clock(),
               .random = tool.random(),
               .metrics = tool.metrics(),
               .audit = tool.audit(),
               .epochs = tool.epochs(),
               .users = tool.users()},
              app::rbac_settings(tool.config())
          ),
          flags_(
              {.database = tool.database(),
               .clock = tool.clock(),
               .metrics = tool.metrics(),
               .audit = tool.audit(),
               .epochs = tool.epochs(),
               .rbac = rbac_}
          )
    {
    }

    std::vector<flags::Flag> list() { return tool_.run(flags_.list()); }

    Result<flags::Flag> find(std::string_view key)
    {
        const auto wanted = flags::normalise_key(key);
        if (wanted.empty()) {
            return failure(Error::invalid("invalid feature flag key"));
        }
        auto flag = tool_.run(flags::Repository::find_by_key(tool_.database(), wanted));
        if (!flag) {
            return failure(Error::not_found("feature flag not found"));
        }
        return std::move(*flag);
    }

    Result<flags::Flag> create(flags::NewFlag flag) { return tool_.run(flags_.create(std::move(flag), {})); }

    Result<flags::Flag> set(const flags::Flag& flag, bool enabled)
    {
        return tool_.run(flags_.update(flag.id, {.key = flag.key, .description = {}, .enabled = enabled}, {})
        );
    }

    Result<flags::Rule> add_rule(const flags::Flag& flag, flags::RuleInput rule)
    {
        return tool_.run(flags_.create_rule(flag.id, std::move(rule), {}));
    }

    Result<void> remove_rule(const flags::Flag& flag, std::int64_t rule_id)
    {
        return tool_.run(flags_.remove_rule({.flag_id = flag.id, .rule_id = rule_id}, {}));
    }

private:
    Tool& tool_;
    rbac::Service rbac_;
    flags::Service flags_;
};

std::string_view on_off(bool enabled)
{
    return enabled ? "on" : "off";
}

std::optional<bool> parse_on_off(std::string_view text)
{
    if (text == "on") {
        return true;
    }
    return text == "off" ? std::optional(false) : std::nullopt;
}

template <class Number>
std::optional<Number> parse_number(std::string_view text)
{
    Number number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = read.ec == std::errc() && read.ptr == text.data() + text.size();
    return whole ? std::optional(number) : std::nullopt;
}

std::string line_of(const flags::Flag& flag)
{
    const auto rules = flag.rules ? flag.rules->size() : 0;
    auto line = fmt::format("{}: {}", flag.key, on_off(flag.enabled));
    line += rules == 0 ? "" : fmt::format(", {} rule{}", rules, rules == 1 ? "" : "s");
    return flag.description.empty() ? line : fmt::format("{}, {}", line, flag.description);
}

std::string line_of(const flags::Rule& rule)
{
    const auto what = rule.type == "percent" ? fmt::format("{}", rule.percentage) : rule.match_value;
    return fmt::format(
        "rule {}: {}={} gives {}, priority {}", rule.id, rule.type, what, on_off(rule.enabled), rule.priority
    );
}

template <class T>
void tell(Report& report, const T& shown)
{
    report.details.push_back(line_of(shown));
    report.data = json::to_text(shown);
}

void list(FlagsTool& tool, Report& report)
{
    const auto all = tool.list();
    for (const auto& flag : all) {
        report.details.push_back(line_of(flag));
    }
    report.data = json::to_text(all);
}

Result<void> create(FlagsTool& tool, const Arguments& arguments, Report& report)
{
    auto made = tool.create({
        .key = arguments.words[0],
        .description = arguments.value("description", ""),
        .enabled = arguments.has("enabled"),
    });
    if (!made) {
        return failure(made.error());
    }
    tell(report, *made);
    return {};
}

// To the other state, or to the one that is named.
Result<void> toggle(FlagsTool& tool, const Arguments& arguments, Report& report)
{
    const auto flag = tool.find(arguments.words[0]);
    if (!flag) {
        return failure(flag.error());
    }
    auto wanted = std::optional(!flag->enabled);
    if (arguments.words.size() > 1) {
        wanted = parse_on_off(arguments.words[1]);
    }
    if (!wanted) {
        return failure(Error::invalid("the state is on or off, not " + arguments.words[1]));
    }
    const auto changed = tool.set(*flag, *wanted);
    if (!changed) {
        return failure(changed.error());
    }
    tell(report, *changed);
    return {};
}

// "role=admin" or "percent=25", and what else the flags say.
Result<flags::RuleInput> read_rule(const Arguments& arguments)
{
    const auto text = arguments.value("add", "");
    const auto equals = text.find('=');
    const auto value = equals == std::string::npos ? "" : text.substr(equals + 1);
    flags::RuleInput rule{.type = text.substr(0, equals)};
    if (rule.type == "percent") {
        rule.percentage = parse_number<std::int64_t>(value);
        if (!rule.percentage) {
            return failure(Error::invalid("percent needs a whole number, such as percent=25"));
        }
    } else {
        rule.match_value = value;
    }
    rule.enabled = parse_on_off(arguments.value("give", "on"));
    if (!rule.enabled) {
        return failure(Error::invalid("--give is on or off"));
    }
    if (arguments.has("priority")) {
        rule.priority = parse_number<std::int64_t>(arguments.value("priority", ""));
        if (!rule.priority) {
            return failure(Error::invalid("--priority needs a whole number"));
        }
    }
    return rule;
}

Result<void> change_rules(FlagsTool& tool, const flags::Flag& flag, const Arguments& arguments)
{
    if (arguments.has("add")) {
        auto rule = read_rule(arguments);
        if (!rule) {
            return failure(rule.error());
        }
        const auto added = tool.add_rule(flag, std::move(*rule));
        if (!added) {
            return failure(added.error());
        }
    }
    if (arguments.has("remove")) {
        const auto id = parse_number<std::int64_t>(arguments.value("remove", ""));
        if (!id) {
            return failure(Error::invalid("--remove needs a rule's id"));
        }
        return tool.remove_rule(flag, *id);
    }
    return {};
}

Result<void> rules(FlagsTool& tool, const Arguments& arguments, Report& report)
{
    auto flag = tool.find(arguments.words[0]);
    if (!flag) {
        return failure(flag.error());
    }
    if (auto changed = change_rules(tool, *flag, arguments); !changed) {
        return changed;
    }
    flag = tool.find(flag->key);
    if (!flag) {
        return failure(flag.error());
    }
    const auto all = std::move(flag->rules).value_or(std::vector<flags::Rule>());
    for (const auto& rule : all) {
        report.details.push_back(line_of(rule));
    }
    report.data = json::to_text(all);
    return {};
}

}  // namespace

int run_flags(const Arguments& arguments)
{
    const auto title = "flags " + arguments.subcommand;
    if (arguments.subcommand != "list" && arguments.words.empty()) {
        return print({.title = title, .details = {}, .error = "a flag's key is required"}, arguments);
    }
    return run_tool(arguments, title, [&](Tool& tool, Report& report) {
        FlagsTool flags(tool);
        Result<void> done;
        if (arguments.subcommand == "list") {
            list(flags, report);
        } else if (arguments.subcommand == "create") {
            done = create(flags, arguments, report);
        } else if (arguments.subcommand == "toggle") {
            done = toggle(flags, arguments, report);
        } else {
            done = rules(flags, arguments, report);
        }
        if (!done) {
            report.error = done.error().message();
        }
    });
}

}  // namespace kit::cmd
