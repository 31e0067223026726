#include "platform/config/rules.hpp"
#include "platform/config/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace kit::config {

namespace {

constexpr std::size_t providers_max = 16;
constexpr std::size_t provider_name_max = 32;

// The name stands in paths, and in the names of variables.
bool is_provider_name(std::string_view name)
{
    constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyz0123456789-";
    return !name.empty() && name.size() <= provider_name_max && name.front() >= 'a' && name.front() <= 'z' &&
           name.find_first_not_of(allowed) == std::string_view::npos && name != "google";
}

std::string_view host_of(std::string_view rest)
{
    return rest.substr(0, rest.find_first_of("/?#"));
}

bool is_loopback_host(std::string_view host)
{
    return std::ranges::any_of(
        std::array<std::string_view, 3>{"127.0.0.1", "localhost", "[::1]"},
        [&](std::string_view name) {
            return host == name || (host.starts_with(name) && host[name.size()] == ':');
        }
    );
}

// https, or where `loopback` says so http to this machine; nothing of a user, and no fragment.
bool is_web_address(std::string_view url, bool loopback)
{
    const bool plain = std::ranges::all_of(url, [](char byte) {
        return byte > ' ' && byte < '\x7f' && byte != '"' && byte != '<' && byte != '>' && byte != '#';
    });
    constexpr std::string_view https = "https://";
    constexpr std::string_view http = "http://";
    const bool secure = url.starts_with(https);
    if (!plain || (!secure && !url.starts_with(http))) {
        return false;
    }
    const auto host = host_of(url.substr(secure ? https.size() : http.size()));
    return is_host_port(host, false) && !host.contains('@') &&
           (secure || (loopback && is_loopback_host(host)));
}

void check_address(Rules& rules, std::string_view variable, std::string_view url)
{
    const bool local = rules.config().local_like();
    rules.require(
        is_web_address(url, local),
        variable,
        fmt::format("{} must be an https:// address", variable),
        local ? "write https://…, or http://localhost:PORT… for a provider on this machine"
              : "write https://…"
    );
}

void check_google_addresses(Rules& rules)
{
    const auto& google = rules.config().google;
    for (const auto& [variable, url] :
         {std::pair{std::string_view("GOOGLE_OAUTH_ISSUER"), &google.issuer},
          {"GOOGLE_OAUTH_AUTH_URL", &google.auth_url},
          {"GOOGLE_OAUTH_TOKEN_URL", &google.token_url},
          {"GOOGLE_OAUTH_USERINFO_URL", &google.userinfo_url},
          {"GOOGLE_OAUTH_JWKS_URL", &google.jwks_url}}) {
        check_address(rules, variable, *url);
    }
}

void check_provider(Rules& rules, const OidcProvider& provider)
{
    const auto variable = [&](std::string_view member) { return oidc_variable(provider.name, member); };
    const auto required = [&](std::string_view member, bool given) {
        const auto name = variable(member);
        rules.require(
            given,
            name,
            fmt::format("{} is required by OIDC_PROVIDERS", name),
            fmt::format("set {}, or take {} out of OIDC_PROVIDERS", name, provider.name)
        );
    };
    required("ISSUER", !provider.issuer.empty());
    required("CLIENT_ID", !provider.client_id.empty());
    required("CLIENT_SECRET", !provider.client_secret.empty());
    if (!provider.issuer.empty()) {
        check_address(rules, variable("ISSUER"), provider.issuer);
        // OpenID Connect Discovery 1.0 section 3.
        const auto name = variable("ISSUER");
        rules.require(
            !provider.issuer.contains('?'),
            name,
            fmt::format("{} must have no query", name),
            "write the issuer as the provider's discovery document has it"
        );
    }
    const auto redirect = variable("REDIRECT_URL");
    const auto callback = fmt::format("/api/v1/auth/oidc/{}/callback", provider.name);
    if (!provider.redirect_url.empty()) {
        check_address(rules, redirect, provider.redirect_url);
    } else {
        rules.require(
            rules.config().local_like(),
            redirect,
            fmt::format("{} is required outside local-like profiles", redirect),
            fmt::format(
                "set {} to https://YOUR-HOST{}, and register it with the provider", redirect, callback
            )
        );
    }
}

}  // namespace

std::string oidc_variable(std::string_view provider, std::string_view member)
{
    std::string name = "OIDC_";
    for (const char byte : provider) {
        name += byte == '-' ? '_' : static_cast<char>(byte >= 'a' && byte <= 'z' ? byte - 'a' + 'A' : byte);
    }
    return name.append("_").append(member);
}

void check_providers(Rules& rules)
{
    const auto& config = rules.config();
    check_google_addresses(rules);
    rules.require(
        config.local_like() || !config.google.development_provider,
        "AUTH_DEV_PROVIDER",
        "AUTH_DEV_PROVIDER must be false outside local-like profiles",
        "leave AUTH_DEV_PROVIDER out: it lets anybody sign in as anybody"
    );
    const auto& names = config.oidc.names;
    const bool distinct = std::set<std::string>(names.begin(), names.end()).size() == names.size();
    const bool sound =
        distinct && names.size() <= providers_max && std::ranges::all_of(names, is_provider_name);
    rules.require(
        sound,
        "OIDC_PROVIDERS",
        "OIDC_PROVIDERS must be different names of lower-case letters, digits and -",
        "write such as keycloak,company-login; google has variables of its own"
    );
    if (sound) {
        for (const auto& provider : config.oidc.providers) {
            check_provider(rules, provider);
        }
    }
}

}  // namespace kit::config
