// The numbers behind an instrument: a table of attribute combinations, each with one set of numbers for every
// worker. Of this folder only.
#pragma once

#include "platform/telemetry/metrics.hpp"

#include <atomic>

namespace kit::telemetry {

// One combination of attributes.
class Series {
public:
    Series(const Instrument& instrument, std::size_t shards, std::vector<std::string> attributes);

    const std::vector<std::string>& attributes() const { return attributes_; }

    bool has(const Attributes& attributes) const;
    void add(std::size_t shard, std::int64_t amount);
    void record(std::size_t shard, std::size_t bucket, double value);

    // Becomes the bucket's exemplar unless that is fresh or is being written by another thread.
    void offer(std::size_t bucket, const Exemplar& exemplar);

    SeriesReading read() const;

private:
    // A cache line, so that no two workers write to the same one.
    struct alignas(64) Line {
        std::array<std::atomic<std::uint64_t>, 8> words{};
    };

    // Written and read as a sequence lock: an odd version is a write under way.
    struct Slot {
        std::atomic<std::uint32_t> version{0};
        std::atomic<std::uint64_t> trace_high{0};
        std::atomic<std::uint64_t> trace_low{0};
        std::atomic<std::uint64_t> span_id{0};
        std::atomic<double> value{0};
        std::atomic<std::int64_t> time{0};  // microseconds since 1970; 0: none yet
    };

    // A worker's own; the last one is all other threads'.
    bool has_one_writer(std::size_t shard) const { return shard + 1 < shards_; }

    std::atomic<std::uint64_t>& word(std::size_t shard, std::size_t index)
    {
        return lines_[shard * lines_per_shard_ + index / 8].words[index % 8];
    }

    const std::atomic<std::uint64_t>& word(std::size_t shard, std::size_t index) const
    {
        return lines_[shard * lines_per_shard_ + index / 8].words[index % 8];
    }

    static std::optional<Exemplar> read(const Slot& slot);

    std::vector<std::string> attributes_;
    std::size_t buckets_;  // 0: a counter, with one word; else a word for each and one for the sum
    std::size_t shards_;
    std::size_t lines_per_shard_;
    std::unique_ptr<Line[]> lines_;
    std::unique_ptr<Slot[]> slots_;
};

// One instrument's combinations: a hash table of fixed size that is only added to, so that readers need no
// lock.
class Family {
public:
    Family(const Instrument& instrument, std::size_t workers);

    const Instrument& instrument() const { return instrument_; }

    // The series of these attributes, made where it is new and there is room, else the overflow series.
    Series& find(const Attributes& attributes);

    // The calling thread's set of numbers.
    std::size_t shard() const;

    std::size_t bucket(double value) const;
    std::vector<SeriesReading> read() const;

private:
    Series& insert(const Attributes& attributes);

    const Instrument& instrument_;
    std::size_t workers_;
    std::size_t mask_;
    std::unique_ptr<std::atomic<Series*>[]> table_;
    std::atomic<bool> full_{false};
    std::atomic<bool> overflowed_{false};
    mutable std::mutex mutex_;  // held to add a series and to read them all
    std::vector<std::unique_ptr<Series>> series_;
    Series overflow_;
};

}  // namespace kit::telemetry
