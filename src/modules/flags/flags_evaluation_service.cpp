#include "modules/flags/flags.hpp"
#include "platform/core/encoding.hpp"
#include "platform/crypto/hash.hpp"

#include <algorithm>
#include <array>

namespace kit::flags {

namespace {

// The order in which types decide, whatever the rules' priorities.
constexpr std::array<std::string_view, 5> types{"user", "role", "org", "environment", "percent"};

bool matches(const Rule& rule, const Flag& flag, const Subject& subject)
{
    if (rule.type == "user") {
        return rule.match_value == std::to_string(subject.user_id);
    }
    if (rule.type == "role") {
        const auto wanted = to_lower(trim(rule.match_value));
        return std::ranges::any_of(subject.roles, [&wanted](const std::string& role) {
            return to_lower(trim(role)) == wanted;
        });
    }
    if (rule.type == "org") {
        return equal_ignoring_case(rule.match_value, subject.org);
    }
    if (rule.type == "environment") {
        return equal_ignoring_case(rule.match_value, subject.environment);
    }
    if (rule.percentage >= 100) {
        return true;
    }
    return rule.percentage > 0 && subject.user_id != 0 &&
           percent_bucket(flag.id, subject.user_id) < rule.percentage;
}

}  // namespace

std::string normalise_key(std::string_view key)
{
    auto text = to_lower(trim(key));
    const auto sound = [](char character) {
        return (character >= 'a' && character <= 'z') || (character >= '0' && character <= '9') ||
               character == '_' || character == '-';
    };
    const bool good = !text.empty() && text.size() <= key_characters_max && text.front() != '_' &&
                      text.front() != '-' && std::ranges::all_of(text, sound);
    return good ? text : std::string();
}

// Of the hash's 16-bit numbers the first below 65,500, so that every bucket is equally likely.
int percent_bucket(std::int64_t flag_id, std::int64_t user_id)
{
    constexpr unsigned fair_below = 65'500;
    const auto digest = sha256(std::to_string(flag_id) + ':' + std::to_string(user_id));
    const auto number = [&digest](std::size_t index) {
        return std::to_integer<unsigned>(digest[2 * index]) * 256 +
               std::to_integer<unsigned>(digest[2 * index + 1]);
    };
    for (std::size_t index = 0; index < digest.size() / 2; ++index) {
        if (number(index) < fair_below) {
            return static_cast<int>(number(index) % 100);
        }
    }
    return static_cast<int>(number(0) % 100);
}

Evaluation evaluate(const Flag& flag, const Subject& subject)
{
    Evaluation evaluation{
        .key = flag.key, .enabled = flag.enabled, .source = "default", .description = flag.description
    };
    if (!flag.rules) {
        return evaluation;
    }
    for (const auto type : types) {
        const auto rule = std::ranges::find_if(*flag.rules, [&](const Rule& candidate) {
            return candidate.type == type && matches(candidate, flag, subject);
        });
        if (rule != flag.rules->end()) {
            evaluation.enabled = rule->enabled;
            evaluation.source = "rule:" + std::string(type);
            return evaluation;
        }
    }
    return evaluation;
}

std::string subject_key(const Subject& subject)
{
    std::vector<std::string> roles;
    for (const auto& role : subject.roles) {
        roles.push_back(to_lower(trim(role)));
    }
    std::ranges::sort(roles);
    auto key = "u:" + std::to_string(subject.user_id) + "|roles:";
    for (const auto& role : roles) {
        key += role;
        key += ',';
    }
    if (!roles.empty()) {
        key.pop_back();
    }
    return key + "|org:" + to_lower(subject.org) + "|env:" + to_lower(subject.environment);
}

std::string evaluations_tag(std::string_view subject_key, std::string_view body)
{
    std::string text(subject_key);
    text += '\n';
    text += body;
    return '"' + sha256_hex(text) + '"';
}

}  // namespace kit::flags
