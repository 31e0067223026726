// Feature flags: what they are, who sees what, and how administrators change them.
#pragma once

#include "modules/audit/audit.hpp"
#include "modules/rbac/rbac.hpp"
#include "platform/cache/cache.hpp"
#include "platform/core/clock.hpp"
#include "platform/core/error.hpp"
#include "platform/core/task.hpp"
#include "platform/core/timestamp.hpp"
#include "platform/telemetry/metrics.hpp"
#include "platform/telemetry/repository_operations.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kit::db {
class Database;
class Session;
class Transaction;
}  // namespace kit::db

namespace kit::http {
struct Route;
}  // namespace kit::http

namespace kit::flags {

inline constexpr std::size_t key_characters_max = 128;
inline constexpr std::size_t description_characters_max = 512;
inline constexpr std::size_t match_value_characters_max = 255;
inline constexpr std::int64_t default_priority = 100;

// For whom a flag has another value than its own: the first rule of a type that matches decides.
struct Rule {
    std::int64_t id = 0;
    std::int64_t feature_flag_id = 0;
    std::string type;  // user, role, org, environment or percent
    std::string match_value;
    std::int64_t percentage = 0;               // of users, for percent
    bool enabled = false;                      // the value that the rule gives
    std::int64_t priority = default_priority;  // lower first, among rules of one type
    Timestamp created_at{};
    Timestamp updated_at{};
};

struct Flag {
    std::int64_t id = 0;
    std::string key;
    std::string description;
    bool enabled = false;                    // the value where no rule matches
    std::optional<std::vector<Rule>> rules;  // by priority, then id; absent when there are none
    Timestamp created_at{};
    Timestamp updated_at{};
};

struct NewFlag {
    std::string key;
    std::string description;
    bool enabled = false;
};

// What is absent stays as it is; the key is demanded.
struct FlagChange {
    std::string key;
    std::optional<std::string> description;
    std::optional<bool> enabled;
};

// For a new rule the type, and what it needs, is demanded; in a change of one only the type.
struct RuleInput {
    std::string type;
    std::optional<std::string> match_value;
    std::optional<std::int64_t> percentage;
    std::optional<bool> enabled;
    std::optional<std::int64_t> priority;
};

// Whom flags are evaluated for. Organisation and environment are hints of the caller's.
struct Subject {
    std::int64_t user_id = 0;
    std::vector<std::string> roles;
    std::string org;
    std::string environment;
};

struct Evaluation {
    std::string key;
    bool enabled = false;
    std::string source;  // "rule:<type>" or "default"
    std::string description;
};

// Trimmed and lower-cased; empty where it is no key.
std::string normalise_key(std::string_view key);

// 0 to 99, evenly spread and always the same for the same pair.
int percent_bucket(std::int64_t flag_id, std::int64_t user_id);

Evaluation evaluate(const Flag& flag, const Subject& subject);

// What the evaluation of all flags depends on besides them: "u:1|roles:admin,user|org:x|env:".
std::string subject_key(const Subject& subject);

// The entity tag of what is said of all flags to that subject.
std::string evaluations_tag(std::string_view subject_key, std::string_view body);

class Repository {
public:
    // With their rules, by key. One round trip.
    static Task<std::vector<Flag>> list(db::Session& session);
    static Task<std::optional<Flag>> find(db::Session& session, std::int64_t id);
    static Task<std::optional<Flag>> find_by_key(db::Session& session, std::string_view key);

    // Nothing where the key is taken.
    static Task<std::optional<Flag>> insert(db::Session& session, const NewFlag& flag, Timestamp now);
    static Task<bool> key_taken(db::Session& session, std::string_view key, std::int64_t besides);
    static Task<void> update(db::Session& session, std::int64_t id, const FlagChange& change, Timestamp now);
    static Task<bool> remove(db::Session& session, std::int64_t id);

    static Task<std::optional<Rule>> find_rule(
        db::Session& session, std::int64_t flag_id, std::int64_t rule_id
    );
    static Task<Rule> insert_rule(db::Session& session, const Rule& rule, Timestamp now);

    // The row after the change.
    static Task<Rule> update_rule(db::Session& session, const Rule& rule, Timestamp now);
    static Task<bool> remove_rule(db::Session& session, std::int64_t flag_id, std::int64_t rule_id);
};

struct Actor {
    std::optional<std::int64_t> user_id;  // unset: an operator, by a command
    audit::Origin origin;
};

class Service {
public:
    struct Deps {
        db::Database& database;
        Clock& clock;
        telemetry::Registry& metrics;
        audit::Service& audit;
        cache::Epochs& epochs;
        rbac::Service& rbac;
    };

    using Evaluations = std::shared_ptr<const std::vector<Evaluation>>;

    static constexpr std::chrono::seconds evaluation_time_max{30};  // that a cached evaluation lives

    // `copies`: where nodes share evaluations; null: nowhere.
    explicit Service(Deps deps, const cache::Copies* copies = nullptr);

    // The subject with the roles that the user has now.
    Task<Subject> subject(std::int64_t user_id, std::string org, std::string environment);

    // The same of anybody, for a caller who may ask: the user himself, or who may read flags. forbidden.
    Task<Result<Subject>> subject_for(
        std::int64_t caller_id, std::int64_t user_id, std::string org, std::string environment
    );

    // Of all flags, by key; from the cache where it is there.
    Task<Evaluations> evaluate_all(Subject subject);

    // invalid_input, not_found.
    Task<Result<Evaluation>> evaluate_one(std::string key, Subject subject);

    Task<std::vector<Flag>> list();
    Task<Result<Flag>> find(std::int64_t id);
    Task<Result<Flag>> create(NewFlag flag, Actor actor);
    Task<Result<Flag>> update(std::int64_t id, FlagChange change, Actor actor);
    Task<Result<void>> remove(std::int64_t id, Actor actor);

    // not_found where there is no such flag.
    Task<Result<std::vector<Rule>>> rules(std::int64_t flag_id);
    Task<Result<Rule>> create_rule(std::int64_t flag_id, RuleInput input, Actor actor);

    struct RuleId {
        std::int64_t flag_id;
        std::int64_t rule_id;
    };

    Task<Result<Rule>> update_rule(RuleId id, RuleInput input, Actor actor);
    Task<Result<void>> remove_rule(RuleId id, Actor actor);

private:
    struct Change;

    template <class T, class Body>
    Task<Result<T>> change(Change& change, Body body);
    template <class T>
    Task<T> measured(std::string_view mode, Task<T> evaluation);

    Task<Evaluations> try_evaluate_all(Subject subject);
    Task<Evaluations> read_evaluations(const Subject& subject);
    Task<Result<Evaluation>> try_evaluate_one(std::string key, Subject subject);
    Task<Result<Flag>> create_in(db::Transaction& transaction, const NewFlag& flag, Change& change);
    Task<Result<Flag>> update_in(db::Transaction& transaction, std::int64_t id, const FlagChange& wanted);
    Task<Result<bool>> remove_in(db::Transaction& transaction, std::int64_t id);
    Task<Result<Rule>> create_rule_in(db::Transaction& transaction, const Rule& rule, Change& change);
    Task<Result<Rule>> update_rule_in(db::Transaction& transaction, const RuleId& id, const RuleInput& input);
    Task<Result<bool>> remove_rule_in(db::Transaction& transaction, const RuleId& id);

    Deps deps_;
    telemetry::RepositoryOperations operations_;
    telemetry::Counter evaluation_events_;
    telemetry::Histogram evaluation_duration_;
    telemetry::Counter cache_events_;
    cache::Namespace space_;
    cache::Cache<std::vector<Evaluation>> evaluations_;
};

std::vector<http::Route> routes(Service& service);

}  // namespace kit::flags
