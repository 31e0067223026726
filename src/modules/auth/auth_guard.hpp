// Whoever guesses passwords waits, longer each time: the schedule of AUTH_ABUSE_*, counted for the account
// and for the address apart. A device on which an account has signed in before has a counter of its own, so
// nobody can lock its owner out of it (docs/decisions/0020-abuse-guard.md).
#pragma once

#include "modules/audit/audit.hpp"
#include "platform/core/clock.hpp"
#include "platform/core/error.hpp"
#include "platform/core/task.hpp"
#include "platform/telemetry/metrics.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace kit::http {
struct CookiePolicy;
class RequestContext;
struct Response;
}  // namespace kit::http

namespace kit::limits {
class Bypass;
class Cooldowns;
}  // namespace kit::limits

namespace kit::auth {

// What is guarded. Each has counters of its own.
enum class Guarded : std::uint8_t { login, forgot, change_password };

// The cookie that tells a device on which accounts have signed in: a random name of the device, and a mark
// for each of the last `accounts_max` of them that only this server can make.
class DeviceCookies {
public:
    static constexpr std::size_t accounts_max = 4;
    static constexpr std::string_view name = "known_device";
    static constexpr std::chrono::days lifetime{365};

    DeviceCookies(std::string_view secret, Random& random);
    DeviceCookies(const DeviceCookies&) = delete;
    DeviceCookies& operator=(const DeviceCookies&) = delete;
    ~DeviceCookies();

    // The device's name where the cookie is ours and the account has signed in with it.
    std::optional<std::string> device_of(std::string_view cookie, std::string_view account) const;

    // The cookie with the account added; nothing where it knows the account already.
    std::optional<std::string> with_account(std::string_view cookie, std::string_view account) const;

private:
    struct Key;

    std::string mark(std::string_view device, std::string_view account) const;

    std::unique_ptr<const Key> key_;
    Random& random_;
};

class AbuseGuard {
public:
    struct Deps {
        limits::Cooldowns* cooldowns;  // null: switched off
        const limits::Bypass& bypass;
        const DeviceCookies& devices;
        Clock& clock;
        telemetry::Registry& metrics;
        audit::Service& audit;
    };

    explicit AbuseGuard(const Deps& deps);

    // One try, from its check to its end.
    struct Attempt {
        Guarded scope = Guarded::login;
        std::string account;                  // normalised address, or the user's id; blank: counted nowhere
        std::string network;                  // the address as limits see it
        std::string device_cookie;            // as it came
        std::optional<std::int64_t> user_id;  // where he is signed in
        audit::Origin origin;
        std::string path;
        std::optional<std::int64_t> caller;  // whom an access token names, for the bypass
    };

    // How long the caller has to wait before this is tried at all; nothing where it may be.
    Task<std::optional<std::chrono::milliseconds>> check(Attempt attempt) const;

    // The try was one of those that count. Nothing, unless it could not be counted and the scope then refuses
    // (forgot): how long to wait.
    Task<std::optional<std::chrono::milliseconds>> failed(Attempt attempt) const;

    // It proved who he is.
    Task<void> succeeded(Attempt attempt) const;

    // Whether the account has not signed in on this device; false as well where the guard is switched off, as
    // no device is known then.
    bool is_new_device(const Attempt& attempt) const;

    // The cookie by which the device will be known; nothing where it is known, or the guard switched off.
    std::optional<std::string> device_cookie(const Attempt& attempt) const;

private:
    struct Names;

    Names names(const Attempt& attempt) const;
    std::optional<std::string_view> bypassed(const Attempt& attempt) const;
    void count(const Attempt& attempt, std::string_view action, std::string_view outcome) const;
    void record(const Attempt& attempt, std::string_view outcome, std::string_view reason) const;

    Deps deps_;
    telemetry::Counter events_;
    telemetry::Histogram cooldowns_;
};

// For the handlers: the attempt that a request makes.
AbuseGuard::Attempt attempt_of(const http::RequestContext& ctx, Guarded scope, std::string account);

// 429 with the guard's headers.
Error refuse_attempt(http::RequestContext& ctx, std::chrono::milliseconds wait);

// After a sign-in: the device is known from now on, to whom signs in below `path`.
void remember_device(
    http::Response& response,
    const AbuseGuard& guard,
    const AbuseGuard::Attempt& attempt,
    const http::CookiePolicy& policy,
    std::string_view path = "/api/v1/auth"
);

}  // namespace kit::auth
