// What the services of signing in with providers share.
#pragma once

#include "modules/auth/auth_oidc.hpp"
#include "modules/auth/auth_oidc_client_service.hpp"
#include "modules/auth/auth_oidc_state_service.hpp"
#include "platform/mail/mail.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kit::auth {

struct Oidc::Party {
    Party(ProviderSettings given, Clock& clock, const OidcInstruments& instruments)
        : settings(std::move(given)), client(std::make_unique<ProviderClient>(settings, clock, instruments))
    {
    }

    ProviderSettings settings;
    std::unique_ptr<ProviderClient> client;  // refers to the settings
};

struct Oidc::Kept {
    Kept(
        std::string_view secret,
        std::chrono::seconds life,
        telemetry::Registry& metrics,
        Clock& clock,
        std::vector<ProviderSettings> providers
    )
        : states(secret, life), instruments(metrics)
    {
        for (auto& provider : providers) {
            parties.push_back(std::make_unique<const Party>(std::move(provider), clock, instruments));
        }
    }

    States states;
    OidcInstruments instruments;
    std::vector<std::unique_ptr<const Party>> parties;
};

// The address is verified; name and picture may be blank.
struct Oidc::Person {
    std::string subject;
    std::string email;
    std::string name;
    std::string picture;
};

struct Oidc::Linked {
    users::User user;
    std::string_view how{};  // the account came to be the user's; blank: it was his before
    std::optional<audit::Entry> entry{};
    std::vector<cache::Epochs::Raised> raised{};
    sessions::Ended ended{};
    bool told = false;  // the owner, by mail
};

// Who was disabled meanwhile learns what everybody learns.
inline ProviderFault not_active()
{
    return {.error_class = "other", .message = "sign-in failed", .cause = "the user is not active"};
}

// Nothing for an address that no envelope can carry.
std::optional<mail::Letter> new_device_letter(
    const mail::Outbox& outbox,
    const std::string& product,
    const std::string& email,
    const sessions::Device& device,
    Timestamp now
);

}  // namespace kit::auth
