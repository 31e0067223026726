// The providers that people sign in with, as the settings name them.
#pragma once

#include "app/dev_idp.hpp"
#include "modules/auth/auth.hpp"
#include "platform/config/config.hpp"

#include <optional>
#include <vector>

namespace kit::app {

// Where the development provider answers in Google's place.
std::optional<DevIdp::Settings> dev_idp_settings(const config::Config& config);

// Google first, on or off. `client` speaks to all of them but the development provider.
std::vector<auth::ProviderSettings> provider_settings(
    const config::Config& config, outbound::Sender& client, DevIdp* development
);

}  // namespace kit::app
