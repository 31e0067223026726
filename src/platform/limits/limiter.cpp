#include "platform/limits/limiter.hpp"

#include "platform/limits/limit_headers.hpp"
#include "platform/redis/redis.hpp"

#include <algorithm>
#include <chrono>

namespace kit::limits {

namespace {

using http::Policy;

constexpr telemetry::Instrument decision_counter{
    .name = "http.rate_limit.decisions",
    .description = "Requests counted against a limit.",
    .attributes = {"scope", "outcome", "mode", "key_type"},
};

constexpr telemetry::Instrument retry_after_histogram{
    .name = "http.rate_limit.retry_after",
    .kind = telemetry::InstrumentKind::histogram,
    .unit = "s",
    .description = "How long refused clients were told to wait.",
    .attributes = {"scope", "reason"},
    .bounds = telemetry::buckets::seconds,
};

constexpr std::size_t index(Policy policy)
{
    return static_cast<std::size_t>(policy);
}

std::string_view key_suffix(Policy policy)
{
    switch (policy) {
        case Policy::api:
            return "api";
        case Policy::auth:
            return "auth";
        case Policy::forgot:
            return "auth:forgot";
        case Policy::login:
            return "route:login";
        case Policy::refresh:
            return "route:refresh";
        case Policy::admin_write:
            return "route:admin:write";
        case Policy::admin_sync:
            return "route:admin:sync";
    }
    return {};
}

// Before somebody has signed in, only his address says who he is.
bool by_address_only(Policy policy)
{
    return policy == Policy::auth || policy == Policy::forgot || policy == Policy::login;
}

std::string_view to_string(Reason reason)
{
    switch (reason) {
        case Reason::none:
            return "";
        case Reason::window:
            return "window";
        case Reason::bucket:
            return "bucket";
        case Reason::backend:
            return "backend";
    }
    return "";
}

// Whether the row's own limit comes after nothing but guards that ask neither Redis nor the database.
bool counts_both_at_once(const http::Route& route)
{
    for (const auto& guard : route.guards) {
        if (guard.kind == http::Guard::Kind::limited) {
            return true;
        }
        if (guard.kind != http::Guard::Kind::csrf && guard.kind != http::Guard::Kind::authenticated) {
            return false;
        }
    }
    return false;
}

std::int64_t microseconds(Timestamp time)
{
    return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

}  // namespace

std::string address_key(std::string_view address)
{
    if (const auto parsed = http::IpAddress::parse(address)) {
        return parsed->limiter_key();
    }
    return std::string(address.empty() ? "unknown" : address);
}

class Limiter::Guard final : public http::Middleware {
public:
    Guard(const Limiter& limiter, Policy policy) : limiter_(limiter), policies_{Policy::api, policy} {}

    Task<http::Reply> handle(http::RequestContext& ctx, http::Next next) const override
    {
        std::span<const Policy> due(policies_);
        if (!ctx.admission_due) {
            due = due.last(1);
        }
        ctx.admission_due = false;
        if (auto refused = co_await limiter_.count(ctx, due)) {
            co_return failure(std::move(*refused));
        }
        co_return co_await next(ctx);
    }

private:
    const Limiter& limiter_;
    std::array<Policy, 2> policies_;
};

Limiter::Limiter(Deps deps, Options options, const Rates& rates)
    : deps_(std::move(deps)),
      options_(std::move(options)),
      own_(deps_.random),
      decisions_(deps_.metrics, decision_counter),
      retry_after_(deps_.metrics, retry_after_histogram)
{
    if (deps_.redis != nullptr) {
        shared_.emplace(*deps_.redis, options_.redis_prefix);
    }
    set_rates(rates);
}

void Limiter::set_rates(const Rates& rates)
{
    auto quotas = std::make_unique<Quotas>();
    for (std::size_t each = 0; each < quotas->size(); ++each) {
        (*quotas)[each] = make_quota(
            {.per_minute = rates.per_minute[each],
             .window = rates.window,
             .burst_multiplier = rates.burst_multiplier}
        );
    }
    const std::lock_guard lock(replacing_);
    quotas_.store(quotas.get(), std::memory_order_release);
    replaced_.push_back(std::move(quotas));
}

std::unique_ptr<http::Middleware> Limiter::guard(Policy policy) const
{
    return std::make_unique<Guard>(*this, policy);
}

Task<std::optional<Error>> Limiter::enter(http::RequestContext& ctx) const
{
    static constexpr std::array product{Policy::api};
    if (ctx.route != nullptr && counts_both_at_once(*ctx.route)) {
        ctx.admission_due = true;
        co_return std::nullopt;
    }
    co_return co_await count(ctx, product);
}

Task<std::optional<Error>> Limiter::leave(http::RequestContext& ctx) const
{
    static constexpr std::array product{Policy::api};
    if (!std::exchange(ctx.admission_due, false)) {
        co_return std::nullopt;
    }
    co_return co_await count(ctx, product);
}

Task<std::optional<Error>> Limiter::count(http::RequestContext& ctx, std::span<const Policy> policies) const
{
    const auto due = counts(ctx, policies);
    const auto now = microseconds(deps_.clock.now());
    std::size_t counted = 0;
    if (shared_ && !due.empty()) {
        const auto verdicts = co_await ask_redis(due, now);
        for (const auto& verdict : verdicts) {
            if (auto refused = conclude(ctx, due[counted++], verdict)) {
                co_return refused;
            }
        }
    }
    for (; counted < due.size(); ++counted) {
        const auto& each = due[counted];
        auto refused =
            shared_ ? without_redis(ctx, each, now)
                    : conclude(
                          ctx,
                          each,
                          own_.take(each.quota, static_cast<std::uint8_t>(each.policy), each.client, now)
                      );
        if (refused) {
            co_return refused;
        }
    }
    co_return std::nullopt;
}

// The policies that this request is not let past.
std::vector<Limiter::Count> Limiter::counts(http::RequestContext& ctx, std::span<const Policy> policies) const
{
    const auto subject = deps_.subject(ctx);
    const auto reason =
        deps_.bypass.reason({.path = ctx.path, .address = ctx.client_address, .subject = subject});
    const auto& quotas = *quotas_.load(std::memory_order_acquire);
    std::vector<Count> due;
    due.reserve(policies.size());
    for (const auto policy : policies) {
        if (reason) {
            deps_.bypass.let_past(*reason, http::to_string(policy));
            decisions_.add(
                {http::to_string(policy), "bypass", fails_open(policy) ? "fail_open" : "fail_closed", "ip"}
            );
            deps_.logger.debug(
                "rate limiter bypass applied",
                {{"scope", http::to_string(policy)}, {"reason", *reason}, {"path", ctx.path}}
            );
            continue;
        }
        const bool by_subject = subject && !by_address_only(policy);
        due.push_back(
            {.policy = policy,
             .quota = quotas[index(policy)],
             .by_subject = by_subject,
             .client = by_subject ? "sub:" + std::to_string(*subject) : address_key(ctx.client_address)}
        );
    }
    return due;
}

// Nothing where Redis could not be asked.
Task<std::vector<Verdict>> Limiter::ask_redis(std::span<const Count> counts, std::int64_t now) const
{
    std::vector<Charge> charges;
    charges.reserve(counts.size());
    for (const auto& each : counts) {
        charges.push_back({.quota = each.quota, .suffix = key_suffix(each.policy), .client = each.client});
    }
    std::string cause;
    try {
        auto verdicts = co_await shared_->take(std::move(charges), now);
        for (const auto& each : counts.first(verdicts.size())) {
            note_recovery(each.policy);
        }
        co_return verdicts;
    } catch (const redis::RedisUnavailable& failed) {
        cause = failed.what();
    }
    for (const auto& each : counts) {
        note_outage(each.policy, cause);
    }
    co_return std::vector<Verdict>{};
}

std::optional<Error> Limiter::conclude(
    http::RequestContext& ctx, const Count& counted, const Verdict& verdict
) const
{
    set_headers(ctx, http::to_string(counted.policy), counted.quota, verdict);
    decided(counted, verdict.admitted ? "allow" : "deny");
    if (verdict.admitted) {
        return std::nullopt;
    }
    return refuse(counted, verdict);
}

// A policy that fails open goes on with what this process sees itself, and says nothing of it but where it
// refuses: its numbers are not those of all nodes. One that fails closed refuses.
std::optional<Error> Limiter::without_redis(http::RequestContext& ctx, const Count& counted, std::int64_t now)
    const
{
    if (fails_open(counted.policy)) {
        const auto verdict =
            own_.take(counted.quota, static_cast<std::uint8_t>(counted.policy), counted.client, now);
        if (!verdict.admitted) {
            return conclude(ctx, counted, verdict);
        }
        decided(counted, "backend_error");
        return std::nullopt;
    }
    const auto window = counted.quota.window;
    const Verdict closed{.reason = Reason::backend, .remaining = 0, .wait = window, .reset = now + window};
    set_headers(ctx, http::to_string(counted.policy), counted.quota, closed);
    decided(counted, "backend_error");
    return refuse(counted, closed);
}

Error Limiter::refuse(const Count& counted, const Verdict& verdict) const
{
    const auto seconds = seconds_up(verdict.wait);
    retry_after_.record(
        static_cast<double>(seconds), {http::to_string(counted.policy), to_string(verdict.reason)}
    );
    return Error(ErrorCode::rate_limited, "too many requests")
        .with_retry_after(std::chrono::seconds(seconds));
}

void Limiter::note_outage(Policy policy, std::string_view cause) const
{
    if (outage_[index(policy)].exchange(true)) {
        return;
    }
    deps_.logger.warn(
        fails_open(policy) ? "rate limiter backend unavailable, allowing request"
                           : "rate limiter backend unavailable, refusing request",
        {{"scope", http::to_string(policy)}, {"error", cause}}
    );
}

void Limiter::note_recovery(Policy policy) const
{
    auto& outage = outage_[index(policy)];
    if (outage.load(std::memory_order_relaxed) && outage.exchange(false)) {
        deps_.logger.info("rate limiter backend is back", {{"scope", http::to_string(policy)}});
    }
}

void Limiter::decided(const Count& counted, std::string_view outcome) const
{
    decisions_.add(
        {http::to_string(counted.policy),
         outcome,
         fails_open(counted.policy) ? "fail_open" : "fail_closed",
         counted.by_subject ? "subject" : "ip"}
    );
}

bool Limiter::fails_open(Policy policy) const
{
    return options_.fail_open[index(policy)];
}

}  // namespace kit::limits
