#include "platform/telemetry/metrics.hpp"

#include "platform/core/workers.hpp"
#include "platform/telemetry/series.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

namespace kit::telemetry {

std::string_view to_string(InstrumentKind kind)
{
    switch (kind) {
        case InstrumentKind::counter:
            return "counter";
        case InstrumentKind::up_down_counter:
            return "up-down counter";
        case InstrumentKind::gauge:
            return "gauge";
        case InstrumentKind::histogram:
            return "histogram";
    }
    std::unreachable();
}

std::size_t Instrument::attribute_count() const
{
    return static_cast<std::size_t>(std::ranges::find(attributes, std::string_view()) - attributes.begin());
}

Attributes::Attributes(std::initializer_list<std::string_view> values) : size_(values.size()), hash_(size_)
{
    if (size_ > values_.size()) {
        throw std::logic_error("more attributes than an instrument has");
    }
    std::ranges::copy(values, values_.begin());
    for (const auto value : values) {
        hash_ = hash_ * 0x9E37'79B9'7F4A'7C15U + std::hash<std::string_view>()(value);
    }
}

Counter::Counter(Registry& registry, const Instrument& instrument) : family_(registry.declare(instrument)) {}

void Counter::add(const Attributes& attributes, std::int64_t amount) const
{
    if (family_ != nullptr) {
        family_->find(attributes).add(family_->shard(), amount);
    }
}

Counter::Bound Counter::bind(const Attributes& attributes) const
{
    return family_ == nullptr ? Bound() : Bound(family_, &family_->find(attributes));
}

void Counter::Bound::add(std::int64_t amount) const
{
    if (family_ != nullptr) {
        series_->add(family_->shard(), amount);
    }
}

Histogram::Histogram(Registry& registry, const Instrument& instrument) : family_(registry.declare(instrument))
{
}

Histogram::Bound Histogram::bind(const Attributes& attributes) const
{
    return family_ == nullptr ? Bound() : Bound(family_, &family_->find(attributes));
}

void Histogram::Bound::record(double value, const SpanContext& span, Timestamp now) const
{
    if (family_ == nullptr) {
        return;
    }
    const auto bucket = family_->bucket(value);
    series_->record(family_->shard(), bucket, value);
    if (span.sampled()) {
        series_->offer(bucket, {.span = span, .value = value, .time = now});
    }
}

void Histogram::record(double value, const Attributes& attributes, const SpanContext& span, Timestamp now)
    const
{
    bind(attributes).record(value, span, now);
}

Registry::Registry(Options options) : options_(options) {}

Registry::~Registry() = default;

Family* Registry::declare(const Instrument& instrument)
{
    const std::lock_guard lock(mutex_);
    for (const auto& family : families_) {
        if (family->instrument().name == instrument.name) {
            if (&family->instrument() != &instrument) {
                throw std::logic_error("two instruments are named " + std::string(instrument.name));
            }
            return options_.enabled ? family.get() : nullptr;
        }
    }
    families_.push_back(std::make_unique<Family>(instrument, options_.workers));
    return options_.enabled ? families_.back().get() : nullptr;
}

Registry::Observation Registry::observe(
    const Instrument& instrument, std::vector<std::string> attributes, std::function<double()> read
)
{
    declare(instrument);
    const std::lock_guard lock(mutex_);
    observed_.push_back({next_id_, &instrument, std::move(attributes), std::move(read)});
    return {*this, next_id_++};
}

Registry::Observation::~Observation()
{
    if (registry_ != nullptr) {
        const std::lock_guard lock(registry_->mutex_);
        std::erase_if(registry_->observed_, [this](const Observed& observed) { return observed.id == id_; });
    }
}

std::vector<InstrumentReading> Registry::collect() const
{
    const std::lock_guard lock(mutex_);
    std::vector<InstrumentReading> readings;
    for (const auto& family : families_) {
        InstrumentReading reading{.instrument = &family->instrument(), .series = family->read()};
        for (const auto& observed : observed_) {
            if (options_.enabled && observed.instrument == reading.instrument) {
                SeriesReading series{.attributes = observed.attributes};
                series.number = observed.read();
                if (std::isnan(series.number)) {
                    continue;
                }
                series.count = static_cast<std::int64_t>(series.number);
                reading.series.push_back(std::move(series));
            }
        }
        readings.push_back(std::move(reading));
    }
    std::ranges::sort(readings, {}, [](const InstrumentReading& reading) {
        return reading.instrument->name;
    });
    return readings;
}

}  // namespace kit::telemetry
