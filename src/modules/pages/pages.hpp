// Pages for people: sign-in, registration, verification, passwords and devices, under /account, as HTML that
// works without scripts. They stand on the services, guards and cookies of the API (docs/pages.md).
#pragma once

#include "modules/auth/auth.hpp"
#include "modules/sessions/sessions.hpp"
#include "modules/users/users.hpp"

#include <string>
#include <vector>

namespace kit::http {
struct Route;
}  // namespace kit::http

namespace kit::pages {

struct Settings {
    std::string product;                      // what people know the service by
    bool local_enabled = true;                // accounts with a password
    std::vector<auth::Provider> providers{};  // others who prove who a visitor is
};

struct Routes {
    auth::Routes& auth;
    sessions::Routes& sessions;
    users::Service& users;
    Settings settings;
};

std::vector<http::Route> routes(Routes& handlers);

inline constexpr std::string_view verify_path = "/account/verify";
inline constexpr std::string_view reset_path = "/account/reset";

}  // namespace kit::pages
