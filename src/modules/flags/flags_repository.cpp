#include "modules/flags/flags.hpp"
#include "platform/db/database.hpp"
#include "platform/db/rows.hpp"

#include <boost/describe/class.hpp>

namespace kit::flags {

BOOST_DESCRIBE_STRUCT(
    Rule, (), (id, feature_flag_id, type, match_value, percentage, enabled, priority, created_at, updated_at)
)

namespace {

// A line of a flag's join with its rules: the flag's columns repeat.
struct Line {
    std::int64_t id;
    std::string key;
    std::optional<std::string> description;
    bool enabled;
    Timestamp created_at;
    Timestamp updated_at;
    std::optional<std::int64_t> rule_id;
    std::optional<std::string> rule_type;
    std::optional<std::string> match_value;
    std::optional<std::int64_t> percentage;
    std::optional<bool> rule_enabled;
    std::optional<std::int64_t> priority;
    std::optional<Timestamp> rule_created_at;
    std::optional<Timestamp> rule_updated_at;
};
BOOST_DESCRIBE_STRUCT(
    Line,
    (),
    (id,
     key,
     description,
     enabled,
     created_at,
     updated_at,
     rule_id,
     rule_type,
     match_value,
     percentage,
     rule_enabled,
     priority,
     rule_created_at,
     rule_updated_at)
)

#define KIT_FLAG_SELECT                                                                           \
    "SELECT f.id, f.key, f.description, f.enabled, f.created_at, f.updated_at, r.id AS rule_id, " \
    "r.type AS rule_type, r.match_value, r.percentage, r.enabled AS rule_enabled, r.priority, "   \
    "r.created_at AS rule_created_at, r.updated_at AS rule_updated_at "                           \
    "FROM feature_flags f LEFT JOIN feature_flag_rules r ON r.feature_flag_id = f.id "

constexpr db::Query list_flags{
    .name = "flags.list", .sql = KIT_FLAG_SELECT "ORDER BY f.key, r.priority, r.id", .brief = true
};

constexpr db::Query find_flag{
    .name = "flags.find", .sql = KIT_FLAG_SELECT "WHERE f.id = $1 ORDER BY r.priority, r.id", .brief = true
};

constexpr db::Query find_flag_by_key{
    .name = "flags.find_by_key",
    .sql = KIT_FLAG_SELECT "WHERE f.key = $1 ORDER BY r.priority, r.id",
    .brief = true
};

#undef KIT_FLAG_SELECT

constexpr db::Query insert_flag{
    "flags.insert",
    "INSERT INTO feature_flags (key, description, enabled, created_at, updated_at) VALUES ($1, $2, $3, $4, "
    "$4) "
    "ON CONFLICT DO NOTHING RETURNING id"
};

constexpr db::Query find_namesake{
    "flags.key_taken", "SELECT id FROM feature_flags WHERE key = $1 AND id <> $2"
};

constexpr db::Query update_flag{
    "flags.update",
    "UPDATE feature_flags SET key = $2, description = coalesce($3, description), "
    "enabled = coalesce($4, enabled), updated_at = $5 WHERE id = $1"
};

constexpr db::Query delete_flag{"flags.delete", "DELETE FROM feature_flags WHERE id = $1"};

#define KIT_RULE_COLUMNS \
    "id, feature_flag_id, type, match_value, percentage, enabled, priority, created_at, updated_at"

constexpr db::Query find_rule_row{
    "flags.find_rule",
    "SELECT " KIT_RULE_COLUMNS " FROM feature_flag_rules WHERE feature_flag_id = $1 AND id = $2"
};

constexpr db::Query insert_rule_row{
    "flags.insert_rule",
    "INSERT INTO feature_flag_rules (feature_flag_id, type, match_value, percentage, enabled, priority, "
    "created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7) RETURNING " KIT_RULE_COLUMNS
};

constexpr db::Query update_rule_row{
    "flags.update_rule",
    "UPDATE feature_flag_rules SET type = $3, match_value = $4, percentage = $5, enabled = $6, priority = "
    "$7, "
    "updated_at = $8 WHERE feature_flag_id = $1 AND id = $2 RETURNING " KIT_RULE_COLUMNS
};

#undef KIT_RULE_COLUMNS

constexpr db::Query delete_rule_row{
    "flags.delete_rule", "DELETE FROM feature_flag_rules WHERE feature_flag_id = $1 AND id = $2"
};

void add_rule(Flag& flag, Line& line)
{
    auto& rules = flag.rules ? *flag.rules : flag.rules.emplace();
    rules.push_back({
        .id = *line.rule_id,
        .feature_flag_id = flag.id,
        .type = std::move(*line.rule_type),
        .match_value = std::move(line.match_value).value_or(""),
        .percentage = *line.percentage,
        .enabled = *line.rule_enabled,
        .priority = *line.priority,
        .created_at = *line.rule_created_at,
        .updated_at = *line.rule_updated_at,
    });
}

std::vector<Flag> flags_of(std::vector<Line> lines)
{
    std::vector<Flag> flags;
    for (auto& line : lines) {
        if (flags.empty() || flags.back().id != line.id) {
            flags.push_back({
                .id = line.id,
                .key = std::move(line.key),
                .description = std::move(line.description).value_or(""),
                .enabled = line.enabled,
                .rules = std::nullopt,
                .created_at = line.created_at,
                .updated_at = line.updated_at,
            });
        }
        if (line.rule_id) {
            add_rule(flags.back(), line);
        }
    }
    return flags;
}

template <class Row>
std::optional<Row> first(std::vector<Row> rows)
{
    return rows.empty() ? std::nullopt : std::optional(std::move(rows.front()));
}

}  // namespace

Task<std::vector<Flag>> Repository::list(db::Session& session)
{
    co_return flags_of(co_await session.query<Line>(list_flags));
}

Task<std::optional<Flag>> Repository::find(db::Session& session, std::int64_t id)
{
    co_return first(flags_of(co_await session.query<Line>(find_flag, id)));
}

Task<std::optional<Flag>> Repository::find_by_key(db::Session& session, std::string_view key)
{
    co_return first(flags_of(co_await session.query<Line>(find_flag_by_key, key)));
}

Task<std::optional<Flag>> Repository::insert(db::Session& session, const NewFlag& flag, Timestamp now)
{
    const auto ids =
        co_await session.query<std::int64_t>(insert_flag, flag.key, flag.description, flag.enabled, now);
    if (ids.empty()) {
        co_return std::nullopt;
    }
    co_return Flag{
        .id = ids.front(),
        .key = flag.key,
        .description = flag.description,
        .enabled = flag.enabled,
        .rules = std::nullopt,
        .created_at = now,
        .updated_at = now
    };
}

Task<bool> Repository::key_taken(db::Session& session, std::string_view key, std::int64_t besides)
{
    const auto ids = co_await session.query<std::int64_t>(find_namesake, key, besides);
    co_return !ids.empty();
}

Task<void> Repository::update(db::Session& session, std::int64_t id, const FlagChange& change, Timestamp now)
{
    co_await session.execute(update_flag, id, change.key, change.description, change.enabled, now);
}

Task<bool> Repository::remove(db::Session& session, std::int64_t id)
{
    co_return co_await session.execute(delete_flag, id) > 0;
}

Task<std::optional<Rule>> Repository::find_rule(
    db::Session& session, std::int64_t flag_id, std::int64_t rule_id
)
{
    co_return first(co_await session.query<Rule>(find_rule_row, flag_id, rule_id));
}

Task<Rule> Repository::insert_rule(db::Session& session, const Rule& rule, Timestamp now)
{
    auto rows = co_await session.query<Rule>(
        insert_rule_row,
        rule.feature_flag_id,
        rule.type,
        rule.match_value,
        rule.percentage,
        rule.enabled,
        rule.priority,
        now
    );
    co_return std::move(rows.at(0));
}

Task<Rule> Repository::update_rule(db::Session& session, const Rule& rule, Timestamp now)
{
    auto rows = co_await session.query<Rule>(
        update_rule_row,
        rule.feature_flag_id,
        rule.id,
        rule.type,
        rule.match_value,
        rule.percentage,
        rule.enabled,
        rule.priority,
        now
    );
    co_return std::move(rows.at(0));
}

Task<bool> Repository::remove_rule(db::Session& session, std::int64_t flag_id, std::int64_t rule_id)
{
    co_return co_await session.execute(delete_rule_row, flag_id, rule_id) > 0;
}

}  // namespace kit::flags
