// The built-in provider of development: "Sign in with Google" without a network or an account at Google. It
// lets anybody sign in as anybody, so its routes are in no other profile's table. A browser meets it under
// /_dev/idp; what this server asks of a provider it answers in this process, so that the sign-in goes the way
// that it goes with every provider, but for the wire.
#pragma once

#include "platform/core/clock.hpp"
#include "platform/crypto/seal.hpp"
#include "platform/crypto/signed_token.hpp"
#include "platform/http/route.hpp"
#include "platform/outbound/http_client.hpp"

#include <chrono>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace kit::app {

class DevIdp final : public outbound::Sender {
public:
    static constexpr std::string_view issuer = "https://dev-idp.invalid";  // RFC 2606: never resolves
    static constexpr std::string_view client_id = "development";
    static constexpr std::string_view authorize_path = "/_dev/idp";
    static constexpr std::string_view token_url = "https://dev-idp.invalid/token";
    static constexpr std::string_view keys_url = "https://dev-idp.invalid/keys";

    static constexpr std::chrono::minutes code_life{1};
    static constexpr std::chrono::hours token_life{1};
    static constexpr std::size_t used_codes_max = 1'024;

    // The keys are a function of `secret`: codes and tokens outlive a restart, and serve on every node.
    // `redirect_url` is where browsers are sent; empty: `callback_path` at the origin that they ask.
    struct Settings {
        std::string secret;
        std::string redirect_url;
        std::string callback_path;
    };

    DevIdp(Clock& clock, Random& random, Settings settings);

    // The token endpoint and the keys.
    Task<outbound::HttpResult> send(outbound::HttpRequest request) override;

    // The page that asks who signs in.
    http::Reply ask(const http::RequestContext& ctx) const;

    // What its form sends: back to the callback with a code, or without.
    http::Reply decide(const http::RequestContext& ctx);

private:
    bool may_return_to(const http::RequestContext& ctx, std::string_view redirect_uri) const;
    outbound::HttpResponse exchange(std::string_view body);
    bool use_up(const std::string& code);

    Clock& clock_;
    Random& random_;
    Settings settings_;
    Sealer codes_;
    jwt::NamedKey signer_;
    std::mutex mutex_;
    std::deque<std::string> used_;  // codes, the oldest first
};

std::vector<http::Route> routes(DevIdp& provider);

}  // namespace kit::app
