#include "platform/limits/cooldown.hpp"
#include "platform/redis/redis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace kit::limits {

namespace {

using std::chrono::milliseconds;

// KEYS: the counter. ARGV: now, window, free, base, multiplier, max, whose failure it is (or nothing), how
// many of those are told apart. Answers the cooldown. The same steps as in memory_cooldowns.cpp.
constexpr redis::Script fail_script{
    .name = "cooldown.fail",
    .source = R"lua(
local now, window, free = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local delay, multiplier, max = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local state = redis.call('HMGET', KEYS[1], 'fail_count', 'last_failure_ms')
local failures = 0
if state[1] then
  if now - tonumber(state[2]) > window then
    redis.call('DEL', KEYS[1])
  else
    failures = tonumber(state[1])
  end
end
failures = failures + 1
if failures <= free then
  delay = 0
elseif multiplier > 1 then
  local left = failures - free - 1
  while left > 0 and delay < max do
    delay = delay * multiplier
    left = left - 1
  end
end
delay = math.floor(math.min(delay, max))
redis.call('HSET', KEYS[1], 'fail_count', failures, 'last_failure_ms', ARGV[1],
  'cooldown_until_ms', string.format('%.0f', now + delay))
if ARGV[7] ~= '' then
  local field = 'by:' .. ARGV[7]
  if redis.call('HEXISTS', KEYS[1], field) == 1 or redis.call('HLEN', KEYS[1]) < 3 + tonumber(ARGV[8]) then
    redis.call('HINCRBY', KEYS[1], field, 1)
  end
end
redis.call('PEXPIRE', KEYS[1], window + delay + 60000)
return delay
)lua",
};

// KEYS and ARGV as above, but for now and window. Takes out what is counted for ARGV[5].
constexpr redis::Script take_out_script{
    .name = "cooldown.take_out",
    .source = R"lua(
local free, delay = tonumber(ARGV[1]), tonumber(ARGV[2])
local multiplier, max = tonumber(ARGV[3]), tonumber(ARGV[4])
local field = 'by:' .. ARGV[5]
local state = redis.call('HMGET', KEYS[1], 'fail_count', 'last_failure_ms', 'cooldown_until_ms', field)
if not state[1] or not state[4] then
  return 0
end
local failures = tonumber(state[1]) - tonumber(state[4])
if failures <= 0 then
  redis.call('DEL', KEYS[1])
  return 0
end
if failures <= free then
  delay = 0
elseif multiplier > 1 then
  local left = failures - free - 1
  while left > 0 and delay < max do
    delay = delay * multiplier
    left = left - 1
  end
end
delay = math.floor(math.min(delay, max))
local till = math.min(tonumber(state[3]), tonumber(state[2]) + delay)
redis.call('HDEL', KEYS[1], field)
redis.call('HSET', KEYS[1], 'fail_count', failures, 'cooldown_until_ms', string.format('%.0f', till))
return failures
)lua",
};

std::int64_t to_ms(Timestamp time)
{
    return std::chrono::floor<milliseconds>(time.time_since_epoch()).count();
}

const redis::Reply& expect(const redis::Reply& reply)
{
    if (reply.kind == redis::Reply::Kind::error) {
        throw redis::RedisUnavailable(redis::Failure::other, "cooldown: " + reply.text);
    }
    return reply;
}

class RedisCooldowns final : public Cooldowns {
public:
    RedisCooldowns(const CooldownSettings& settings, redis::Client& client, std::string prefix)
        : settings_(settings), client_(client), prefix_(std::move(prefix))
    {
    }

    Task<milliseconds> remaining(Attempt attempt, Timestamp now) override
    {
        std::vector<redis::Command> commands;
        for (const auto* name : {&attempt.own, &attempt.shared}) {
            if (!name->empty()) {
                commands.push_back({"HMGET", key(*name), "last_failure_ms", "cooldown_until_ms"});
                commands.back().repeatable();
            }
        }
        milliseconds longest{0};
        for (const auto& reply : co_await client_.run_all(std::move(commands))) {
            longest = std::max(longest, left(expect(reply), to_ms(now)));
        }
        co_return longest;
    }

    Task<milliseconds> fail(Attempt attempt, Timestamp now) override
    {
        auto commands = counting({&attempt.own, &attempt.shared}, attempt.own, now);
        milliseconds longest{0};
        for (const auto& reply : co_await client_.run_all(std::move(commands))) {
            longest = std::max(longest, milliseconds(expect(reply).integer));
        }
        co_return longest;
    }

    Task<void> forgive(Attempt attempt, Timestamp /*now*/) override
    {
        std::vector<redis::Command> commands;
        if (!attempt.own.empty()) {
            commands.push_back({"DEL", key(attempt.own)});
            if (!attempt.shared.empty()) {
                const std::vector<std::string> keys{key(attempt.shared)};
                auto arguments = schedule();
                arguments.push_back(attempt.own);
                commands.emplace_back(take_out_script, keys, arguments);
            }
        }
        for (const auto& reply : co_await client_.run_all(std::move(commands))) {
            expect(reply);
        }
    }

private:
    std::string key(const std::string& name) const { return prefix_ + ":" + name; }

    std::vector<std::string> schedule() const
    {
        return {
            std::to_string(settings_.free_attempts),
            std::to_string(settings_.base.count()),
            fmt::format("{:.17g}", settings_.multiplier),
            std::to_string(settings_.max.count()),
        };
    }

    // One script for each counter: on a cluster they are not on one node.
    std::vector<redis::Command> counting(
        std::initializer_list<const std::string*> names, const std::string& whose, Timestamp now
    ) const
    {
        std::vector<redis::Command> commands;
        for (const auto* name : names) {
            if (name->empty()) {
                continue;
            }
            const std::vector<std::string> keys{key(*name)};
            auto arguments = schedule();
            arguments.insert(
                arguments.begin(), {std::to_string(to_ms(now)), std::to_string(settings_.window.count())}
            );
            arguments.push_back(name == names.begin()[0] ? "" : whose);
            arguments.push_back(std::to_string(attempts_apart_max));
            commands.emplace_back(fail_script, keys, arguments);
        }
        return commands;
    }

    milliseconds left(const redis::Reply& reply, std::int64_t now) const
    {
        if (reply.items.size() != 2 || reply.items[1].kind != redis::Reply::Kind::text) {
            return milliseconds(0);
        }
        const auto last = std::stoll(reply.items[0].text);
        const auto until = std::stoll(reply.items[1].text);
        if (now - last > settings_.window.count()) {
            return milliseconds(0);
        }
        return milliseconds(std::max<std::int64_t>(0, until - now));
    }

    CooldownSettings settings_;
    redis::Client& client_;
    std::string prefix_;
};

}  // namespace

std::unique_ptr<Cooldowns> make_redis_cooldowns(
    const CooldownSettings& settings, redis::Client& client, std::string prefix
)
{
    return std::make_unique<RedisCooldowns>(settings, client, std::move(prefix));
}

}  // namespace kit::limits
