// What a route demands before its handler runs, as plain data. src/app/guards.cpp binds each to the
// middleware that enforces it, so that no module depends on another one just to be protected.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kit::http {

struct Guard {
    enum class Kind : std::uint8_t { authenticated, csrf, permission };

    Kind kind;
    std::string_view permission{};  // resource:action

    bool operator==(const Guard&) const = default;
};

// A valid access token, else 401.
inline constexpr Guard authenticated{Guard::Kind::authenticated};

// The double-submit CSRF pair, else 403.
inline constexpr Guard csrf_checked{Guard::Kind::csrf};

// The signed-in user has this permission now, whatever his token says; else 403. Stands after
// `authenticated`.
constexpr Guard permission(std::string_view name)
{
    return {Guard::Kind::permission, name};
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
    }
    return {};
}

}  // namespace kit::http
