#include "modules/auth/auth_oidc_client_service.hpp"

#include "platform/core/encoding.hpp"
#include "platform/crypto/jwk_set.hpp"
#include "platform/json/json.hpp"

#include <algorithm>
#include <array>

namespace kit::auth {

namespace {

constexpr std::array duration_bounds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0};

constexpr telemetry::Instrument google_request_duration{
    .name = "auth.oauth.google.request.duration",
    .kind = telemetry::InstrumentKind::histogram,
    .unit = "s",
    .description = "Calls to Google.",
    .attributes = {"operation", "status"},
    .bounds = duration_bounds,
};

constexpr telemetry::Instrument google_error_count{
    .name = "auth.oauth.google.errors",
    .description = "Sign-ins with Google that failed.",
    .attributes = {"error_class"},
};

constexpr telemetry::Instrument request_duration{
    .name = "auth.oidc.request.duration",
    .kind = telemetry::InstrumentKind::histogram,
    .unit = "s",
    .description = "Calls to the providers of OIDC_PROVIDERS.",
    .attributes = {"provider", "operation", "status"},
    .bounds = duration_bounds,
};

constexpr telemetry::Instrument error_count{
    .name = "auth.oidc.errors",
    .description = "Sign-ins with the providers of OIDC_PROVIDERS that failed.",
    .attributes = {"provider", "error_class"},
};

constexpr std::size_t key_id_bytes_max = 256;  // of one that is sought

constexpr std::string_view unreachable_text = "the sign-in provider cannot be reached";
constexpr std::string_view refused_text = "the sign-in provider did not accept the code";
constexpr std::string_view unusable_text = "the sign-in provider's answer cannot be used";

// OpenID Connect Discovery 1.0 section 3, as far as we read it. RFC 9207 section 3 adds the last.
struct Discovered {
    std::string issuer;
    std::string authorization_endpoint;
    std::string token_endpoint;
    std::string userinfo_endpoint;
    std::string jwks_uri;
    std::optional<std::vector<std::string>> token_endpoint_auth_methods_supported;
    bool authorization_response_iss_parameter_supported = false;
};
BOOST_DESCRIBE_STRUCT(
    Discovered,
    (),
    (issuer,
     authorization_endpoint,
     token_endpoint,
     userinfo_endpoint,
     jwks_uri,
     token_endpoint_auth_methods_supported,
     authorization_response_iss_parameter_supported)
)

// RFC 6749 section 5.1 and OpenID Connect Core 1.0 section 3.1.3.3.
struct TokenAnswer {
    std::string access_token;
    std::string id_token;
};
BOOST_DESCRIBE_STRUCT(TokenAnswer, (), (access_token, id_token))

std::unexpected<ProviderFault> fault(
    std::string_view error_class, std::string_view message, std::string cause
)
{
    return std::unexpected(
        ProviderFault{.error_class = error_class, .message = std::string(message), .cause = std::move(cause)}
    );
}

std::string_view class_of(outbound::HttpFailure failure)
{
    return failure == outbound::HttpFailure::timed_out ? "timeout" : "other";
}

std::string form(std::initializer_list<std::pair<std::string_view, std::string_view>> fields)
{
    std::string text;
    for (const auto& [name, value] : fields) {
        text += text.empty() ? "" : "&";
        text += percent_encode(name) + '=' + percent_encode(value);
    }
    return text;
}

bool is_loopback(std::string_view url)
{
    constexpr std::string_view scheme = "http://";
    if (!url.starts_with(scheme)) {
        return false;
    }
    url.remove_prefix(scheme.size());
    const auto host = url.substr(0, url.find_first_of("/?#"));
    return std::ranges::any_of(
        std::array<std::string_view, 3>{"127.0.0.1", "localhost", "[::1]"},
        [&](std::string_view name) {
            return host == name ||
                   (host.starts_with(name) && host[name.size()] == ':' && !host.contains('@'));
        }
    );
}

// The methods' default is Basic: RFC 8414 section 2. RFC 6749 section 2.3.1 prefers it, too.
bool wants_secret_in_body(const std::optional<std::vector<std::string>>& methods)
{
    const auto offers = [&](std::string_view method) {
        return std::ranges::find(*methods, method) != methods->end();
    };
    return methods && !offers("client_secret_basic") && offers("client_secret_post");
}

bool lacks(const Claims& claims)
{
    return claims.email.empty() || !claims.email_verified || claims.name.empty();
}

}  // namespace

OidcInstruments::OidcInstruments(telemetry::Registry& metrics)
    : google_duration(metrics, google_request_duration),
      google_errors(metrics, google_error_count),
      duration(metrics, request_duration),
      errors(metrics, error_count)
{
}

ProviderClient::ProviderClient(
    const ProviderSettings& settings, Clock& clock, const OidcInstruments& instruments
)
    : settings_(settings), clock_(clock), instruments_(instruments)
{
}

void ProviderClient::count_error(std::string_view error_class) const
{
    if (settings_.is_google()) {
        instruments_.google_errors.add({error_class});
    } else {
        instruments_.errors.add({settings_.name, error_class});
    }
}

bool ProviderClient::url_allowed(std::string_view url) const
{
    return url.starts_with("https://") || (settings_.loopback_allowed && is_loopback(url));
}

// Any answer but 200 counts as an error, and is the caller's to judge.
Task<ProviderAnswer<outbound::HttpResponse>> ProviderClient::call(
    std::string_view operation, outbound::HttpRequest request, SteadyTime deadline
)
{
    const auto started = clock_.steady_now();
    const auto left = std::chrono::floor<std::chrono::milliseconds>(deadline - started);
    if (left.count() <= 0) {
        co_return fault("timeout", unreachable_text, std::string(operation) + ": no time left");
    }
    request.time_max = std::min(left, call_time_max);
    request.response_bytes_max = answer_bytes_max;
    request.headers.emplace_back("Accept", "application/json");
    auto result = co_await settings_.sender->send(std::move(request));
    const std::string_view status = result && result->status == 200 ? "success" : "error";
    const auto seconds = telemetry::seconds_between(started, clock_.steady_now());
    if (settings_.is_google()) {
        instruments_.google_duration.record(seconds, {operation, status});
    } else {
        instruments_.duration.record(seconds, {settings_.name, operation, status});
    }
    if (result) {
        co_return std::move(*result);
    }
    if (result.error() == outbound::HttpFailure::cancelled) {
        throw Cancelled("a call to a sign-in provider was cancelled");
    }
    const bool too_large = result.error() == outbound::HttpFailure::too_large;
    co_return fault(
        class_of(result.error()),
        too_large ? unusable_text : unreachable_text,
        std::string(operation) + ": " + std::string(outbound::to_string(result.error()))
    );
}

Task<ProviderAnswer<ProviderMetadata>> ProviderClient::metadata(SteadyTime deadline)
{
    if (settings_.endpoints) {
        co_return ProviderMetadata{
            .endpoints = *settings_.endpoints,
            .secret_in_body = settings_.secret_in_body,
            .names_issuer = false
        };
    }
    {
        const std::lock_guard lock(mutex_);
        const auto age = clock_.steady_now() - discovered_at_;
        if (discovered_ && age < (*discovered_ ? SteadyTime::duration(cache_time) : retry_pause)) {
            co_return *discovered_;
        }
    }
    const auto outcome =
        co_await discoveries_.run("discovery", [this, deadline] { return discover(deadline); });
    co_return *outcome.value;
}

Task<ProviderClient::Discovery> ProviderClient::discover(SteadyTime deadline)
{
    auto base = std::string_view(settings_.issuer);
    base.remove_suffix(base.ends_with('/') ? 1 : 0);
    const auto answer = co_await call(
        "discovery", {.url = std::string(base) + "/.well-known/openid-configuration"}, deadline
    );
    auto result = [&]() -> ProviderAnswer<ProviderMetadata> {
        if (!answer) {
            return std::unexpected(answer.error());
        }
        if (answer->status != 200) {
            return fault("other", unreachable_text, "discovery: status " + std::to_string(answer->status));
        }
        auto read = json::read<Discovered>(answer->body);
        // Section 4.3: a document of another issuer is somebody else's.
        if (!read || read->issuer != settings_.issuer) {
            return fault("other", unusable_text, "discovery: no document of the issuer");
        }
        for (const auto* const url :
             {&read->authorization_endpoint, &read->token_endpoint, &read->jwks_uri}) {
            if (!url_allowed(*url)) {
                return fault("other", unusable_text, "discovery: an endpoint is missing or not https");
            }
        }
        if (!url_allowed(read->userinfo_endpoint)) {
            read->userinfo_endpoint.clear();
        }
        return ProviderMetadata{
            .endpoints =
                {.authorization = std::move(read->authorization_endpoint),
                 .token = std::move(read->token_endpoint),
                 .userinfo = std::move(read->userinfo_endpoint),
                 .keys = std::move(read->jwks_uri)},
            .secret_in_body = wants_secret_in_body(read->token_endpoint_auth_methods_supported),
            .names_issuer = read->authorization_response_iss_parameter_supported,
        };
    }();
    auto discovered = std::make_shared<const ProviderAnswer<ProviderMetadata>>(std::move(result));
    const std::lock_guard lock(mutex_);
    discovered_ = discovered;
    discovered_at_ = clock_.steady_now();
    co_return discovered;
}

Task<ProviderAnswer<Claims>> ProviderClient::claims(
    ProviderMetadata metadata, Exchange exchange, SteadyTime deadline
)
{
    const auto nonce = exchange.nonce;
    auto tokens = TRY(co_await exchange_code(metadata, std::move(exchange), deadline));
    const auto token = jwt::SignedToken::parse(tokens.id_token);
    if (!token) {
        co_return fault("invalid_id_token", unusable_text, "id_token: malformed, or another algorithm");
    }
    const auto keys = TRY(co_await this->keys(metadata.endpoints.keys, *token, deadline));
    auto verified = verify_id_token(
        *token,
        *keys,
        {.issuer = settings_.issuer,
         .issuer_alias = settings_.issuer_alias,
         .client_id = settings_.client_id,
         .nonce = nonce,
         .now = clock_.now()}
    );
    if (!verified) {
        co_return fault(
            "invalid_id_token", unusable_text, "id_token: " + std::string(to_string(verified.error()))
        );
    }
    const bool can_ask = !metadata.endpoints.userinfo.empty() && !tokens.access_token.empty();
    if (!lacks(*verified) || !can_ask) {
        co_return std::move(*verified);
    }
    co_return co_await complete(
        std::move(*verified), metadata.endpoints.userinfo, std::move(tokens.access_token), deadline
    );
}

Task<ProviderAnswer<ProviderClient::Tokens>> ProviderClient::exchange_code(
    ProviderMetadata metadata, Exchange exchange, SteadyTime deadline
)
{
    outbound::HttpRequest request{.method = "POST", .url = metadata.endpoints.token};
    request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    if (metadata.secret_in_body) {
        request.body = form(
            {{"client_id", settings_.client_id},
             {"client_secret", settings_.client_secret},
             {"code", exchange.code},
             {"code_verifier", exchange.code_verifier},
             {"grant_type", "authorization_code"},
             {"redirect_uri", exchange.redirect_url}}
        );
    } else {
        const auto credentials =
            percent_encode(settings_.client_id) + ':' + percent_encode(settings_.client_secret);
        request.headers.emplace_back("Authorization", "Basic " + base64_encode(credentials));
        request.body = form(
            {{"code", exchange.code},
             {"code_verifier", exchange.code_verifier},
             {"grant_type", "authorization_code"},
             {"redirect_uri", exchange.redirect_url}}
        );
    }
    auto answer = TRY(co_await call("exchange", std::move(request), deadline));
    if (answer.status != 200) {
        co_return fault(
            "oauth2_exchange",
            answer.status >= 500 ? unreachable_text : refused_text,
            "exchange: status " + std::to_string(answer.status)
        );
    }
    auto read = json::read<TokenAnswer>(answer.body);
    if (!read || read->id_token.empty()) {
        co_return fault("oauth2_exchange", unusable_text, "exchange: no id_token");
    }
    co_return Tokens{.id_token = std::move(read->id_token), .access_token = std::move(read->access_token)};
}

// Whether there is no use in asking for the keys: the token's is among those known; or it was sought a moment
// ago, and was not there.
bool ProviderClient::lacks_nothing_known(const jwt::SignedToken& token)
{
    const auto now = clock_.steady_now();
    if (!keys_ || now - keys_at_ >= cache_time) {
        return false;
    }
    if (keys_->find(token.key_id, token.algorithm) != nullptr) {
        return true;
    }
    std::erase_if(sought_, [now](const auto& sought) { return now - sought.second >= unknown_key_pause; });
    return sought_.contains(token.key_id) || sought_.size() >= unknown_keys_max ||
           token.key_id.size() > key_id_bytes_max;
}

Task<ProviderAnswer<ProviderClient::Keys>> ProviderClient::keys(
    std::string url, jwt::SignedToken token, SteadyTime deadline
)
{
    {
        const std::lock_guard lock(mutex_);
        if (lacks_nothing_known(token)) {
            co_return keys_;
        }
        sought_.insert_or_assign(token.key_id.substr(0, key_id_bytes_max), clock_.steady_now());
    }
    const auto outcome =
        co_await key_fetches_.run("keys", [this, &url, deadline] { return fetch_keys(url, deadline); });
    co_return *outcome.value;
}

Task<ProviderClient::KeysAnswer> ProviderClient::fetch_keys(std::string url, SteadyTime deadline)
{
    const auto answer = co_await call("keys", {.url = std::move(url)}, deadline);
    auto result = [&]() -> ProviderAnswer<Keys> {
        if (!answer) {
            return std::unexpected(answer.error());
        }
        if (answer->status != 200) {
            return fault("other", unreachable_text, "keys: status " + std::to_string(answer->status));
        }
        auto set = jwt::KeySet::parse(answer->body);
        if (!set) {
            return fault("other", unusable_text, "keys: no set of keys, or one with too many");
        }
        return std::make_shared<const jwt::KeySet>(std::move(*set));
    }();
    if (result) {
        const std::lock_guard lock(mutex_);
        keys_ = *result;
        keys_at_ = clock_.steady_now();
    }
    co_return std::make_shared<const ProviderAnswer<Keys>>(std::move(result));
}

// What the ID token does not say, userinfo may. It must speak of the same person: OpenID Connect Core 1.0
// section 5.3.2. Whether an address is verified counts for the address beside which it stands.
Task<ProviderAnswer<Claims>> ProviderClient::complete(
    Claims claims, std::string url, std::string access_token, SteadyTime deadline
)
{
    outbound::HttpRequest request{.url = std::move(url)};
    request.headers.emplace_back("Authorization", "Bearer " + access_token);
    auto answer = TRY(co_await call("userinfo", std::move(request), deadline));
    if (answer.status != 200) {
        const auto text = "userinfo status: " + std::to_string(answer.status);
        co_return fault("userinfo_status", text, text);
    }
    auto more = read_userinfo(answer.body);
    if (!more || more->subject != claims.subject) {
        co_return fault("invalid_userinfo", unusable_text, "userinfo: unreadable, or of somebody else");
    }
    if (claims.email.empty()) {
        claims.email = std::move(more->email);
        claims.email_verified = more->email_verified;
    } else if (!claims.email_verified && claims.email == more->email) {
        claims.email_verified = more->email_verified;
    }
    if (claims.name.empty()) {
        claims.name = std::move(more->name);
    }
    if (claims.picture.empty()) {
        claims.picture = std::move(more->picture);
    }
    co_return claims;
}

}  // namespace kit::auth
