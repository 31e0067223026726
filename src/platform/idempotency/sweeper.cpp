#include "platform/db/database.hpp"
#include "platform/db/rows.hpp"
#include "platform/idempotency/idempotency.hpp"
#include "platform/telemetry/logger.hpp"
#include "platform/telemetry/metrics.hpp"

namespace kit::idempotency {

namespace {

constexpr db::Query delete_expired{
    "idempotency.delete_expired",
    "DELETE FROM idempotency_records WHERE id IN "
    "(SELECT id FROM idempotency_records WHERE expires_at <= $1 ORDER BY id LIMIT $2)"
};

constexpr telemetry::Instrument cleanup_runs{
    .name = "idempotency.cleanup.runs",
    .description = "Clean-ups of idempotency records.",
    .attributes = {"outcome"},
};

constexpr std::array row_bounds{0.0, 1.0, 10.0, 100.0, 1'000.0, 10'000.0, 100'000.0};

constexpr telemetry::Instrument cleanup_deleted_rows{
    .name = "idempotency.cleanup.deleted_rows",
    .kind = telemetry::InstrumentKind::histogram,
    .unit = "{row}",
    .description = "Rows that a clean-up deleted.",
    .bounds = row_bounds,
};

}  // namespace

struct Sweeper::Instruments {
    explicit Instruments(telemetry::Registry& metrics)
        : runs(metrics, cleanup_runs), deleted_rows(metrics, cleanup_deleted_rows)
    {
    }

    telemetry::Counter runs;
    telemetry::Histogram deleted_rows;
};

Sweeper::Sweeper(Deps deps, Options options)
    : deps_(deps), options_(options), instruments_(std::make_unique<const Instruments>(deps.metrics))
{
}

Sweeper::~Sweeper() = default;

Task<std::int64_t> Sweeper::sweep()
{
    const auto now = deps_.clock.now();
    std::int64_t deleted = 0;
    std::int64_t batch = 0;
    do {
        batch = co_await deps_.database.execute(delete_expired, now, options_.batch_rows_max);
        deleted += batch;
    } while (batch == options_.batch_rows_max);
    co_return deleted;
}

Task<void> Sweeper::keep()
{
    while (true) {
        co_await deps_.clock.sleep_for(options_.interval);
        std::string failed;
        std::int64_t deleted = 0;
        try {
            deleted = co_await sweep();
        } catch (const Cancelled&) {
            throw;
        } catch (const std::exception& error) {
            failed = error.what();
        }
        if (!failed.empty()) {
            instruments_->runs.add({"error"});
            deps_.logger.warn("idempotency db cleanup failed", {{"error", failed}});
            continue;
        }
        instruments_->runs.add({"success"});
        instruments_->deleted_rows.record(static_cast<double>(deleted), {});
        if (deleted > 0) {
            deps_.logger.info("idempotency db cleanup removed expired records", {{"deleted", deleted}});
        }
    }
}

}  // namespace kit::idempotency
