// The limits at work: whom a request counts for, which store counts, what the answer says, and what happens
// while Redis cannot be asked. docs/limits.md and docs/decisions/0019-limits.md.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/http/admission.hpp"
#include "platform/http/guard.hpp"
#include "platform/http/route.hpp"
#include "platform/limits/bypass.hpp"
#include "platform/limits/memory_store.hpp"
#include "platform/limits/redis_store.hpp"
#include "platform/telemetry/logger.hpp"
#include "platform/telemetry/metrics.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kit::redis {
class Client;
}  // namespace kit::redis

namespace kit::limits {

// What may change while requests are served.
struct Rates {
    std::array<int, http::policy_count> per_minute{};  // in the order of http::Policy
    std::chrono::milliseconds window{std::chrono::minutes(1)};
    double burst_multiplier = 1.5;
};

// Immutable after construction but for its numbers and counters; used by all workers at once.
class Limiter final : public http::Admission {
public:
    struct Options {
        std::string redis_prefix;  // "v1:rl"
        std::array<bool, http::policy_count> fail_open{};
    };

    struct Deps {
        Clock& clock;
        Random& random;
        telemetry::Logger& logger;
        telemetry::Registry& metrics;
        const Bypass& bypass;
        redis::Client* redis;  // null: this process counts for itself
        // Whom a good access token names.
        std::function<std::optional<std::int64_t>(http::RequestContext&)> subject;
    };

    Limiter(Deps deps, Options options, const Rates& rates);

    // From now on. What was counted so far still counts.
    void set_rates(const Rates& rates);

    // The product's limit. Left for later where the row names a limit of its own behind nothing but guards
    // that ask nobody, so that one script call counts both.
    Task<std::optional<Error>> enter(http::RequestContext& ctx) const override;
    Task<std::optional<Error>> leave(http::RequestContext& ctx) const override;

    // The row's own limit, and the product's where that is due.
    std::unique_ptr<http::Middleware> guard(http::Policy policy) const;

private:
    class Guard;

    using Quotas = std::array<Quota, http::policy_count>;

    struct Count {
        http::Policy policy;
        Quota quota;
        bool by_subject;
        std::string client;
    };

    Task<std::optional<Error>> count(http::RequestContext& ctx, std::span<const http::Policy> policies) const;
    std::vector<Count> counts(http::RequestContext& ctx, std::span<const http::Policy> policies) const;
    Task<std::vector<Verdict>> ask_redis(std::span<const Count> counts, std::int64_t now) const;
    std::optional<Error> conclude(http::RequestContext& ctx, const Count& counted, const Verdict& verdict)
        const;
    std::optional<Error> without_redis(http::RequestContext& ctx, const Count& counted, std::int64_t now)
        const;
    Error refuse(const Count& counted, const Verdict& verdict) const;
    void note_outage(http::Policy policy, std::string_view cause) const;
    void note_recovery(http::Policy policy) const;
    void decided(const Count& counted, std::string_view outcome) const;
    bool fails_open(http::Policy policy) const;

    Deps deps_;
    Options options_;
    mutable std::optional<RedisStore> shared_;
    mutable MemoryStore own_;
    // The numbers in force. Those that were replaced are kept: a request may be reading them, and they change
    // as often as a person says so.
    std::atomic<const Quotas*> quotas_{nullptr};
    std::mutex replacing_;
    std::vector<std::unique_ptr<const Quotas>> replaced_;
    mutable std::array<std::atomic<bool>, http::policy_count> outage_{};
    telemetry::Counter decisions_;
    telemetry::Histogram retry_after_;
};

// The key of everybody at an address: "203.0.113.9", "2001:db8::/64", "unknown".
std::string address_key(std::string_view address);

}  // namespace kit::limits
