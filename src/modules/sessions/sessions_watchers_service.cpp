#include "modules/sessions/sessions_watchers.hpp"

#include <algorithm>
#include <utility>

namespace kit::sessions {

Watchers::Watch::Watch(Watchers& watchers, std::int64_t user_id, std::string session_id)
    : watchers_(watchers), user_id_(user_id), session_id_(std::move(session_id))
{
}

Watchers::Watch::~Watch()
{
    watchers_.leave(*this);
}

std::optional<std::string> Watchers::Watch::reason() const
{
    const std::lock_guard lock(watchers_.mutex_);
    return reason_;
}

Result<std::unique_ptr<Watchers::Watch>> Watchers::open(std::int64_t user_id, std::string session_id)
{
    static constexpr std::chrono::seconds try_again{5};
    const std::lock_guard lock(mutex_);
    if (by_session_.size() >= limits_.total_max) {
        return failure(Error(ErrorCode::unavailable, "too many event streams").with_retry_after(try_again));
    }
    const auto held = per_user_.find(user_id);
    const auto of_user = held == per_user_.end() ? 0 : held->second;
    if (of_user >= limits_.per_user_max || by_session_.count(session_id) >= limits_.per_session_max) {
        return failure(Error(ErrorCode::rate_limited, "too many event streams").with_retry_after(try_again));
    }
    auto watch = std::make_unique<Watch>(*this, user_id, std::move(session_id));
    by_session_.emplace(watch->session_id_, watch.get());
    ++per_user_[user_id];
    size_.fetch_add(1, std::memory_order_release);
    return watch;
}

void Watchers::leave(Watch& watch)
{
    const std::lock_guard lock(mutex_);
    const auto [first, last] = by_session_.equal_range(watch.session_id_);
    const auto found =
        std::find_if(first, last, [&watch](const auto& entry) { return entry.second == &watch; });
    by_session_.erase(found);
    if (const auto held = per_user_.find(watch.user_id_); --held->second == 0) {
        per_user_.erase(held);
    }
    size_.fetch_sub(1, std::memory_order_release);
}

void Watchers::end(std::string_view session_id, std::string_view reason)
{
    if (size() == 0) {
        return;
    }
    const std::lock_guard lock(mutex_);
    const auto [first, last] = by_session_.equal_range(std::string(session_id));
    for (auto entry = first; entry != last; ++entry) {
        auto& watch = *entry->second;
        if (!watch.reason_) {
            watch.reason_ = reason;
            watch.bell_.ring_for_good();
        }
    }
}

}  // namespace kit::sessions
