#include "modules/auth/auth.hpp"
#include "modules/auth/auth_oidc_client_service.hpp"
#include "modules/auth/auth_oidc_parts_service.hpp"
#include "modules/auth/auth_oidc_repository.hpp"
#include "modules/auth/auth_oidc_state_service.hpp"
#include "platform/core/encoding.hpp"
#include "platform/db/database.hpp"
#include "platform/mail/mail.hpp"
#include "platform/mail/page.hpp"
#include "platform/telemetry/logger.hpp"

#include <algorithm>
#include <stdexcept>

namespace kit::auth {

namespace {

constexpr std::string_view scope = "openid email profile";
constexpr std::size_t avatar_url_characters_max = 1024;

// Of Google the contract's, of all others ours.
struct Kinds {
    audit::Kind begun;
    audit::Kind called_back;
    std::string_view signed_in;  // the reason of auth.login
};

constexpr Kinds google_kinds{
    .begun = {"auth.google.login", "oauth_login"},
    .called_back = {"auth.google.callback", "oauth_callback"},
    .signed_in = "oauth_google",
};

constexpr Kinds oidc_kinds{
    .begun = {"auth.oidc.login", "oauth_login"},
    .called_back = {"auth.oidc.callback", "oauth_callback"},
    .signed_in = "oauth_oidc",
};

constexpr audit::Kind signed_in_event{"auth.login", "login"};

const Kinds& kinds_of(const ProviderSettings& provider)
{
    return provider.is_google() ? google_kinds : oidc_kinds;
}

audit::Event event_of(
    const ProviderSettings& provider,
    const audit::Kind& kind,
    std::string_view outcome,
    std::string_view reason
)
{
    return {
        .kind = kind,
        .outcome = outcome,
        .reason = reason,
        .target_type = "auth_provider",
        .target_id = provider.name
    };
}

Error provider_disabled(const ProviderSettings& provider)
{
    return {ErrorCode::not_enabled, provider.name + " auth is disabled"};
}

Error invalid_state()
{
    return Error::unauthenticated("invalid oauth state");
}

// As HTML forms write it: the contract's form of the address.
std::string form_encode(std::string_view text)
{
    std::string out;
    for (const char byte : text) {
        out += byte == ' ' ? std::string(1, '+') : percent_encode({&byte, 1});
    }
    return out;
}

// The address with the parameters, in alphabetical order, behind a query that it may have already.
std::string with_query(std::string address, std::vector<std::pair<std::string, std::string>> parameters)
{
    std::ranges::sort(parameters);
    char separator = address.contains('?') ? '&' : '?';
    for (const auto& [name, value] : parameters) {
        address += separator;
        address += form_encode(name) + '=' + form_encode(value);
        separator = '&';
    }
    return address;
}

std::string redirect_url(const ProviderSettings& provider, std::string_view origin)
{
    return provider.redirect_url.empty() ? std::string(origin) + provider.path("callback")
                                         : provider.redirect_url;
}

// What may stand in an <img>; a longer address would be cut into another one.
std::string usable_picture(std::string_view url)
{
    const bool plain = std::ranges::all_of(url, [](char byte) { return byte > ' ' && byte < '\x7f'; });
    return mail::is_web_link(url) && plain && url.size() <= avatar_url_characters_max ? std::string(url) : "";
}

}  // namespace

std::string ProviderSettings::path(std::string_view step) const
{
    const auto base = is_google() ? "/api/v1/auth/google/" : "/api/v1/auth/oidc/" + name + '/';
    return base + std::string(step);
}

Oidc::Oidc(Deps deps, Settings settings, std::vector<ProviderSettings> providers)
    : deps_(deps),
      settings_(std::move(settings)),
      kept_(std::make_unique<const Kept>(
          settings_.state_secret, state_life, deps_.metrics, deps_.clock, std::move(providers)
      ))
{
}

Oidc::~Oidc() = default;

std::vector<Provider> Oidc::sign_in_providers() const
{
    std::vector<Provider> shown;
    for (const auto& party : kept_->parties) {
        const auto& provider = party->settings;
        if (provider.enabled) {
            shown.push_back(
                {.name = provider.name, .label = provider.label, .login_path = provider.path("login")}
            );
        }
    }
    return shown;
}

const ProviderSettings* Oidc::find(std::string_view name) const
{
    for (const auto& party : kept_->parties) {
        if (party->settings.name == name) {
            return &party->settings;
        }
    }
    return nullptr;
}

const Oidc::Party& Oidc::party(std::string_view name) const
{
    for (const auto& party : kept_->parties) {
        if (party->settings.name == name) {
            return *party;
        }
    }
    throw std::logic_error("no provider is named " + std::string(name));
}

Task<Result<Oidc::Departure>> Oidc::begin(std::string name, std::string origin, audit::Origin caller)
{
    const auto& party = this->party(name);
    const auto& provider = party.settings;
    const auto& kind = kinds_of(provider).begun;
    if (!provider.enabled) {
        deps_.audit.record(event_of(provider, kind, audit::outcome::rejected, "provider_disabled"), caller);
        co_return failure(provider_disabled(provider));
    }
    const auto metadata = co_await party.client->metadata(party.client->deadline());
    if (!metadata) {
        const auto refused = refuse(party, metadata.error());
        auto event = event_of(provider, kind, audit::outcome::failure, "provider_unavailable");
        event.extras.emplace_back("error", refused.error().message());
        deps_.audit.record(event, caller);
        co_return failure(
            Error(ErrorCode::unavailable, refused.error().message()).with_wire_code("OAUTH_FAILED")
        );
    }
    const auto state = kept_->states.issue(name, deps_.clock.now(), deps_.random);
    auto parameters = provider.login_parameters;
    parameters.insert(
        parameters.end(),
        {{"client_id", provider.client_id},
         {"code_challenge", States::code_challenge(kept_->states.code_verifier(state, name))},
         {"code_challenge_method", "S256"},
         {"nonce", kept_->states.nonce(state, name)},
         {"redirect_uri", redirect_url(provider, origin)},
         {"response_type", "code"},
         {"scope", std::string(scope)},
         {"state", state}}
    );
    const auto& authorization = metadata->endpoints.authorization;
    auto address = authorization.starts_with('/') ? origin + authorization : authorization;
    deps_.audit.record(event_of(provider, kind, audit::outcome::success, "redirect_issued"), caller);
    co_return Departure{
        .location = with_query(std::move(address), std::move(parameters)),
        .state_cookie = kept_->states.cookie(state)
    };
}

// In the contract's order.
Task<Result<sessions::Issued>> Oidc::finish(
    std::string name, Arrival arrival, Visitor visitor, audit::Origin caller, Landing& landing
)
{
    const auto& party = this->party(name);
    const auto& provider = party.settings;
    const auto failed = [&](std::string_view reason) {
        deps_.audit.record(
            event_of(provider, kinds_of(provider).called_back, audit::outcome::failure, reason), caller
        );
    };
    if (trim(arrival.state).empty() || trim(arrival.code).empty()) {
        landing.error = arrival.error == "access_denied" ? "access_denied" : "oauth_failed";
        failed("missing_code_or_state");
        co_return failure(Error::invalid("missing state or code"));
    }
    landing.error = "invalid_state";
    if (!kept_->states.owns(arrival.state_cookie, arrival.state)) {
        failed("invalid_state");
        co_return failure(invalid_state());
    }
    landing.state_known = true;
    if (!provider.enabled) {
        landing.error = "not_enabled";
        landing.not_counted = true;
        co_return failure(provider_disabled(provider));
    }
    const auto now = deps_.clock.now();
    const bool good = kept_->states.good(arrival.state, name, now) &&
                      co_await OidcRepository::use_state(
                          deps_.database, sha256_hex(arrival.state), now + state_life + clock_skew_max
                      );
    if (!good) {
        failed("invalid_state");
        co_return failure(invalid_state());
    }
    landing.error = "oauth_failed";
    auto event =
        event_of(provider, kinds_of(provider).called_back, audit::outcome::failure, "oauth_exchange_error");
    try {
        auto issued = co_await sign_in(party, std::move(arrival), visitor, caller);
        if (!issued) {
            event.extras.emplace_back("error", issued.error().message());
            deps_.audit.record(event, caller);
        }
        co_return issued;
    } catch (const Cancelled&) {
        throw;
    } catch (const std::exception&) {
        landing.error = "unavailable";
        event.extras.emplace_back("error", "unavailable");
        deps_.audit.record(event, caller);
        throw;
    }
}

Task<Result<sessions::Issued>> Oidc::sign_in(
    const Party& party, Arrival arrival, const Visitor& visitor, const audit::Origin& caller
)
{
    const auto& provider = party.settings;
    const auto person = TRY(co_await vouched(party, std::move(arrival)));
    auto linked = TRY(co_await link(party, person, caller));
    auto event = audit::by_user(
        signed_in_event, linked.user.id, audit::outcome::success, kinds_of(provider).signed_in
    );
    event.extras.emplace_back("provider", provider.name);
    const auto entry = deps_.audit.entry(event, caller);
    const bool used_before = linked.user.last_login_at != never;
    std::optional<mail::Letter> notice;
    if (used_before && visitor.on_new_device(linked.user.email)) {
        notice = new_device_letter(
            deps_.outbox, settings_.product, linked.user.email, visitor.device, deps_.clock.now()
        );
    }
    const sessions::Proof proof{.notice = notice ? &*notice : nullptr};
    auto issued = co_await deps_.sessions.sign_in(std::move(linked.user), visitor.device, entry, proof);
    if (!issued) {
        co_return refuse(party, not_active());
    }
    deps_.audit.announce(entry);
    if (issued->noticed) {
        deps_.outbox.wake();
    }
    co_return issued;
}

Task<Result<Oidc::Person>> Oidc::vouched(const Party& party, Arrival arrival)
{
    const auto& provider = party.settings;
    const auto deadline = party.client->deadline();
    const auto metadata = co_await party.client->metadata(deadline);
    if (!metadata) {
        co_return refuse(party, metadata.error());
    }
    // RFC 9207 section 2.4: the code is of the provider that we asked, and of no other.
    const bool ours = arrival.issuer == provider.issuer ||
                      (!provider.issuer_alias.empty() && arrival.issuer == provider.issuer_alias);
    if (arrival.issuer.empty() ? metadata->names_issuer : !ours) {
        co_return refuse(
            party,
            {.error_class = "other",
             .message = "the sign-in provider's answer cannot be used",
             .cause = "callback: missing or wrong issuer"}
        );
    }
    auto claims = co_await party.client->claims(
        *metadata,
        {.code = std::move(arrival.code),
         .code_verifier = kept_->states.code_verifier(arrival.state, provider.name),
         .redirect_url = redirect_url(provider, arrival.origin),
         .nonce = kept_->states.nonce(arrival.state, provider.name)},
        deadline
    );
    if (!claims) {
        co_return refuse(party, claims.error());
    }
    co_return person_of(party, std::move(*claims));
}

Result<Oidc::Person> Oidc::person_of(const Party& party, Claims claims) const
{
    auto email = normalise_email(claims.email);
    if (!is_address(email) || count_characters(email) > email_characters_max) {
        return refuse(
            party,
            {.error_class = "invalid_userinfo",
             .message = "missing required userinfo fields",
             .cause = "no usable address"}
        );
    }
    if (!claims.email_verified.value_or(false)) {
        const std::string who = party.settings.is_google() ? "google " : "";
        return refuse(
            party,
            {.error_class = "email_not_verified",
             .message = who + "email not verified",
             .cause = "the provider has not verified the address"}
        );
    }
    const auto name = normalise_name(claims.name);
    return Person{
        .subject = std::move(claims.subject),
        .email = std::move(email),
        .name = std::string(truncate_characters(name, name_characters_max)),
        .picture = usable_picture(claims.picture)
    };
}

std::unexpected<Error> Oidc::refuse(const Party& party, const ProviderFault& fault) const
{
    party.client->count_error(fault.error_class);
    deps_.logger.warn(
        "sign-in with a provider failed", {{"provider", party.settings.name}, {"cause", fault.cause}}
    );
    return failure(Error::unauthenticated(fault.message).with_wire_code("OAUTH_FAILED"));
}

Task<std::int64_t> Oidc::purge()
{
    std::int64_t total = 0;
    for (auto purged = purge_rows_max; purged == purge_rows_max;) {
        purged = co_await OidcRepository::purge_states(deps_.database, deps_.clock.now(), purge_rows_max);
        total += purged;
    }
    co_return total;
}

Task<void> Oidc::keep_purged()
{
    while (true) {
        co_await deps_.clock.sleep_for(purge_interval);
        try {
            co_await purge();
        } catch (const Unavailable& failed) {
            // Nothing is lost by keeping them until the database is back.
            deps_.logger.warn("old sign-in states not removed", {{"error", failed.what()}});
        }
    }
}

}  // namespace kit::auth
