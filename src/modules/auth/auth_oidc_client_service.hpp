// Speaks to one provider: discovery, its keys, the exchange of a code, and userinfo. Every call is bounded in
// time and size, follows no redirect and verifies TLS (platform/outbound).
#pragma once

#include "modules/auth/auth_id_token_service.hpp"
#include "modules/auth/auth_oidc.hpp"
#include "platform/core/single_flight.hpp"
#include "platform/outbound/http_client.hpp"

#include <chrono>
#include <cstddef>
#include <expected>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace kit::jwt {
class KeySet;
}  // namespace kit::jwt

namespace kit::auth {

// What went wrong between us and a provider.
struct ProviderFault {
    std::string_view error_class;  // as counted
    std::string message;           // for the client
    std::string cause;             // for the log; no secret, and nothing that the provider wrote
};

template <class T>
using ProviderAnswer = std::expected<T, ProviderFault>;

// What a provider says of itself.
struct ProviderMetadata {
    ProviderEndpoints endpoints;
    bool secret_in_body = false;
    bool names_issuer = false;  // at the callback: RFC 9207
};

// Counted as the contract names it for Google, and by provider for all others.
struct OidcInstruments {
    explicit OidcInstruments(telemetry::Registry& metrics);

    telemetry::Histogram google_duration;
    telemetry::Counter google_errors;
    telemetry::Histogram duration;
    telemetry::Counter errors;
};

// Thread-safe.
class ProviderClient {
public:
    static constexpr std::chrono::milliseconds call_time_max{4'000};
    static constexpr std::chrono::milliseconds request_time_max{4'500};  // all calls of one request of ours
    static constexpr std::size_t answer_bytes_max = 1024UL * 1024;
    static constexpr std::chrono::hours cache_time{1};           // of the discovery document and the keys
    static constexpr std::chrono::seconds retry_pause{5};        // after a discovery that failed
    static constexpr std::chrono::minutes unknown_key_pause{1};  // until the same unknown key is sought again
    static constexpr std::size_t unknown_keys_max = 32;          // sought in that time

    ProviderClient(const ProviderSettings& settings, Clock& clock, const OidcInstruments& instruments);

    SteadyTime deadline() const { return clock_.steady_now() + request_time_max; }

    // From the cache, or by discovery.
    Task<ProviderAnswer<ProviderMetadata>> metadata(SteadyTime deadline);

    struct Exchange {
        std::string code;
        std::string code_verifier;
        std::string redirect_url;
        std::string nonce;
    };

    // Whom the code stands for.
    Task<ProviderAnswer<Claims>> claims(ProviderMetadata metadata, Exchange exchange, SteadyTime deadline);

    void count_error(std::string_view error_class) const;

private:
    using Discovery = std::shared_ptr<const ProviderAnswer<ProviderMetadata>>;
    using Keys = std::shared_ptr<const jwt::KeySet>;
    using KeysAnswer = std::shared_ptr<const ProviderAnswer<Keys>>;

    struct Tokens {
        std::string id_token;
        std::string access_token;
    };

    Task<ProviderAnswer<outbound::HttpResponse>> call(
        std::string_view operation, outbound::HttpRequest request, SteadyTime deadline
    );
    Task<Discovery> discover(SteadyTime deadline);
    Task<ProviderAnswer<Tokens>> exchange_code(
        ProviderMetadata metadata, Exchange exchange, SteadyTime deadline
    );
    Task<ProviderAnswer<Keys>> keys(std::string url, jwt::SignedToken token, SteadyTime deadline);
    Task<KeysAnswer> fetch_keys(std::string url, SteadyTime deadline);
    Task<ProviderAnswer<Claims>> complete(
        Claims claims, std::string url, std::string access_token, SteadyTime deadline
    );
    bool lacks_nothing_known(const jwt::SignedToken& token);
    bool url_allowed(std::string_view url) const;

    const ProviderSettings& settings_;
    Clock& clock_;
    const OidcInstruments& instruments_;
    SingleFlight<Discovery> discoveries_;
    SingleFlight<KeysAnswer> key_fetches_;
    std::mutex mutex_;  // of what follows; held for no wait
    Discovery discovered_;
    SteadyTime discovered_at_{};
    Keys keys_;
    SteadyTime keys_at_{};
    std::map<std::string, SteadyTime, std::less<>> sought_;  // unknown keys, and when
};

}  // namespace kit::auth
