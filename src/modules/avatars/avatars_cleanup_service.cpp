// What is nobody's picture any more, or never became one, goes: first its object, then its row.
#include "modules/avatars/avatars.hpp"
#include "platform/db/database.hpp"
#include "platform/telemetry/logger.hpp"

#include <algorithm>

namespace kit::avatars {

namespace {

constexpr std::int64_t doublings_max = 30;

constexpr telemetry::Instrument cleanup_events{
    .name = "avatar.cleanup.events",
    .description = "Objects of avatars that were to be removed.",
    .attributes = {"outcome"},
};

}  // namespace

Service::Service(Deps deps, std::string base_url)
    : deps_(deps),
      base_url_(std::move(base_url)),
      operations_(deps.metrics),
      cleaned_(deps.metrics, cleanup_events)
{
}

UploadSlots::Slot::Slot(UploadSlots& slots, std::int64_t user_id) : slots_(slots), user_id_(user_id)
{
    const std::lock_guard lock(slots_.mutex_);
    const auto found = slots_.by_user_.find(user_id);
    const auto held = found == slots_.by_user_.end() ? 0 : found->second;
    if (slots_.taken_ >= uploads_max || held >= uploads_per_user_max) {
        throw Overloaded("too many uploads at once");
    }
    slots_.by_user_[user_id] = held + 1;
    ++slots_.taken_;
}

UploadSlots::Slot::~Slot()
{
    const std::lock_guard lock(slots_.mutex_);
    const auto found = slots_.by_user_.find(user_id_);
    if (--found->second == 0) {
        slots_.by_user_.erase(found);
    }
    --slots_.taken_;
}

Task<bool> Service::clean_one()
{
    const auto now = deps_.clock.now();
    const auto row =
        co_await operations_("avatar", "claim", Repository::claim(deps_.database, now, now + removal_lease));
    if (!row) {
        co_return false;
    }
    if (co_await remove_object(row->object_key)) {
        co_await operations_("avatar", "delete", Repository::forget(deps_.database, row->object_key));
        cleaned_.add({"removed"});
        co_return true;
    }
    cleaned_.add({"failed"});
    const auto doublings = std::clamp<std::int64_t>(row->attempts - 1, 0, doublings_max);
    const auto wait =
        std::min<std::chrono::seconds>(retry_first * (std::int64_t{1} << doublings), retry_longest);
    co_await operations_(
        "avatar", "update", Repository::doom(deps_.database, row->object_key, deps_.clock.now() + wait)
    );
    co_return true;
}

Task<void> Service::keep()
{
    while (true) {
        std::string failed;
        bool more = false;
        try {
            more = co_await clean_one();
        } catch (const Cancelled&) {
            throw;
        } catch (const std::exception& error) {
            failed = error.what();
        }
        if (std::exchange(database_away_, !failed.empty()) != database_away_ && database_away_) {
            deps_.logger.warn("avatars not cleaned up", {{"error", failed}});
        }
        if (!more) {
            co_await deps_.clock.sleep_for(clean_interval);
        }
    }
}

}  // namespace kit::avatars
