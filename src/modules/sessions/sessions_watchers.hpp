// Who waits for a session's end.
#pragma once

#include "platform/core/bell.hpp"
#include "platform/core/error.hpp"
#include "platform/core/task.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace kit::sessions {

// The browsers that wait to be told of their session's end. Thread-safe.
class Watchers {
public:
    struct Limits {
        std::size_t per_session_max = 16;  // tabs of one browser
        std::size_t per_user_max = 64;
        std::size_t total_max = 10'000;
    };

    explicit Watchers(Limits limits) : limits_(limits) {}

    // One open stream. It leaves with its destruction.
    class Watch {
    public:
        Watch(Watchers& watchers, std::int64_t user_id, std::string session_id);
        Watch(const Watch&) = delete;
        Watch& operator=(const Watch&) = delete;
        ~Watch();

        // Returns once the session has ended.
        Task<void> wait() { return bell_.wait(); }

        // Why, once it has.
        std::optional<std::string> reason() const;

    private:
        friend class Watchers;

        Watchers& watchers_;
        std::int64_t user_id_;
        std::string session_id_;
        std::optional<std::string> reason_;  // under the watchers' lock
        Bell bell_;
    };

    // rate_limited where the session or the user has its most, unavailable where the process has.
    Result<std::unique_ptr<Watch>> open(std::int64_t user_id, std::string session_id);

    void end(std::string_view session_id, std::string_view reason);

    std::size_t size() const { return size_.load(std::memory_order_acquire); }

private:
    void leave(Watch& watch);

    const Limits limits_;
    mutable std::mutex mutex_;
    std::unordered_multimap<std::string, Watch*> by_session_;
    std::unordered_map<std::int64_t, std::size_t> per_user_;
    std::atomic<std::size_t> size_{0};
};

}  // namespace kit::sessions
