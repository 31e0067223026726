#include "platform/cache/copies.hpp"

#include "platform/core/encoding.hpp"
#include "platform/crypto/seal.hpp"
#include "platform/redis/redis.hpp"

#include <array>
#include <bit>
#include <cstring>

namespace kit::cache {

namespace {

constexpr std::size_t proof_bytes = sizeof(Digest);
constexpr std::size_t head_bytes = proof_bytes + sizeof(std::int64_t);

}  // namespace

std::string redis_key(std::string_view prefix, const CopyName& name)
{
    std::string key(prefix);
    key += ":data:";
    key += name.space;
    key += ':' + std::to_string(name.epoch) + ':' + sha256_hex(name.key);
    return key;
}

Copies::Copies(redis::Client& client, Clock& clock, Options options)
    : client_(client),
      clock_(clock),
      prefix_(std::move(options.prefix)),
      key_(as_text(derive_key(options.secret, "cache.copies")))
{
}

std::string Copies::proof(std::string_view redis_key, std::string_view content) const
{
    std::string text(redis_key);
    text += '\0';
    text += content;
    const auto mac = key_.mac(text);
    return std::string(as_text(mac));
}

// proof, time, value.
Task<std::optional<Copies::Copy>> Copies::find(CopyName name) const
{
    if (!client_.available()) {
        co_return std::nullopt;
    }
    const auto key = redis_key(prefix_, name);
    redis::Reply reply;
    try {
        reply = co_await client_.run(redis::Command({"GET", key}).repeatable());
    } catch (const redis::RedisUnavailable&) {
        co_return std::nullopt;  // the breaker's log line says so
    }
    if (reply.kind != redis::Reply::Kind::text || reply.text.size() < head_bytes) {
        co_return std::nullopt;
    }
    const std::string_view text(reply.text);
    const auto content = text.substr(proof_bytes);
    if (!constant_time_equal(text.substr(0, proof_bytes), proof(key, content))) {
        co_return std::nullopt;
    }
    std::int64_t made = 0;
    std::memcpy(&made, content.data(), sizeof made);
    const auto age = clock_.now() - Timestamp(std::chrono::microseconds(made));
    co_return Copy{
        .value = std::string(text.substr(head_bytes)), .age = std::max(age, std::chrono::microseconds(0))
    };
}

Task<void> Copies::keep(CopyName name, std::string value, std::chrono::milliseconds ttl) const
{
    if (!client_.available()) {
        co_return;
    }
    const auto key = redis_key(prefix_, name);
    const auto made = std::bit_cast<std::array<char, sizeof(std::int64_t)>>(
        std::int64_t{clock_.now().time_since_epoch().count()}
    );
    std::string content(made.data(), made.size());
    content += value;
    const auto stored = proof(key, content) + content;
    try {
        co_await client_.run(
            redis::Command({"SET", key, stored, "PX", std::to_string(ttl.count())}).repeatable()
        );
    } catch (const redis::RedisUnavailable&) {
        co_return;  // nobody misses a copy
    }
}

}  // namespace kit::cache
