// Encoded telemetry that waits for a reader, bounded: the oldest makes room for the newest.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace kit::telemetry {

// Records are protobuf messages, kept as one after another of the repeated field 2 (tag 0x12, length,
// message): ScopeSpans.spans as well as ScopeLogs.log_records, so that what is taken is the inside of an
// export request. Thread-safe; each worker has a shard of its own, whose lock is held for a copy of a record.
// Memory is taken as records come and given back when they are taken.
class RecordBuffer {
public:
    static constexpr std::size_t chunk_bytes = 16UL * 1024;
    static constexpr std::size_t record_bytes_max = 64UL * 1024;  // beyond: dropped and counted

    struct Options {
        std::size_t workers = 0;  // other threads share one more shard
        std::size_t bytes_max = 4UL * 1024 * 1024;
        std::size_t records_max = 1'000'000;
        // Count and make room by whole chunks, which is cheaper: who keeps the latest loses little. Then
        // nothing is taken, and records_max and on_ready mean nothing.
        bool drop_chunks = false;
        // Called by whoever pushes, without a lock, when `records_ready` wait for the first time since the
        // last take(): the reader need not wait any longer.
        std::size_t records_ready = 512;
        std::function<void()> on_ready{};
    };

    struct Batch {
        std::string bytes;  // framed
        std::size_t records = 0;
    };

    explicit RecordBuffer(Options options);
    RecordBuffer(const RecordBuffer&) = delete;
    RecordBuffer& operator=(const RecordBuffer&) = delete;
    ~RecordBuffer();

    void push(std::string_view message);

    // The oldest records of every shard, as many as fit; one always does. Empty where nothing waits.
    Batch take(std::size_t records_max, std::size_t bytes_max);

    // A copy of everything, a batch for each shard, oldest first. Nothing is taken. Not one moment's picture:
    // a shard is locked for one chunk at a time.
    std::vector<Batch> copy() const;

    // Without drop_chunks.
    std::size_t records() const { return load().records; }

    // With drop_chunks, what the chunks can hold.
    std::size_t bytes() const { return load().bytes; }

    // Records that had to make room, or were too big.
    std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

private:
    struct Chunk {
        std::string bytes;
        std::size_t begin = 0;  // what is before was taken or dropped
        std::size_t records = 0;

        std::size_t size() const { return bytes.size() - begin; }
    };

    struct alignas(64) Shard {
        mutable std::mutex mutex;
        std::deque<Chunk> chunks;
        std::uint64_t removed = 0;  // chunks, ever: the number of the first one
        std::string spare;          // an emptied chunk's memory
    };

    // Both in one number, for one atomic operation a record: all threads push.
    struct Load {
        std::size_t records;
        std::size_t bytes;
    };

    Load load() const;
    void add(std::size_t records, std::size_t bytes);
    void subtract(std::size_t records, std::size_t bytes);
    void append(Shard& shard, std::string_view message);
    bool is_over(Load load) const;
    void make_room(std::size_t own);
    void remove_front(Shard& shard);
    void forget_chunk(Shard& shard);
    void take_from(Shard& shard, Batch& batch, std::size_t records_max, std::size_t bytes_max);
    void take_records(Shard& shard, Batch& batch, std::size_t records_max, std::size_t bytes_max);
    static void remove_chunk(Shard& shard);
    static bool copy_chunk(const Shard& shard, std::uint64_t& number, Batch& batch);
    static std::size_t first_record_bytes(const Chunk& chunk);

    Options options_;
    std::vector<std::unique_ptr<Shard>> shards_;
    std::atomic<std::uint64_t> load_{0};
    std::atomic<std::uint64_t> dropped_{0};
    std::atomic<bool> announced_{false};
};

}  // namespace kit::telemetry
