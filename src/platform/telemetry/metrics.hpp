// Counters, histograms and gauges. Recording takes no lock and, once a combination of attributes has been
// seen, no memory: every worker adds to numbers of its own, which are summed when somebody reads.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/telemetry/trace.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kit::telemetry {

enum class InstrumentKind : std::uint8_t { counter, up_down_counter, gauge, histogram };

std::string_view to_string(InstrumentKind kind);

// Upper bounds of a histogram's buckets; one more holds what is above the last.
namespace buckets {
inline constexpr std::array seconds{
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0
};
inline constexpr std::array bytes{
    256.0, 1'024.0, 4'096.0, 16'384.0, 65'536.0, 262'144.0, 1'048'576.0, 4'194'304.0
};
}  // namespace buckets

// What an instrument is, said once: a constexpr object of static storage, beside the code that records it.
struct Instrument {
    static constexpr std::size_t attributes_max = 6;

    std::string_view name;  // "auth.login.attempts"
    InstrumentKind kind = InstrumentKind::counter;
    std::string_view unit{};  // UCUM: "s", "By", "{request}"
    std::string_view description;
    std::array<std::string_view, attributes_max> attributes{};  // keys; the first empty one ends them
    std::span<const double> bounds{};                           // of a histogram
    // Further combinations of attributes are counted together, as one series `otel.metric.overflow`.
    std::size_t series_max = 200;

    std::size_t attribute_count() const;
};

// The attributes of one recording: the values in the order of the instrument's keys. An empty value is an
// absent attribute. Hashed once, so that several instruments with the same keys share the cost.
class Attributes {
public:
    Attributes(std::initializer_list<std::string_view> values);

    std::span<const std::string_view> values() const { return {values_.data(), size_}; }

    std::uint64_t hash() const { return hash_; }

private:
    std::array<std::string_view, Instrument::attributes_max> values_{};
    std::size_t size_;
    std::uint64_t hash_;
};

// One measurement with the span in which it was made.
struct Exemplar {
    SpanContext span;
    double value = 0;
    Timestamp time{};
};

struct SeriesReading {
    std::vector<std::string> attributes;  // as in Attributes; none in the overflow series
    bool overflow = false;
    std::int64_t count = 0;                          // counters: the sum; histograms: the measurements
    double number = 0;                               // histograms: their sum; gauges: the value
    std::vector<std::uint64_t> buckets;              // histograms: each its own, not yet cumulative
    std::vector<std::optional<Exemplar>> exemplars;  // one for each bucket
};

struct InstrumentReading {
    const Instrument* instrument;
    std::vector<SeriesReading> series;
};

class Family;
class Registry;
class Series;

// Handles to record with; cheap to copy, valid as long as the registry.
class Counter {
public:
    Counter(Registry& registry, const Instrument& instrument);

    // Negative only for an up_down_counter.
    void add(const Attributes& attributes, std::int64_t amount = 1) const;

    // One combination of attributes, found once: for what is counted at every request.
    class Bound {
    public:
        Bound() = default;

        Bound(Family* family, Series* series) : family_(family), series_(series) {}

        void add(std::int64_t amount = 1) const;

        explicit operator bool() const { return series_ != nullptr; }

    private:
        Family* family_ = nullptr;
        Series* series_ = nullptr;
    };

    Bound bind(const Attributes& attributes) const;

    // Whether anything is counted at all.
    bool enabled() const { return family_ != nullptr; }

private:
    Family* family_;
};

class Histogram {
public:
    Histogram(Registry& registry, const Instrument& instrument);

    // A measurement inside a sampled span becomes its bucket's exemplar, unless that has a fresh one.
    void record(double value, const Attributes& attributes, const SpanContext& span = {}, Timestamp now = {})
        const;

    static constexpr std::chrono::milliseconds exemplar_age_min{100};

    // One combination of attributes, found once: for what is recorded at every request.
    class Bound {
    public:
        Bound() = default;

        Bound(Family* family, Series* series) : family_(family), series_(series) {}

        void record(double value, const SpanContext& span = {}, Timestamp now = {}) const;

    private:
        Family* family_ = nullptr;
        Series* series_ = nullptr;
    };

    Bound bind(const Attributes& attributes) const;

    // Whether anything is recorded at all.
    bool enabled() const { return family_ != nullptr; }

private:
    Family* family_;
};

// Thread-safe.
class Registry {
public:
    struct Options {
        std::size_t workers = 0;  // of the process; other threads share one more set of numbers
        bool enabled = true;      // false: nothing is recorded, though all is declared
    };

    explicit Registry(Options options);
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;
    ~Registry();

    // A number that is asked for when somebody reads, until the observation is destroyed.
    class Observation {
    public:
        Observation(Registry& registry, std::size_t id) : registry_(&registry), id_(id) {}

        Observation(Observation&& other) noexcept
            : registry_(std::exchange(other.registry_, nullptr)), id_(other.id_)
        {
        }

        Observation& operator=(Observation&&) = delete;
        ~Observation();

    private:
        Registry* registry_;
        std::size_t id_;
    };

    // Where `read` gives no number (NaN), there is nothing to say yet, and no series.
    [[nodiscard]] Observation observe(
        const Instrument& instrument, std::vector<std::string> attributes, std::function<double()> read
    );

    // In the order of their names. `read` functions are called under the registry's lock.
    std::vector<InstrumentReading> collect() const;

private:
    friend class Counter;
    friend class Histogram;

    struct Observed {
        std::size_t id;
        const Instrument* instrument;
        std::vector<std::string> attributes;
        std::function<double()> read;
    };

    // The same for the same instrument; null where nothing is recorded.
    Family* declare(const Instrument& instrument);

    Options options_;
    mutable std::mutex mutex_;
    std::vector<std::unique_ptr<Family>> families_;
    std::vector<Observed> observed_;
    std::size_t next_id_ = 0;
};

// The seconds since a moment, for histograms of seconds.
inline double seconds_between(SteadyTime from, SteadyTime to)
{
    return std::chrono::duration<double>(to - from).count();
}

}  // namespace kit::telemetry
