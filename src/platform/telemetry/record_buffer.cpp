#include "platform/telemetry/record_buffer.hpp"

#include "platform/core/workers.hpp"

#include <protozero/buffer_string.hpp>
#include <protozero/varint.hpp>

#include <algorithm>
#include <utility>

namespace kit::telemetry {

namespace {

constexpr char record_tag = 0x12;  // field 2, length-delimited
constexpr auto relaxed = std::memory_order_relaxed;
constexpr unsigned bytes_bits = 40;  // of the load; the rest counts records
constexpr std::uint64_t one_record = std::uint64_t{1} << bytes_bits;

}  // namespace

RecordBuffer::RecordBuffer(Options options) : options_(std::move(options))
{
    for (std::size_t shard = 0; shard <= options_.workers; ++shard) {
        shards_.push_back(std::make_unique<Shard>());
    }
}

RecordBuffer::~RecordBuffer() = default;

void RecordBuffer::push(std::string_view message)
{
    if (message.size() > record_bytes_max) {
        dropped_.fetch_add(1, relaxed);
        return;
    }
    const auto own = std::min(Workers::current(), options_.workers);
    append(*shards_[own], message);
    const auto now = load();
    if (is_over(now)) {
        make_room(own);
    }
    if (options_.on_ready && now.records >= options_.records_ready && !announced_.load(relaxed) &&
        !announced_.exchange(true, relaxed)) {
        options_.on_ready();
    }
}

RecordBuffer::Load RecordBuffer::load() const
{
    const auto packed = load_.load(relaxed);
    return {
        .records = static_cast<std::size_t>(packed >> bytes_bits),
        .bytes = static_cast<std::size_t>(packed & (one_record - 1))
    };
}

void RecordBuffer::add(std::size_t records, std::size_t bytes)
{
    load_.fetch_add(records * one_record + bytes, relaxed);
}

void RecordBuffer::subtract(std::size_t records, std::size_t bytes)
{
    load_.fetch_sub(records * one_record + bytes, relaxed);
}

bool RecordBuffer::is_over(Load load) const
{
    return load.bytes > options_.bytes_max || load.records > options_.records_max;
}

void RecordBuffer::append(Shard& shard, std::string_view message)
{
    const auto framed =
        1 + static_cast<std::size_t>(protozero::length_of_varint(message.size())) + message.size();
    const std::lock_guard lock(shard.mutex);
    if (shard.chunks.empty() || shard.chunks.back().bytes.size() + framed > chunk_bytes) {
        Chunk chunk{.bytes = std::exchange(shard.spare, {})};
        chunk.bytes.reserve(std::max(chunk_bytes, framed));
        if (options_.drop_chunks) {
            add(0, chunk.bytes.capacity());
        }
        shard.chunks.push_back(std::move(chunk));
    }
    auto& chunk = shard.chunks.back();
    chunk.bytes += record_tag;
    protozero::add_varint_to_buffer(&chunk.bytes, message.size());
    chunk.bytes += message;
    ++chunk.records;
    if (!options_.drop_chunks) {
        add(1, framed);
    }
}

// The thread's own shard first: that is where it came from, and whose lock is at hand.
void RecordBuffer::make_room(std::size_t own)
{
    for (std::size_t step = 0; step < shards_.size(); ++step) {
        auto& shard = *shards_[(own + step) % shards_.size()];
        const std::lock_guard lock(shard.mutex);
        while (is_over(load())) {
            const bool only_the_newest = step == 0 && shard.chunks.size() == 1 &&
                                         (options_.drop_chunks || shard.chunks.front().records == 1);
            if (shard.chunks.empty() || (only_the_newest && shards_.size() > 1)) {
                break;
            }
            const auto records = options_.drop_chunks ? shard.chunks.front().records : 1;
            if (options_.drop_chunks) {
                forget_chunk(shard);
            } else {
                remove_front(shard);
            }
            dropped_.fetch_add(records, relaxed);
        }
    }
}

void RecordBuffer::forget_chunk(Shard& shard)
{
    subtract(0, shard.chunks.front().bytes.capacity());
    remove_chunk(shard);
}

std::size_t RecordBuffer::first_record_bytes(const Chunk& chunk)
{
    const auto* const start = chunk.bytes.data() + chunk.begin;
    const auto* position = start + 1;
    const auto length = protozero::decode_varint(&position, chunk.bytes.data() + chunk.bytes.size());
    return static_cast<std::size_t>(position - start) + length;
}

void RecordBuffer::remove_front(Shard& shard)
{
    auto& chunk = shard.chunks.front();
    const auto size = first_record_bytes(chunk);
    chunk.begin += size;
    --chunk.records;
    subtract(1, size);
    if (chunk.records == 0) {
        remove_chunk(shard);
    }
}

void RecordBuffer::remove_chunk(Shard& shard)
{
    auto& bytes = shard.chunks.front().bytes;
    if (bytes.capacity() < 2 * chunk_bytes) {
        bytes.clear();
        shard.spare = std::move(bytes);
    }
    shard.chunks.pop_front();
    ++shard.removed;
}

RecordBuffer::Batch RecordBuffer::take(std::size_t records_max, std::size_t bytes_max)
{
    Batch batch;
    // Before the look: a record that comes during it announces itself again.
    announced_.store(false, relaxed);
    for (const auto& shard : shards_) {
        take_from(*shard, batch, records_max, bytes_max);
    }
    return batch;
}

void RecordBuffer::take_from(Shard& shard, Batch& batch, std::size_t records_max, std::size_t bytes_max)
{
    while (batch.records < records_max) {
        Chunk whole;
        {
            const std::lock_guard lock(shard.mutex);
            if (shard.chunks.empty()) {
                shard.spare = {};
                return;
            }
            auto& chunk = shard.chunks.front();
            const bool fits = batch.records + chunk.records <= records_max &&
                              batch.bytes.size() + chunk.size() <= bytes_max;
            if (!fits) {
                take_records(shard, batch, records_max, bytes_max);
                return;
            }
            subtract(chunk.records, chunk.size());
            whole = std::move(chunk);
            shard.chunks.pop_front();
            ++shard.removed;
        }
        batch.records += whole.records;
        batch.bytes.append(whole.bytes, whole.begin);
    }
}

// The part of a chunk that still fits.
void RecordBuffer::take_records(Shard& shard, Batch& batch, std::size_t records_max, std::size_t bytes_max)
{
    while (batch.records < records_max) {
        const auto& chunk = shard.chunks.front();
        const auto size = first_record_bytes(chunk);
        if (batch.records > 0 && batch.bytes.size() + size > bytes_max) {
            return;
        }
        batch.bytes.append(chunk.bytes, chunk.begin, size);
        ++batch.records;
        const bool last = chunk.records == 1;
        remove_front(shard);
        if (last) {
            return;
        }
    }
}

std::vector<RecordBuffer::Batch> RecordBuffer::copy() const
{
    std::vector<Batch> batches;
    for (const auto& shard : shards_) {
        Batch batch;
        for (std::uint64_t number = 0; copy_chunk(*shard, number, batch);) {
        }
        batches.push_back(std::move(batch));
    }
    return batches;
}

// The chunk of that number, or the first one where it is gone already. False where there is none.
bool RecordBuffer::copy_chunk(const Shard& shard, std::uint64_t& number, Batch& batch)
{
    const std::lock_guard lock(shard.mutex);
    number = std::max(number, shard.removed);
    const auto index = number - shard.removed;
    if (index >= shard.chunks.size()) {
        return false;
    }
    const auto& chunk = shard.chunks[index];
    batch.bytes.append(chunk.bytes, chunk.begin);
    batch.records += chunk.records;
    ++number;
    return true;
}

}  // namespace kit::telemetry
