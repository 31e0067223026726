#include "platform/core/encoding.hpp"
#include "platform/idempotency/idempotency.hpp"
#include "platform/redis/redis.hpp"

#include <charconv>
#include <stdexcept>

namespace kit::idempotency {

namespace {

// ARGV: fingerprint, holder, lease in ms. Nothing where the key is the caller's now, else what is kept.
constexpr redis::Script begin_script{
    .name = "idempotency.begin",
    .source = R"(
local kept = redis.call('HMGET', KEYS[1], 'fingerprint', 'status', 'response_status', 'content_type', 'response_body', 'holder')
if kept[1] and kept[6] ~= ARGV[2] then
  return {kept[1], kept[2], kept[3] or '', kept[4] or '', kept[5] or ''}
end
redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'status', 'new', 'holder', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {}
)",
    .repeatable = true
};

// ARGV: holder, status, content type, body, TTL in ms.
constexpr redis::Script complete_script{
    .name = "idempotency.complete",
    .source = R"(
local kept = redis.call('HMGET', KEYS[1], 'holder', 'status')
if kept[1] ~= ARGV[1] then
  return 0
end
if kept[2] == 'new' then
  redis.call('HSET', KEYS[1], 'status', 'completed', 'response_status', ARGV[2], 'content_type', ARGV[3], 'response_body', ARGV[4])
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
end
return 1
)",
    .repeatable = true
};

// ARGV: holder.
constexpr redis::Script release_script{
    .name = "idempotency.release",
    .source = R"(
local kept = redis.call('HMGET', KEYS[1], 'holder', 'status')
if kept[1] == ARGV[1] and kept[2] == 'new' then
  redis.call('DEL', KEYS[1])
end
return 1
)",
    .repeatable = true
};

[[noreturn]] void refuse_reply()
{
    throw redis::RedisUnavailable(redis::Failure::protocol, "an idempotency script answered something else");
}

std::int64_t integer(const redis::Reply& reply)
{
    if (reply.kind != redis::Reply::Kind::integer) {
        refuse_reply();
    }
    return reply.integer;
}

Found judge(const Attempt& attempt, redis::Reply reply)
{
    if (reply.kind != redis::Reply::Kind::array || (!reply.items.empty() && reply.items.size() != 5)) {
        refuse_reply();
    }
    if (reply.items.empty()) {
        return {.state = Found::State::begun};
    }
    if (!constant_time_equal(reply.items[0].text, attempt.fingerprint)) {
        return {.state = Found::State::reused};
    }
    if (reply.items[1].text == "new") {
        return {.state = Found::State::in_progress};
    }
    http::Rendered answer{.status = 0, .content_type = std::move(reply.items[3].text), .body = {}};
    const auto& status = reply.items[2].text;
    std::from_chars(status.data(), status.data() + status.size(), answer.status);
    auto body = base64_decode(reply.items[4].text);
    if (!body || answer.status == 0) {
        refuse_reply();
    }
    answer.body = std::move(*body);
    return {.state = Found::State::completed, .answer = std::move(answer)};
}

class RedisStore final : public Store {
public:
    RedisStore(redis::Client& client, std::string prefix, Times times)
        : client_(client), prefix_(std::move(prefix)), times_(times)
    {
    }

    Task<Found> begin(const Attempt& attempt) override
    {
        auto reply = co_await client_.eval(
            begin_script,
            {key_of(attempt)},
            {attempt.fingerprint, attempt.holder, std::to_string(times_.lease.count())}
        );
        co_return judge(attempt, std::move(reply));
    }

    bool is_transactional() const override { return false; }

    Task<bool> complete(const Attempt& attempt, http::Rendered answer) override
    {
        const auto reply = co_await client_.eval(
            complete_script,
            {key_of(attempt)},
            {attempt.holder,
             std::to_string(answer.status),
             std::move(answer.content_type),
             base64_encode(answer.body),
             std::to_string(times_.ttl.count())}
        );
        co_return integer(reply) == 1;
    }

    Task<bool> complete(db::Transaction&, const Attempt&, http::Rendered) override
    {
        throw std::logic_error("Redis takes no part in a transaction");
    }

    Task<void> release(const Attempt& attempt) override
    {
        integer(co_await client_.eval(release_script, {key_of(attempt)}, {attempt.holder}));
    }

private:
    std::string key_of(const Attempt& attempt) const
    {
        return prefix_ + attempt.scope + ':' + attempt.actor + ':' + attempt.key_hash;
    }

    redis::Client& client_;
    std::string prefix_;
    Times times_;
};

}  // namespace

std::unique_ptr<Store> redis_store(redis::Client& client, std::string prefix, Times times)
{
    return std::make_unique<RedisStore>(client, std::move(prefix), times);
}

}  // namespace kit::idempotency
