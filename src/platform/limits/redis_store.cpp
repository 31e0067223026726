#include "platform/limits/redis_store.hpp"

#include "platform/redis/redis.hpp"

#include <algorithm>

namespace kit::limits {

namespace {

// The steps of MemoryStore, in the same order and with the same numbers: a test runs both side by side. KEYS:
// bucket and log of each limit. ARGV: now, then limit, full, refill, window and fill of each. Answers four
// numbers for each that was counted: admitted, tokens, admissions in the window, and the one that leaves
// next.
constexpr redis::Script take_script{
    .name = "limits.take",
    .source = R"lua(
local token, windowed_limit_max, clock_step_max = 60000000, 65536, 60000000
local now = tonumber(ARGV[1])
local answers = {}
for i = 1, #KEYS / 2 do
  local bucket, log = KEYS[i * 2 - 1], KEYS[i * 2]
  local at = i * 5 - 4
  local limit, full, refill = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local window, fill = tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])
  local windowed = limit <= windowed_limit_max
  local state = redis.call('HMGET', bucket, 'tokens', 'last', 'seq')
  local tokens, last, seq = full, now, 0
  if state[1] then
    tokens, last, seq = tonumber(state[1]), tonumber(state[2]), tonumber(state[3])
    if last - now > clock_step_max then
      redis.call('DEL', log)
      tokens, last = full, now
    end
  end
  tokens = math.min(full, tokens + math.max(0, math.min(now - last, fill)) * refill)
  last = math.max(last, now)
  local logged = 0
  if windowed then
    redis.call('ZREMRANGEBYSCORE', log, '-inf', string.format('%.0f', now - window))
    logged = redis.call('ZCARD', log)
  else
    redis.call('DEL', log)
  end
  local admitted = tokens >= token and logged < limit
  if admitted then
    tokens = tokens - token
    if windowed then
      seq = seq + 1
      redis.call('ZADD', log, ARGV[1], ARGV[1] .. '-' .. seq)
      logged = logged + 1
    end
  end
  redis.call('HSET', bucket, 'tokens', string.format('%.0f', tokens), 'last', string.format('%.0f', last), 'seq', seq)
  local expiry = math.ceil(math.max(window, fill) / 1000)
  redis.call('PEXPIRE', bucket, expiry)
  local leaving = now
  if logged > 0 then
    redis.call('PEXPIRE', log, expiry)
    local place = math.max(0, logged - limit)
    leaving = tonumber(redis.call('ZRANGE', log, place, place, 'WITHSCORES')[2])
  end
  table.insert(answers, admitted and 1 or 0)
  table.insert(answers, tokens)
  table.insert(answers, logged)
  table.insert(answers, leaving)
  if not admitted then
    break
  end
end
return answers
)lua",
};

constexpr std::size_t numbers_per_answer = 4;

void append_arguments(std::vector<std::string>& arguments, const Quota& quota)
{
    for (const auto number : {quota.limit, quota.full, quota.refill, quota.window, quota.fill}) {
        arguments.push_back(std::to_string(number));
    }
}

Verdict read_verdict(const Quota& quota, const redis::Reply* answer, std::int64_t now)
{
    const Standing standing{
        .now = now,
        .tokens = answer[1].integer,
        .logged = answer[2].integer,
        .leaving = answer[3].integer,
    };
    return judge(quota, standing, answer[0].integer == 1);
}

}  // namespace

std::string RedisStore::key(const Charge& charge) const
{
    std::string key;
    key.reserve(prefix_.size() + charge.suffix.size() + charge.client.size() + 4);
    key.append(prefix_).append(":").append(charge.suffix).append(":{").append(charge.client).append("}");
    return key;
}

Task<std::vector<Verdict>> RedisStore::take(std::vector<Charge> charges, std::int64_t now)
{
    std::vector<Verdict> verdicts;
    for (auto first = charges.begin(); first != charges.end();) {
        const auto end = std::find_if(first, charges.end(), [&](const Charge& charge) {
            return charge.client != first->client;
        });
        std::vector<std::string> keys;
        std::vector<std::string> arguments{std::to_string(now)};
        for (auto charge = first; charge != end; ++charge) {
            keys.push_back(key(*charge));
            keys.push_back(keys.back() + ":sw");
            append_arguments(arguments, charge->quota);
        }
        const auto reply = co_await client_.eval(take_script, std::move(keys), std::move(arguments));
        const auto counted = reply.items.size() / numbers_per_answer;
        if (reply.kind != redis::Reply::Kind::array || counted == 0) {
            throw redis::RedisUnavailable(redis::Failure::other, "limits.take: " + reply.text);
        }
        for (std::size_t index = 0; index < counted; ++index, ++first) {
            verdicts.push_back(read_verdict(first->quota, &reply.items[index * numbers_per_answer], now));
        }
        if (!verdicts.back().admitted) {
            break;
        }
    }
    co_return verdicts;
}

}  // namespace kit::limits
