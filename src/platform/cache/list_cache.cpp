#include "platform/cache/list_cache.hpp"

#include "platform/core/encoding.hpp"
#include "platform/crypto/hash.hpp"

#include <map>

namespace kit::cache {

namespace {

constexpr telemetry::Instrument cache_events{
    .name = "admin.list.cache.events",
    .description = "What the caches of lists and of absent ids did.",
    .attributes = {"endpoint", "outcome"},
};

constexpr telemetry::Instrument entry_age{
    .name = "admin.list.cache.entry_age",
    .kind = telemetry::InstrumentKind::histogram,
    .unit = "s",
    .description = "Age of the lists that were served from a cache.",
    .attributes = {"namespace"},
    .bounds = telemetry::buckets::seconds,
};

constexpr telemetry::Instrument negative_effectiveness{
    .name = "admin.lookup.negative.effectiveness",
    .description = "Look-ups of absent ids that cost no query.",
    .attributes = {"outcome"},
};

std::size_t size_of(const ListBody& body)
{
    return body.data.size() + body.etag.size() + body.links.size();
}

// The links are one line; the tag follows from the data.
std::string encode(const ListBody& body)
{
    return body.links + '\n' + body.data;
}

ListBodyPtr decode(std::string_view text)
{
    const auto end = text.find('\n');
    if (end == std::string_view::npos) {
        return nullptr;
    }
    return list_body(std::string(text.substr(end + 1)), std::string(text.substr(0, end)));
}

// As HTML forms write it: a space is a plus.
std::string form_encode(std::string_view text)
{
    std::string encoded;
    while (true) {
        const auto space = text.find(' ');
        encoded += percent_encode(text.substr(0, space));
        if (space == std::string_view::npos) {
            return encoded;
        }
        encoded += '+';
        text.remove_prefix(space + 1);
    }
}

}  // namespace

ListBodyPtr list_body(std::string data, std::string links)
{
    auto etag = '"' + sha256_hex(data) + '"';
    return std::make_shared<const ListBody>(
        ListBody{.data = std::move(data), .etag = std::move(etag), .links = std::move(links)}
    );
}

std::string list_key(
    std::string_view space,
    std::int64_t actor,
    const std::vector<std::pair<std::string, std::string>>& parameters
)
{
    // By name; of one name in the order in which they came, since the first counts.
    const std::multimap<std::string, std::string> sorted(parameters.begin(), parameters.end());
    auto key = std::string(space) + "|actor=" + std::to_string(actor) + "|query=";
    bool first = true;
    for (const auto& [name, value] : sorted) {
        key += first ? "" : "&";
        key += form_encode(name) + "=" + form_encode(value);
        first = false;
    }
    return key;
}

ListCache::ListCache(Namespace space, Clock& clock, telemetry::Registry& metrics, Options options)
    : space_(space),
      options_(options),
      cache_(
          space,
          clock,
          {.ttl = options.ttl,
           .bytes_max = options.bytes_max,
           .size_of = size_of,
           .copies = options.copies,
           .codec = {.encode = encode, .decode = decode}}
      ),
      events_(metrics, cache_events),
      age_(metrics, entry_age)
{
}

void ListCache::count(const Cache<ListBody>::Read& read) const
{
    if (read.outcome == Outcome::hit || read.outcome == Outcome::copied) {
        events_.add({space_.name(), "hit"});
        age_.record(std::chrono::duration<double>(read.age).count(), {space_.name()});
        return;
    }
    events_.add({space_.name(), "miss"});
    if (read.outcome == Outcome::led) {
        events_.add({space_.name(), "singleflight_leader"});
        events_.add({space_.name(), "store"});
    } else {
        events_.add({space_.name(), "singleflight_shared"});
    }
}

void ListCache::answered(bool not_modified) const
{
    events_.add({space_.name(), not_modified ? "etag_not_modified" : "etag_ok"});
}

NegativeCache::NegativeCache(Namespace space, Clock& clock, telemetry::Registry& metrics, Options options)
    : space_(space),
      options_(options),
      cache_(
          space,
          clock,
          {.ttl = options.ttl,
           .bytes_max = options.bytes_max,
           .copies = options.copies,
           .codec = {
               .encode = [](const Absent&) { return std::string("1"); },
               .decode = [](std::string_view) { return std::make_shared<const Absent>(); }
           }}
      ),
      events_(metrics, cache_events),
      effectiveness_(metrics, negative_effectiveness)
{
}

void NegativeCache::count(bool absent, bool hit) const
{
    if (hit) {
        events_.add({space_.name(), "negative_hit"});
        effectiveness_.add({"prevented_db_fetch"});
        return;
    }
    events_.add({space_.name(), "negative_miss"});
    if (absent) {
        events_.add({space_.name(), "negative_store"});
    }
}

}  // namespace kit::cache
