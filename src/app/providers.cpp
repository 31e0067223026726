#include "app/providers.hpp"

namespace kit::app {

namespace {

constexpr std::string_view google_callback = "/api/v1/auth/google/callback";

auth::ProviderSettings google(const config::Config& config, outbound::Sender& client)
{
    const auto& google = config.google;
    const bool own_issuer = google.issuer == config::GoogleConfig().issuer;
    return {
        .name = "google",
        .label = "Google",
        .enabled = google.enabled,
        .issuer = google.issuer,
        // Google's documentation: "always https://accounts.google.com or accounts.google.com".
        .issuer_alias = own_issuer ? "accounts.google.com" : "",
        .client_id = google.client_id,
        .client_secret = std::string(google.client_secret.reveal()),
        .redirect_url = google.redirect_url,
        .endpoints =
            auth::ProviderEndpoints{
                .authorization = google.auth_url,
                .token = google.token_url,
                .userinfo = google.userinfo_url,
                .keys = google.jwks_url
            },
        .login_parameters = {{"access_type", "offline"}, {"prompt", "consent"}},
        .secret_in_body = true,
        .sender = &client,
    };
}

auth::ProviderSettings in_place_of_google(const DevIdp::Settings& settings, DevIdp& development)
{
    return {
        .name = "google",
        .label = "Google",
        .issuer = std::string(DevIdp::issuer),
        .client_id = std::string(DevIdp::client_id),
        .client_secret = "development",
        .redirect_url = settings.redirect_url,
        .endpoints =
            auth::ProviderEndpoints{
                .authorization = std::string(DevIdp::authorize_path),
                .token = std::string(DevIdp::token_url),
                .userinfo = "",
                .keys = std::string(DevIdp::keys_url)
            },
        .login_parameters = {{"access_type", "offline"}, {"prompt", "consent"}},
        .secret_in_body = true,
        .sender = &development,
    };
}

}  // namespace

// A redirect URL that nobody has set would name a port that may not be ours.
std::optional<DevIdp::Settings> dev_idp_settings(const config::Config& config)
{
    if (!config.local_like() || !config.google.development_provider) {
        return std::nullopt;
    }
    return DevIdp::Settings{
        .secret = std::string(config.tokens.oauth_state_secret.reveal()),
        .redirect_url = config.given("GOOGLE_OAUTH_REDIRECT_URL") ? config.google.redirect_url : "",
        .callback_path = std::string(google_callback)
    };
}

std::vector<auth::ProviderSettings> provider_settings(
    const config::Config& config, outbound::Sender& client, DevIdp* development
)
{
    std::vector<auth::ProviderSettings> providers;
    const auto settings = dev_idp_settings(config);
    providers.push_back(
        development != nullptr && settings ? in_place_of_google(*settings, *development)
                                           : google(config, client)
    );
    for (const auto& provider : config.oidc.providers) {
        providers.push_back({
            .name = provider.name,
            .label = provider.label,
            .issuer = provider.issuer,
            .client_id = provider.client_id,
            .client_secret = std::string(provider.client_secret.reveal()),
            .redirect_url = provider.redirect_url,
            .loopback_allowed = config.local_like(),
            .sender = &client,
        });
    }
    return providers;
}

}  // namespace kit::app
