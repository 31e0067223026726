// What a route demands before its handler runs, as plain data. src/app/guards.cpp binds each to the
// middleware that enforces it, so that no module depends on another one just to be protected.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kit::http {

// The limits on the number of requests. `api` holds for all; a row may name one more.
enum class Policy : std::uint8_t { api, auth, forgot, login, refresh, admin_write, admin_sync };

inline constexpr std::size_t policy_count = 7;

// As metrics and the RateLimit headers name it.
constexpr std::string_view to_string(Policy policy)
{
    switch (policy) {
        case Policy::api:
            return "api";
        case Policy::auth:
            return "auth";
        case Policy::forgot:
            return "auth_password_forgot";
        case Policy::login:
            return "route_login";
        case Policy::refresh:
            return "route_refresh";
        case Policy::admin_write:
            return "route_admin_write";
        case Policy::admin_sync:
            return "route_admin_sync";
    }
    return {};
}

struct Guard {
    enum class Kind : std::uint8_t { authenticated, csrf, permission, limited, idempotent, same_site };

    Kind kind;
    std::string_view permission{};  // resource:action
    std::string_view scope{};       // of idempotency keys
    Policy policy{};

    bool operator==(const Guard&) const = default;
};

// A valid access token, else 401.
inline constexpr Guard authenticated{Guard::Kind::authenticated};

// The double-submit CSRF pair, else 403.
inline constexpr Guard csrf_checked{Guard::Kind::csrf};

// Not sent by a page of another site, as far as the browser says so; else 403. For forms that sign somebody
// in: those who are signed in by a cookie already are asked by `authenticated`.
inline constexpr Guard same_site{Guard::Kind::same_site};

// The signed-in user has this permission now, whatever his token says; else 403. Stands after
// `authenticated`.
constexpr Guard permission(std::string_view name)
{
    return {.kind = Guard::Kind::permission, .permission = name};
}

// So many requests a minute, else 429. Those that a guard before it refuses do not count against it.
constexpr Guard limited(Policy policy)
{
    return {.kind = Guard::Kind::limited, .policy = policy};
}

// A request with an Idempotency-Key takes effect once; repetitions get the first one's answer. Stands after
// everything that may refuse the request, so that refusals do not use the key up.
constexpr Guard idempotent(std::string_view scope)
{
    return {.kind = Guard::Kind::idempotent, .scope = scope};
}

// As `routes` prints it.
inline std::string to_string(const Guard& guard)
{
    switch (guard.kind) {
        case Guard::Kind::authenticated:
            return "authenticated";
        case Guard::Kind::csrf:
            return "csrf_checked";
        case Guard::Kind::permission:
            return "permission(" + std::string(guard.permission) + ")";
        case Guard::Kind::limited:
            return "limited(" + std::string(to_string(guard.policy)) + ")";
        case Guard::Kind::idempotent:
            return "idempotent(" + std::string(guard.scope) + ")";
        case Guard::Kind::same_site:
            return "same_site";
    }
    return {};
}

}  // namespace kit::http
