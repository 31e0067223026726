#include "platform/limits/memory_store.hpp"

#include "platform/crypto/hash.hpp"

#include <algorithm>
#include <mutex>
#include <span>
#include <vector>

namespace kit::limits {

namespace {

constexpr std::uint32_t none = 0xFFFFFFFF;

// The low 32 bits of a time in microseconds. Two times that differ by less than 35 minutes compare right; the
// times of one key differ by at most two windows and `clock_step_max`.
using Stamp = std::uint32_t;

std::int32_t since(Stamp later, Stamp earlier)
{
    return static_cast<std::int32_t>(later - earlier);
}

// One key. Its admissions stand in a ring, oldest first; two of them inside the entry.
struct Entry {
    static constexpr std::uint8_t few_log2 = 1;

    std::uint64_t fingerprint = 0;
    std::int64_t tokens = 0;
    std::int64_t last = 0;

    union {
        Stamp few[1U << few_log2];
        Stamp* many;
    };

    std::uint32_t head = 0;
    std::uint32_t size = 0;
    std::uint32_t next = none;  // in its bucket, or among the free
    std::uint16_t expiry_seconds = 0;
    std::uint8_t capacity_log2 = few_log2;
    bool used = false;

    Entry() : few{} {}

    std::uint32_t capacity() const { return 1U << capacity_log2; }

    bool spilled() const { return capacity_log2 != few_log2; }

    Stamp& at(std::uint32_t index) { return (spilled() ? many : few)[(head + index) & (capacity() - 1)]; }

    bool expired(std::int64_t now) const { return now - last >= expiry_seconds * std::int64_t{1'000'000}; }
};

static_assert(sizeof(Entry) == 48, "a million keys in 64 MB");

}  // namespace

// A hash table whose entries never move, with a hand that goes round them: each call looks at a few, so what
// has expired goes away where there are requests, and what there is no room for is chosen.
class alignas(64) MemoryStore::Shard {
public:
    Shard() = default;
    Shard(const Shard&) = delete;
    Shard& operator=(const Shard&) = delete;

    ~Shard()
    {
        for (std::uint32_t index = 0; index < made_; ++index) {
            forget_log(entry(index));
        }
    }

    void limit(std::size_t bytes_max)
    {
        // A quarter for the admissions of those who have more than two.
        entries_max_ = static_cast<std::uint32_t>(bytes_max / 4 * 3 / sizeof(Entry));
        log_bytes_max_ =
            bytes_max / 4 - std::min<std::size_t>(bytes_max / 4, entries_max_ * sizeof(std::uint32_t) * 2);
    }

    Verdict take(const Quota& quota, std::uint64_t fingerprint, std::int64_t now)
    {
        const std::lock_guard lock(mutex_);
        sweep(now);
        auto& found = find_or_add(quota, fingerprint, now);
        return count(quota, found, now);
    }

    std::size_t keys() const
    {
        const std::lock_guard lock(mutex_);
        return live_;
    }

    std::size_t bytes() const
    {
        const std::lock_guard lock(mutex_);
        return (chunks_.size() * chunk_size * sizeof(Entry)) + (chunks_.capacity() * sizeof(chunks_[0])) +
               (buckets_.capacity() * sizeof(buckets_[0])) + log_bytes_;
    }

private:
    static constexpr std::uint32_t chunk_size = 256;
    static constexpr std::size_t allocation_overhead = 16;
    static constexpr int swept_per_call = 2;
    static constexpr int candidates = 8;

    Entry& entry(std::uint32_t index) { return chunks_[index / chunk_size][index % chunk_size]; }

    std::uint32_t& bucket(std::uint64_t fingerprint)
    {
        return buckets_[(fingerprint >> 8) & (buckets_.size() - 1)];
    }

    Entry& find_or_add(const Quota& quota, std::uint64_t fingerprint, std::int64_t now)
    {
        if (!buckets_.empty()) {
            for (auto index = bucket(fingerprint); index != none; index = entry(index).next) {
                if (entry(index).fingerprint == fingerprint) {
                    return entry(index);
                }
            }
        }
        grow_buckets();
        const auto index = vacant(now);
        auto& added = entry(index);
        added.fingerprint = fingerprint;
        added.tokens = quota.full;
        added.last = now;
        added.used = true;
        ++live_;
        added.next = std::exchange(bucket(fingerprint), index);
        return added;
    }

    // Before an entry is added: at most five in four buckets.
    void grow_buckets()
    {
        if ((live_ + 1) * 4 <= buckets_.size() * 5) {
            return;
        }
        const auto size = std::max<std::size_t>(16, buckets_.size() * 2);
        buckets_.assign(size, none);
        buckets_.shrink_to_fit();
        for (std::uint32_t index = 0; index < made_; ++index) {
            auto& moved = entry(index);
            if (moved.used) {
                moved.next = std::exchange(bucket(moved.fingerprint), index);
            }
        }
    }

    // A free entry; the one least missed where there is no more room.
    std::uint32_t vacant(std::int64_t now)
    {
        if (free_ == none && made_ >= entries_max_) {
            remove(least_missed(now));
        }
        if (free_ != none) {
            return std::exchange(free_, entry(free_).next);
        }
        if (made_ % chunk_size == 0) {
            chunks_.push_back(std::make_unique<Entry[]>(chunk_size));
        }
        return made_++;
    }

    // Of the next few in use, the one that was asked for longest ago.
    std::uint32_t least_missed(std::int64_t now)
    {
        std::uint32_t chosen = none;
        for (int looked = 0; looked < candidates;) {
            const auto index = step();
            if (!entry(index).used) {
                continue;
            }
            ++looked;
            if (chosen == none || entry(index).last < entry(chosen).last) {
                chosen = index;
            }
            if (entry(index).expired(now)) {
                break;
            }
        }
        return chosen;
    }

    std::uint32_t step()
    {
        hand_ = hand_ + 1 < made_ ? hand_ + 1 : 0;
        return hand_;
    }

    void sweep(std::int64_t now)
    {
        for (int swept = 0; swept < swept_per_call && made_ > 0; ++swept) {
            const auto index = step();
            if (entry(index).used && entry(index).expired(now)) {
                remove(index);
            }
        }
    }

    void remove(std::uint32_t index)
    {
        auto& removed = entry(index);
        auto* link = &bucket(removed.fingerprint);
        while (*link != index) {
            link = &entry(*link).next;
        }
        *link = removed.next;
        forget_log(removed);
        removed = Entry();
        removed.next = std::exchange(free_, index);
        --live_;
    }

    void forget_log(Entry& emptied)
    {
        if (emptied.spilled()) {
            log_bytes_ -= (emptied.capacity() * sizeof(Stamp)) + allocation_overhead;
            delete[] emptied.many;
        }
        emptied.capacity_log2 = Entry::few_log2;
        emptied.few[0] = emptied.few[1] = 0;
        emptied.head = emptied.size = 0;
    }

    Verdict count(const Quota& quota, Entry& asked, std::int64_t now)
    {
        if (asked.last - now > clock_step_max) {
            forget_log(asked);
            asked.tokens = quota.full;
            asked.last = now;
        }
        const auto elapsed = std::clamp<std::int64_t>(now - asked.last, 0, quota.fill);
        asked.tokens = std::min(quota.full, asked.tokens + (elapsed * quota.refill));
        drop_old(quota, asked, now);
        asked.last = std::max(asked.last, now);
        asked.expiry_seconds = static_cast<std::uint16_t>((quota.expiry() + 999'999) / 1'000'000);
        const bool admitted = asked.tokens >= token && asked.size < quota.limit;
        if (admitted) {
            asked.tokens -= token;
            if (quota.windowed()) {
                append(asked, static_cast<Stamp>(now));
            }
        }
        Standing standing{.now = now, .tokens = asked.tokens, .logged = asked.size, .leaving = now};
        if (asked.size > 0) {
            const auto place = std::max<std::int64_t>(0, asked.size - quota.limit);
            standing.leaving -= since(static_cast<Stamp>(now), asked.at(static_cast<std::uint32_t>(place)));
        }
        return judge(quota, standing, admitted);
    }

    void drop_old(const Quota& quota, Entry& asked, std::int64_t now)
    {
        if (!quota.windowed() || now - asked.last >= quota.window) {
            forget_log(asked);
            return;
        }
        while (asked.size > 0 && since(static_cast<Stamp>(now), asked.at(0)) >= quota.window) {
            asked.head = (asked.head + 1) & (asked.capacity() - 1);
            --asked.size;
        }
        if (asked.size == 0) {
            forget_log(asked);
        }
    }

    // Keeps the order: two threads may come with times in the wrong one.
    void append(Entry& asked, Stamp now)
    {
        if (asked.size == asked.capacity()) {
            grow_log(asked);
        }
        auto place = asked.size++;
        for (; place > 0 && since(asked.at(place - 1), now) > 0; --place) {
            asked.at(place) = asked.at(place - 1);
        }
        asked.at(place) = now;
    }

    void grow_log(Entry& asked)
    {
        const auto capacity = asked.capacity() * 2;
        const auto more = (capacity * sizeof(Stamp)) + allocation_overhead;
        make_room_for_log(asked, more);
        auto bigger = std::make_unique<Stamp[]>(capacity);
        const auto size = asked.size;
        for (std::uint32_t index = 0; index < size; ++index) {
            bigger[index] = asked.at(index);
        }
        const auto log2 = asked.capacity_log2;
        forget_log(asked);
        asked.capacity_log2 = static_cast<std::uint8_t>(log2 + 1);
        asked.many = bigger.release();
        asked.size = size;
        log_bytes_ += more;
    }

    // Forgets others with many admissions, in the order of the hand, but never the one that asks.
    void make_room_for_log(const Entry& asked, std::size_t more)
    {
        for (std::uint32_t looked = 0; log_bytes_ + more > log_bytes_max_ && looked < made_; ++looked) {
            const auto index = step();
            if (entry(index).used && entry(index).spilled() && &entry(index) != &asked) {
                remove(index);
            }
        }
    }

    mutable std::mutex mutex_;
    std::vector<std::uint32_t> buckets_;  // a power of two; the first entry of each, or none
    std::vector<std::unique_ptr<Entry[]>> chunks_;
    std::uint32_t made_ = 0;  // entries that were ever used
    std::uint32_t free_ = none;
    std::uint32_t hand_ = 0;
    std::size_t live_ = 0;
    std::size_t log_bytes_ = 0;
    std::uint32_t entries_max_ = 0;
    std::size_t log_bytes_max_ = 0;
};

MemoryStore::MemoryStore(Random& random, std::size_t bytes_max) : shards_(new Shard[shard_count])
{
    random.fill(seed_);
    for (auto& shard : std::span(shards_.get(), shard_count)) {
        shard.limit(bytes_max / shard_count);
    }
}

MemoryStore::~MemoryStore() = default;

Verdict MemoryStore::take(const Quota& quota, std::uint8_t space, std::string_view key, std::int64_t now)
{
    auto seed = seed_;
    seed[0] ^= std::byte{space};
    const auto fingerprint = short_hash(seed, key);
    return shards_[fingerprint % shard_count].take(quota, fingerprint, now);
}

std::size_t MemoryStore::keys() const
{
    std::size_t total = 0;
    for (const auto& shard : std::span(shards_.get(), shard_count)) {
        total += shard.keys();
    }
    return total;
}

std::size_t MemoryStore::bytes() const
{
    std::size_t total = 0;
    for (const auto& shard : std::span(shards_.get(), shard_count)) {
        total += shard.bytes();
    }
    return total;
}

}  // namespace kit::limits
