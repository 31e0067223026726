// Lists as the bytes that answer them, with their entity tag, kept for a while; and what is counted of them.
#pragma once

#include "platform/cache/cache.hpp"
#include "platform/telemetry/metrics.hpp"

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kit::cache {

inline constexpr std::array page_size_bounds{1.0, 5.0, 10.0, 20.0, 50.0, 100.0};

// What whoever reads a list from the database records.
inline constexpr telemetry::Instrument page_sizes{
    .name = "admin.list.page_size",
    .kind = telemetry::InstrumentKind::histogram,
    .description = "Page sizes of the lists that were read from the database.",
    .attributes = {"endpoint"},
    .bounds = page_size_bounds,
};

// And of every request for a list.
inline constexpr telemetry::Instrument list_duration{
    .name = "admin.list.request.duration",
    .kind = telemetry::InstrumentKind::histogram,
    .unit = "s",
    .description = "Requests for lists.",
    .attributes = {"endpoint", "status"},
    .bounds = telemetry::buckets::seconds,
};

struct ListBody {
    std::string data;   // JSON
    std::string etag;   // strong: the quoted SHA-256 of the data
    std::string links;  // of the header Link; empty: none
};

using ListBodyPtr = std::shared_ptr<const ListBody>;

ListBodyPtr list_body(std::string data, std::string links);

// Whose answer to which question: parameters in whatever order are one question.
// "admin.roles.list|actor=1|query=name=a&page=2".
std::string list_key(
    std::string_view space,
    std::int64_t actor,
    const std::vector<std::pair<std::string, std::string>>& parameters
);

// Thread-safe.
class ListCache {
public:
    struct Options {
        bool enabled = true;
        std::chrono::milliseconds ttl{std::chrono::seconds(30)};
        std::size_t bytes_max = 16UL * 1024 * 1024;
        const Copies* copies = nullptr;
    };

    ListCache(Namespace space, Clock& clock, telemetry::Registry& metrics, Options options);

    // The list kept for the key, or what `fill()`, a Task<ListBodyPtr>, yields.
    template <class Fill>
    Task<ListBodyPtr> read(std::string key, Fill fill)
    {
        if (!options_.enabled) {
            co_return co_await fill();
        }
        const auto found = co_await cache_.read(std::move(key), std::move(fill));
        count(found);
        co_return found.value;
    }

    Namespace space() const { return space_; }

    // What became of a conditional request.
    void answered(bool not_modified) const;

private:
    void count(const Cache<ListBody>::Read& read) const;

    Namespace space_;
    Options options_;
    Cache<ListBody> cache_;
    telemetry::Counter events_;
    telemetry::Histogram age_;
};

// Ids that do not exist, remembered for a while: a look-up that must fail again costs no query.
class NegativeCache {
public:
    struct Options {
        bool enabled = true;
        std::chrono::milliseconds ttl{std::chrono::seconds(15)};
        std::size_t bytes_max = 1024UL * 1024;
        const Copies* copies = nullptr;
    };

    NegativeCache(Namespace space, Clock& clock, telemetry::Registry& metrics, Options options);

    // Whether the id exists, as far as it must be asked for: `exists()` is a Task<bool>.
    template <class Exists>
    Task<bool> exists(std::int64_t id, Exists exists)
    {
        if (!options_.enabled) {
            co_return co_await exists();
        }
        const auto absent = co_await cache_.read(std::to_string(id), Fill<Exists>{exists});
        const bool kept = absent.outcome == Outcome::hit || absent.outcome == Outcome::copied;
        count(absent.value != nullptr, kept);
        co_return absent.value == nullptr;
    }

    Namespace space() const { return space_; }

private:
    struct Absent {};

    template <class Exists>
    struct Fill {
        Exists& exists;

        Task<std::shared_ptr<const Absent>> operator()() const
        {
            const bool found = co_await exists();
            co_return found ? nullptr : std::make_shared<const Absent>();
        }
    };

    void count(bool absent, bool hit) const;

    Namespace space_;
    Options options_;
    Cache<Absent> cache_;
    telemetry::Counter events_;
    telemetry::Counter effectiveness_;
};

}  // namespace kit::cache
