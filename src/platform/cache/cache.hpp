// Answers that are kept for a while in this process, bounded, and read once for all who miss them together.
// Where there is a Redis, copies there serve the other nodes: what is not in this process is looked for among
// them before it is made.
#pragma once

#include "platform/cache/copies.hpp"
#include "platform/cache/epochs.hpp"
#include "platform/core/clock.hpp"
#include "platform/core/single_flight.hpp"
#include "platform/core/task.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace kit::cache {

enum class Outcome : std::uint8_t {
    hit,     // kept in this process
    copied,  // made by another node
    led,     // made for this caller
    shared   // made or copied for another caller at the same time
};

// How a value becomes bytes and is read from them again: null where they are none.
template <class T>
struct Codec {
    std::string (*encode)(const T&) = nullptr;
    std::shared_ptr<const T> (*decode)(std::string_view) = nullptr;
};

// Thread-safe; sharded, each shard's lock is held for a look-up only.
template <class T>
class Cache {
public:
    struct Options {
        std::chrono::milliseconds ttl{std::chrono::seconds(30)};
        std::size_t bytes_max = 16UL * 1024 * 1024;  // of keys and values together
        std::size_t (*size_of)(const T&) = [](const T&) { return sizeof(T); };
        const Copies* copies = nullptr;  // null: there are none
        Codec<T> codec{};                // for copies
    };

    struct Read {
        std::shared_ptr<const T> value;
        Outcome outcome = Outcome::hit;
        std::chrono::microseconds age{0};  // of what was hit or copied
    };

    Cache(Namespace space, Clock& clock, Options options) : space_(space), clock_(clock), options_(options) {}

    // The kept value, or what `fill()`, a Task<std::shared_ptr<const T>>, yields; a null is handed on and not
    // kept. What `fill` throws passes, see SingleFlight.
    template <class Fill>
    Task<Read> read(std::string key, Fill fill)
    {
        // Whoever asks after a change asks for another flight than those who asked before.
        const auto epoch = space_.epoch();
        if (auto found = find(key, epoch); found.value) {
            co_return found;
        }
        auto flight_key = std::to_string(epoch) + ' ' + key;
        auto landed = co_await flights_.run(
            std::move(flight_key), Filled<Fill>{.cache = *this, .key = key, .epoch = epoch, .fill = fill}
        );
        if (!landed.led) {
            landed.value.outcome = Outcome::shared;
        }
        co_return std::move(landed.value);
    }

private:
    struct Entry {
        std::string key;
        std::int64_t epoch;
        Timestamp stored;
        std::shared_ptr<const T> value;
        std::size_t bytes;
    };

    // What a flight does. It looks again: one that landed just now has kept what it made before it was gone.
    template <class Fill>
    struct Filled {
        Cache& cache;
        const std::string& key;
        std::int64_t epoch;
        Fill& fill;

        Task<Read> operator()() const
        {
            if (auto found = cache.find(key, epoch); found.value) {
                co_return found;
            }
            auto read = co_await cache.copy_or_fill(key, epoch, fill);
            if (read.value) {
                cache.keep(key, epoch, read);
            }
            co_return read;
        }
    };

    template <class Fill>
    Task<Read> copy_or_fill(const std::string& key, std::int64_t epoch, Fill& fill)
    {
        // In the epoch 0 of another database there may be anything.
        if (options_.copies == nullptr || epoch == 0) {
            co_return Read{.value = co_await fill(), .outcome = Outcome::led};
        }
        const CopyName name{.space = space_.name(), .epoch = epoch, .key = key};
        if (const auto copy = co_await options_.copies->find(name)) {
            if (auto value = options_.codec.decode(copy->value)) {
                co_return Read{.value = std::move(value), .outcome = Outcome::copied, .age = copy->age};
            }
        }
        Read read{.value = co_await fill(), .outcome = Outcome::led};
        if (read.value) {
            co_await options_.copies->keep(name, options_.codec.encode(*read.value), options_.ttl);
        }
        co_return read;
    }

    using Entries = std::list<Entry>;  // the latest used first

    struct Shard {
        std::mutex mutex;
        Entries entries;
        std::unordered_map<std::string_view, typename Entries::iterator> by_key;
        std::size_t bytes = 0;
    };

    static constexpr std::size_t shard_count = 8;
    static constexpr std::size_t entry_overhead_bytes = 200;

    Shard& shard(std::string_view key) { return shards_[std::hash<std::string_view>()(key) % shard_count]; }

    Read find(std::string_view key, std::int64_t epoch)
    {
        auto& shard = this->shard(key);
        const auto now = clock_.now();
        const std::lock_guard lock(shard.mutex);
        const auto found = shard.by_key.find(key);
        if (found == shard.by_key.end()) {
            return {};
        }
        const auto entry = found->second;
        const auto age = now - entry->stored;
        if (entry->epoch < epoch || age >= options_.ttl) {
            remove(shard, entry);
            return {};
        }
        if (entry->epoch > epoch) {
            return {};
        }
        shard.entries.splice(shard.entries.begin(), shard.entries, entry);
        return {.value = entry->value, .outcome = Outcome::hit, .age = age};
    }

    void keep(const std::string& key, std::int64_t epoch, const Read& made)
    {
        const auto bytes = key.size() + options_.size_of(*made.value) + entry_overhead_bytes;
        const auto bytes_max = options_.bytes_max / shard_count;
        if (bytes > bytes_max) {
            return;
        }
        auto& shard = this->shard(key);
        const auto now = clock_.now();
        const std::lock_guard lock(shard.mutex);
        if (const auto found = shard.by_key.find(key); found != shard.by_key.end()) {
            if (found->second->epoch > epoch) {
                return;
            }
            remove(shard, found->second);
        }
        while (shard.bytes + bytes > bytes_max) {
            remove(shard, std::prev(shard.entries.end()));
        }
        shard.entries.push_front({key, epoch, now - made.age, made.value, bytes});
        shard.by_key.emplace(shard.entries.front().key, shard.entries.begin());
        shard.bytes += bytes;
    }

    static void remove(Shard& shard, typename Entries::iterator entry)
    {
        shard.bytes -= entry->bytes;
        shard.by_key.erase(entry->key);
        shard.entries.erase(entry);
    }

    Namespace space_;
    Clock& clock_;
    Options options_;
    SingleFlight<Read> flights_;
    std::array<Shard, shard_count> shards_;
};

}  // namespace kit::cache
