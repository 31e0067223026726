#include "platform/telemetry/series.hpp"

#include "platform/core/workers.hpp"

#include <algorithm>
#include <bit>
#include <stdexcept>

namespace kit::telemetry {

namespace {

constexpr auto relaxed = std::memory_order_relaxed;

// Of a shard with one writer: no other thread can come between.
void add_alone(std::atomic<std::uint64_t>& word, std::uint64_t amount)
{
    word.store(word.load(relaxed) + amount, relaxed);
}

void add_real_alone(std::atomic<std::uint64_t>& word, double amount)
{
    const auto sum = std::bit_cast<double>(word.load(relaxed)) + amount;
    word.store(std::bit_cast<std::uint64_t>(sum), relaxed);
}

void add_real(std::atomic<std::uint64_t>& word, double amount)
{
    auto seen = word.load(relaxed);
    while (!word.compare_exchange_weak(
        seen, std::bit_cast<std::uint64_t>(std::bit_cast<double>(seen) + amount), relaxed
    )) {
    }
}

}  // namespace

Series::Series(const Instrument& instrument, std::size_t shards, std::vector<std::string> attributes)
    : attributes_(std::move(attributes)),
      buckets_(instrument.kind == InstrumentKind::histogram ? instrument.bounds.size() + 1 : 0),
      shards_(shards),
      lines_per_shard_(buckets_ / 8 + 1),
      lines_(std::make_unique<Line[]>(shards * lines_per_shard_)),
      slots_(std::make_unique<Slot[]>(buckets_))
{
}

bool Series::has(const Attributes& attributes) const
{
    return std::ranges::equal(attributes_, attributes.values());
}

void Series::add(std::size_t shard, std::int64_t amount)
{
    auto& sum = word(shard, 0);
    if (has_one_writer(shard)) {
        add_alone(sum, static_cast<std::uint64_t>(amount));
    } else {
        sum.fetch_add(static_cast<std::uint64_t>(amount), relaxed);
    }
}

void Series::record(std::size_t shard, std::size_t bucket, double value)
{
    if (has_one_writer(shard)) {
        add_alone(word(shard, bucket), 1);
        add_real_alone(word(shard, buckets_), value);
    } else {
        word(shard, bucket).fetch_add(1, relaxed);
        add_real(word(shard, buckets_), value);
    }
}

void Series::offer(std::size_t bucket, const Exemplar& exemplar)
{
    auto& slot = slots_[bucket];
    const auto time = exemplar.time.time_since_epoch().count();
    const auto age = std::chrono::microseconds(time - slot.time.load(relaxed));
    auto version = slot.version.load(relaxed);
    if (age < Histogram::exemplar_age_min || version % 2 == 1 ||
        !slot.version.compare_exchange_strong(version, version + 1, std::memory_order_acquire, relaxed)) {
        return;
    }
    std::atomic_thread_fence(std::memory_order_release);
    slot.trace_high.store(exemplar.span.trace_high, relaxed);
    slot.trace_low.store(exemplar.span.trace_low, relaxed);
    slot.span_id.store(exemplar.span.span_id, relaxed);
    slot.value.store(exemplar.value, relaxed);
    slot.time.store(time, relaxed);
    slot.version.store(version + 2, std::memory_order_release);
}

std::optional<Exemplar> Series::read(const Slot& slot)
{
    const auto version = slot.version.load(std::memory_order_acquire);
    Exemplar exemplar{
        .span =
            {.trace_high = slot.trace_high.load(relaxed),
             .trace_low = slot.trace_low.load(relaxed),
             .span_id = slot.span_id.load(relaxed),
             .flags = SpanContext::sampled_flag},
        .value = slot.value.load(relaxed),
        .time = Timestamp(std::chrono::microseconds(slot.time.load(relaxed))),
    };
    std::atomic_thread_fence(std::memory_order_acquire);
    // Half written, or nothing there: the next reading will have one.
    if (version == 0 || version % 2 == 1 || slot.version.load(relaxed) != version) {
        return std::nullopt;
    }
    return exemplar;
}

SeriesReading Series::read() const
{
    SeriesReading reading{.attributes = attributes_};
    if (buckets_ == 0) {
        std::uint64_t sum = 0;
        for (std::size_t shard = 0; shard < shards_; ++shard) {
            sum += word(shard, 0).load(relaxed);
        }
        reading.count = static_cast<std::int64_t>(sum);
        return reading;
    }
    reading.buckets.resize(buckets_);
    for (std::size_t shard = 0; shard < shards_; ++shard) {
        for (std::size_t bucket = 0; bucket < buckets_; ++bucket) {
            reading.buckets[bucket] += word(shard, bucket).load(relaxed);
        }
        reading.number += std::bit_cast<double>(word(shard, buckets_).load(relaxed));
    }
    for (std::size_t bucket = 0; bucket < buckets_; ++bucket) {
        reading.count += static_cast<std::int64_t>(reading.buckets[bucket]);
        reading.exemplars.push_back(read(slots_[bucket]));
    }
    return reading;
}

// The table is at most half full, so that a search for what is not there ends soon.
Family::Family(const Instrument& instrument, std::size_t workers)
    : instrument_(instrument),
      workers_(workers),
      mask_(std::bit_ceil(2 * instrument.series_max) - 1),
      table_(std::make_unique<std::atomic<Series*>[]>(mask_ + 1)),
      overflow_(instrument, workers + 1, {})
{
}

std::size_t Family::shard() const
{
    return std::min(Workers::current(), workers_);
}

std::size_t Family::bucket(double value) const
{
    const auto& bounds = instrument_.bounds;
    return static_cast<std::size_t>(std::ranges::lower_bound(bounds, value) - bounds.begin());
}

Series& Family::find(const Attributes& attributes)
{
    for (auto index = attributes.hash() & mask_;; index = (index + 1) & mask_) {
        auto* const series = table_[index].load(std::memory_order_acquire);
        if (series == nullptr) {
            break;
        }
        if (series->has(attributes)) {
            return *series;
        }
    }
    if (full_.load(relaxed)) {
        overflowed_.store(true, relaxed);
        return overflow_;
    }
    return insert(attributes);
}

Series& Family::insert(const Attributes& attributes)
{
    if (attributes.values().size() != instrument_.attribute_count()) {
        throw std::logic_error("attributes do not fit " + std::string(instrument_.name));
    }
    const std::lock_guard lock(mutex_);
    auto index = attributes.hash() & mask_;
    while (auto* const series = table_[index].load(relaxed)) {
        if (series->has(attributes)) {
            return *series;  // another thread was first
        }
        index = (index + 1) & mask_;
    }
    if (series_.size() == instrument_.series_max) {
        full_.store(true, relaxed);
        overflowed_.store(true, relaxed);
        return overflow_;
    }
    const auto values = attributes.values();
    series_.push_back(std::make_unique<Series>(
        instrument_, workers_ + 1, std::vector<std::string>(values.begin(), values.end())
    ));
    table_[index].store(series_.back().get(), std::memory_order_release);
    return *series_.back();
}

std::vector<SeriesReading> Family::read() const
{
    const std::lock_guard lock(mutex_);
    std::vector<SeriesReading> readings;
    readings.reserve(series_.size() + 1);
    for (const auto& series : series_) {
        readings.push_back(series->read());
    }
    if (overflowed_.load(relaxed)) {
        readings.push_back(overflow_.read());
        readings.back().overflow = true;
    }
    return readings;
}

}  // namespace kit::telemetry
