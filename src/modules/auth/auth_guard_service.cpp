#include "modules/auth/auth_guard.hpp"
#include "platform/core/encoding.hpp"
#include "platform/crypto/hash.hpp"
#include "platform/limits/bypass.hpp"
#include "platform/limits/cooldown.hpp"

#include <algorithm>
#include <vector>

namespace kit::auth {

namespace {

using std::chrono::milliseconds;

// What is said to a caller whom the counters could not be asked about.
constexpr milliseconds unknown_wait{1'000};

constexpr telemetry::Instrument guard_events{
    .name = "auth.abuse_guard.events",
    .description = "Calls of the guard against guessing.",
    .attributes = {"scope", "action", "outcome"},
};

constexpr telemetry::Instrument guard_cooldown{
    .name = "auth.abuse_guard.cooldown",
    .kind = telemetry::InstrumentKind::histogram,
    .unit = "s",
    .description = "Waits that the guard has imposed.",
    .attributes = {"scope", "action"},
    .bounds = telemetry::buckets::seconds,
};

struct ScopeTexts {
    std::string_view name;    // in keys and metrics
    std::string_view bypass;  // in security.bypass.events
    audit::Kind event;
};

const ScopeTexts& texts(Guarded scope)
{
    static constexpr ScopeTexts login{"login", "auth.login", {"auth.local.login", "login"}};
    static constexpr ScopeTexts forgot{
        "forgot", "auth.password_forgot", {"auth.local.password.forgot", "password_forgot"}
    };
    static constexpr ScopeTexts change_password{
        "change_password", "auth.change_password", {"auth.local.change_password", "password_change"}
    };
    switch (scope) {
        case Guarded::login:
            return login;
        case Guarded::forgot:
            return forgot;
        case Guarded::change_password:
            return change_password;
    }
    std::unreachable();
}

// "device.mark.mark": the parts of a cookie.
std::vector<std::string_view> parts_of(std::string_view cookie)
{
    std::vector<std::string_view> parts;
    while (!cookie.empty() && parts.size() <= DeviceCookies::accounts_max) {
        const auto dot = std::min(cookie.find('.'), cookie.size());
        parts.push_back(cookie.substr(0, dot));
        cookie.remove_prefix(std::min(dot + 1, cookie.size()));
    }
    return parts;
}

constexpr std::size_t device_bytes = 16;
constexpr std::size_t mark_bytes = 16;
constexpr std::size_t device_characters = 22;

}  // namespace

struct DeviceCookies::Key {
    HmacKey hmac;
};

// The secret signs other things too: the key is derived from it for this alone.
DeviceCookies::DeviceCookies(std::string_view secret, Random& random)
    : key_(std::make_unique<const Key>(HmacKey(as_text(hmac_sha256(secret, "known device cookie"))))),
      random_(random)
{
}

DeviceCookies::~DeviceCookies() = default;

std::string DeviceCookies::mark(std::string_view device, std::string_view account) const
{
    std::string text(device);
    text.append("|").append(account);
    const auto mac = key_->hmac.mac(text);
    return base64url_encode(as_text(mac).substr(0, mark_bytes));
}

std::optional<std::string> DeviceCookies::device_of(std::string_view cookie, std::string_view account) const
{
    const auto parts = parts_of(cookie);
    if (parts.size() < 2 || parts[0].size() != device_characters || account.empty()) {
        return std::nullopt;
    }
    const auto expected = mark(parts[0], account);
    const bool known = std::any_of(parts.begin() + 1, parts.end(), [&](std::string_view each) {
        return constant_time_equal(each, expected);
    });
    return known ? std::optional<std::string>(parts[0]) : std::nullopt;
}

std::optional<std::string> DeviceCookies::with_account(std::string_view cookie, std::string_view account)
    const
{
    if (account.empty() || device_of(cookie, account)) {
        return std::nullopt;
    }
    auto parts = parts_of(cookie);
    if (parts.empty() || parts[0].size() != device_characters || !base64url_decode(parts[0])) {
        const auto device = random_.token(device_bytes);
        return device + "." + mark(device, account);
    }
    auto renewed = std::string(parts[0]) + "." + mark(parts[0], account);
    for (std::size_t index = 1; index < std::min(parts.size(), accounts_max); ++index) {
        renewed.append(".").append(parts[index]);
    }
    return renewed;
}

AbuseGuard::AbuseGuard(const Deps& deps)
    : deps_(deps), events_(deps.metrics, guard_events), cooldowns_(deps.metrics, guard_cooldown)
{
}

struct AbuseGuard::Names : limits::Attempt {};

// From a device that the account knows, only that device's own counter counts: others cannot raise it, and it
// clears none of theirs.
AbuseGuard::Names AbuseGuard::names(const Attempt& attempt) const
{
    const std::string scope(texts(attempt.scope).name);
    if (const auto device = deps_.devices.device_of(attempt.device_cookie, attempt.account)) {
        return {{.own = scope + ":device:" + sha256_hex(*device + "|" + attempt.account), .shared = ""}};
    }
    return {
        {.own = attempt.account.empty() ? "" : scope + ":id:" + sha256_hex(attempt.account),
         .shared = scope + ":ip:" + sha256_hex(attempt.network)}
    };
}

std::optional<std::string_view> AbuseGuard::bypassed(const Attempt& attempt) const
{
    return deps_.bypass.reason({.path = attempt.path, .address = attempt.origin.ip, .subject = attempt.caller}
    );
}

void AbuseGuard::count(const Attempt& attempt, std::string_view action, std::string_view outcome) const
{
    events_.add({texts(attempt.scope).name, action, outcome});
}

void AbuseGuard::record(const Attempt& attempt, std::string_view outcome, std::string_view reason) const
{
    audit::Event event{
        .kind = texts(attempt.scope).event,
        .outcome = outcome,
        .reason = reason,
        .target_type = "user",
        .target_id = attempt.user_id ? std::to_string(*attempt.user_id) : "unknown",
        .actor = attempt.user_id,
    };
    if (outcome == audit::outcome::failure) {
        event.extras.emplace_back("error", "unavailable");
    }
    deps_.audit.record(event, attempt.origin);
}

Task<std::optional<milliseconds>> AbuseGuard::check(Attempt attempt) const
{
    if (deps_.cooldowns == nullptr) {
        co_return std::nullopt;
    }
    const auto& scope = texts(attempt.scope);
    if (const auto reason = bypassed(attempt)) {
        deps_.bypass.let_past(*reason, scope.bypass);
        count(attempt, "check", "bypass");
        record(attempt, audit::outcome::accepted, "abuse_bypass_" + std::string(*reason));
        co_return std::nullopt;
    }
    std::optional<milliseconds> wait;
    try {
        wait = co_await deps_.cooldowns->remaining(names(attempt), deps_.clock.now());
    } catch (const Unavailable&) {
        count(attempt, "check", "error");
        record(attempt, audit::outcome::failure, "abuse_check_error");
        co_return unknown_wait;
    }
    if (wait->count() <= 0) {
        count(attempt, "check", "ok");
        co_return std::nullopt;
    }
    count(attempt, "check", "cooldown");
    cooldowns_.record(std::chrono::duration<double>(*wait).count(), {scope.name, "check"});
    record(attempt, audit::outcome::rejected, "abuse_cooldown");
    co_return wait;
}

Task<std::optional<milliseconds>> AbuseGuard::failed(Attempt attempt) const
{
    if (deps_.cooldowns == nullptr || bypassed(attempt)) {
        co_return std::nullopt;
    }
    try {
        const auto wait = co_await deps_.cooldowns->fail(names(attempt), deps_.clock.now());
        count(attempt, "register_failure", wait.count() > 0 ? "cooldown" : "ok");
        if (wait.count() > 0) {
            cooldowns_.record(
                std::chrono::duration<double>(wait).count(), {texts(attempt.scope).name, "register_failure"}
            );
        }
        co_return std::nullopt;
    } catch (const Unavailable&) {
        count(attempt, "register_failure", "error");
        record(attempt, audit::outcome::failure, "abuse_record_error");
    }
    // Who asks for mail is refused where he cannot be counted; who gave a wrong password is told so.
    co_return attempt.scope == Guarded::forgot ? std::optional(unknown_wait) : std::nullopt;
}

Task<void> AbuseGuard::succeeded(Attempt attempt) const
{
    if (deps_.cooldowns == nullptr || bypassed(attempt)) {
        co_return;
    }
    try {
        co_await deps_.cooldowns->forgive(names(attempt), deps_.clock.now());
        count(attempt, "reset", "ok");
    } catch (const Unavailable&) {
        count(attempt, "reset", "error");
        record(attempt, audit::outcome::failure, "abuse_reset_error");
    }
}

bool AbuseGuard::is_new_device(const Attempt& attempt) const
{
    return deps_.cooldowns != nullptr && !deps_.devices.device_of(attempt.device_cookie, attempt.account);
}

std::optional<std::string> AbuseGuard::device_cookie(const Attempt& attempt) const
{
    if (deps_.cooldowns == nullptr) {
        return std::nullopt;
    }
    return deps_.devices.with_account(attempt.device_cookie, attempt.account);
}

}  // namespace kit::auth
