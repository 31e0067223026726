// The limits' state in this process: sharded, expiring, and bounded in bytes.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/limits/quota.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace kit::limits {

// Thread-safe. A million keys of which none has more than two admissions in its window fit in the default
// size. When there is no room, the key that was not asked for longest, of a few, is forgotten.
class MemoryStore {
public:
    static constexpr std::size_t bytes_max_default = 64UL * 1024 * 1024;

    explicit MemoryStore(Random& random, std::size_t bytes_max = bytes_max_default);
    MemoryStore(const MemoryStore&) = delete;
    MemoryStore& operator=(const MemoryStore&) = delete;
    ~MemoryStore();

    // Counts one request. `space` separates keys of the same text. `now` in microseconds since 1970.
    Verdict take(const Quota& quota, std::uint8_t space, std::string_view key, std::int64_t now);

    std::size_t keys() const;
    std::size_t bytes() const;  // that it holds, as asked of the allocator

private:
    class Shard;

    static constexpr std::size_t shard_count = 16;

    // Keys are told apart by a keyed hash of 64 bits, which nobody outside can collide: two of a million
    // share one with a probability of 1 in 37 million.
    std::array<std::byte, 16> seed_{};
    std::unique_ptr<Shard[]> shards_;
};

}  // namespace kit::limits
