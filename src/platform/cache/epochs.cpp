#include "platform/cache/epochs.hpp"

#include "platform/core/error.hpp"
#include "platform/db/rows.hpp"

#include <boost/describe/class.hpp>

#include <algorithm>

namespace kit::cache {

namespace {

struct Row {
    std::string namespace_name;
    std::int64_t epoch;
};
BOOST_DESCRIBE_STRUCT(Row, (), (namespace_name, epoch))

constexpr db::Query raise_epoch{
    "cache.raise_epoch",
    "INSERT INTO cache_epochs (namespace_name, epoch) VALUES ($1, $2) ON CONFLICT (namespace_name) "
    "DO UPDATE SET epoch = CASE WHEN excluded.epoch > cache_epochs.epoch THEN excluded.epoch "
    "ELSE cache_epochs.epoch + 1 END RETURNING namespace_name, epoch"
};

constexpr db::Query list_epochs{
    .name = "cache.epochs", .sql = "SELECT namespace_name, epoch FROM cache_epochs", .brief = true
};

}  // namespace

Namespace::Namespace(Epochs& epochs, std::string_view name)
    : name_(name), epoch_(&epochs.cell(name)), clock_(&epochs.clock_)
{
}

std::atomic<std::int64_t>& Epochs::cell(std::string_view name)
{
    const std::lock_guard lock(mutex_);
    return cells_.try_emplace(std::string(name), 0).first->second;
}

// Never back: two changes may be published in the other order.
void Epochs::advance(std::string_view name, std::int64_t epoch)
{
    auto& known = cell(name);
    auto current = known.load(std::memory_order_relaxed);
    while (current < epoch && !known.compare_exchange_weak(current, epoch, std::memory_order_release)) {
    }
}

Task<Epochs::Raised> Epochs::raise(db::Session& session, std::vector<Namespace> namespaces)
{
    std::ranges::sort(namespaces, {}, &Namespace::name);
    Raised raised;
    for (const auto& space : namespaces) {
        const auto now = space.clock_->now().time_since_epoch().count();
        const auto rows = co_await session.query<Row>(raise_epoch, space.name(), now);
        raised.epochs.emplace_back(rows.at(0).namespace_name, rows.at(0).epoch);
    }
    co_return raised;
}

void Epochs::publish(const Raised& raised)
{
    for (const auto& [name, epoch] : raised.epochs) {
        advance(name, epoch);
    }
}

Task<void> Epochs::learn()
{
    for (const auto& row : co_await database_.query<Row>(list_epochs)) {
        advance(row.namespace_name, row.epoch);
    }
}

Task<void> Epochs::follow()
{
    while (true) {
        try {
            co_await learn();
        } catch (const Unavailable&) {
            // The readiness check and the requests themselves say so.
        }
        co_await clock_.sleep_for(follow_interval);
    }
}

}  // namespace kit::cache
