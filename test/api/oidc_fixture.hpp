// A browser that signs in with a provider, step by step.
#pragma once

#include "api_fixture.hpp"
#include "platform/core/encoding.hpp"
#include "support/oidc_provider.hpp"

#include <string>
#include <utility>

namespace kit::test {

inline constexpr const char* google_login = "/api/v1/auth/google/login";
inline constexpr const char* google_callback = "/api/v1/auth/google/callback";
inline constexpr const char* stub_login = "/api/v1/auth/oidc/stub/login";
inline constexpr const char* stub_callback = "/api/v1/auth/oidc/stub/callback";
inline constexpr const char* state_secret = "state-secret-1234567890";

// The development provider in Google's place.
inline void use_dev_provider(config::Config& config)
{
    config.tokens.oauth_state_secret = config::Secret(state_secret);
    config.google.development_provider = true;
}

// The provider of a test, found by discovery.
inline config::OidcProvider stub_provider(const OidcProvider& provider)
{
    return {
        .name = "stub",
        .label = "Stub",
        .issuer = provider.issuer(),
        .client_id = "client",
        .client_secret = config::Secret("client-secret"),
        .redirect_url = {}
    };
}

// What an address asks of its server.
inline std::string path_of(const std::string& address)
{
    return address.starts_with("http") ? address.substr(address.find('/', address.find("//") + 2)) : address;
}

// The page of the development provider, filled in and sent: where it leads.
inline std::string decide(
    Api& api, const std::string& location, std::vector<std::pair<std::string, std::string>> fields
)
{
    for (const auto& [name, value] : query_of(location)) {
        fields.emplace_back(name, value);
    }
    std::string body;
    for (const auto& [name, value] : fields) {
        body += (body.empty() ? "" : "&") + percent_encode(name) + "=" + percent_encode(value);
    }
    return api.send({.method = "POST", .path = "/_dev/idp", .body = body}).header("location").value_or("");
}

struct DevPerson {
    std::string email = "ada@example.com";
    std::string name = "Ada Lovelace";
    bool verified = true;
};

// From the login to the callback's answer.
inline ApiResponse sign_in_with_google(
    Api& api, CookieJar& jar, const DevPerson& person = {}, const std::string& login = google_login
)
{
    const auto begun = api.send(jar, {.path = login});
    const auto back = decide(
        api,
        begun.header("location").value_or(""),
        {{"email", person.email},
         {"name", person.name},
         {"email_verified", person.verified ? "true" : "false"},
         {"decision", "allow"}}
    );
    return api.send(jar, {.path = path_of(back)});
}

// The same with a provider that is not in this process; `back` may spoil what the browser brings back.
inline ApiResponse sign_in_with_stub(Api& api, CookieJar& jar, OidcProvider& provider)
{
    const auto begun = api.send(jar, {.path = stub_login});
    const auto location = begun.header("location").value_or("");
    const auto code = provider.grant(location);
    return api.send(
        jar, {.path = std::string(stub_callback) + "?code=" + code + "&state=" + query_of(location)["state"]}
    );
}

// Whether an answer hands out a session.
inline bool signs_in(const ApiResponse& response)
{
    return response.cookie("access_token").value_or("").size() > 0 ||
           response.cookie("refresh_token").value_or("").size() > 0;
}

}  // namespace kit::test
