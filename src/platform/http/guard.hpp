// What a route demands before its handler runs, as plain data. src/app/guards.cpp binds each to the
// middleware that enforces it, so that no module depends on another one just to be protected.
#pragma once

#include <cstdint>
#include <string_view>

namespace kit::http {

struct Guard {
    enum class Kind : std::uint8_t { authenticated, csrf };

    Kind kind;

    bool operator==(const Guard&) const = default;
};

// A valid access token, else 401.
inline constexpr Guard authenticated{Guard::Kind::authenticated};

// The double-submit CSRF pair, else 403.
inline constexpr Guard csrf_checked{Guard::Kind::csrf};

// As `routes` prints it.
constexpr std::string_view to_string(const Guard& guard)
{
    switch (guard.kind) {
        case Guard::Kind::authenticated:
            return "authenticated";
        case Guard::Kind::csrf:
            return "csrf_checked";
    }
    return {};
}

}  // namespace kit::http
