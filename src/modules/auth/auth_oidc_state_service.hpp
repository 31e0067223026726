// The state of a sign-in that a provider takes part in. No node keeps it: a state carries its time and a mark
// of the provider that only we can make, and what belongs to it (nonce, PKCE's verifier) is derived from it.
// So a sign-in that was begun before a restart, or on another node, can be finished. That each is used once
// is kept in the database (docs/decisions/0025-oidc-state.md).
#pragma once

#include "platform/core/clock.hpp"
#include "platform/crypto/hash.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace kit::auth {

class States {
public:
    // `life` of a state, from the login to the callback.
    States(std::string_view secret, std::chrono::seconds life);

    // A new one: 24 bytes as base64url.
    std::string issue(std::string_view provider, Timestamp now, Random& random) const;

    // As the browser keeps it: `state "." HMAC-SHA-256(secret, state)`.
    std::string cookie(std::string_view state) const;

    // Whether the cookie is ours and of this state.
    bool owns(std::string_view cookie, std::string_view state) const;

    // Whether it was issued for this provider, and not longer ago than its life.
    bool good(std::string_view state, std::string_view provider, Timestamp now) const;

    // What the provider puts into its ID token: OpenID Connect Core 1.0 section 3.1.2.1.
    std::string nonce(std::string_view state, std::string_view provider) const;

    // RFC 7636 section 4: of the code that the provider sends, and what it is shown of it before (S256).
    std::string code_verifier(std::string_view state, std::string_view provider) const;
    static std::string code_challenge(std::string_view verifier);

private:
    HmacKey cookie_key_;
    HmacKey provider_key_;
    HmacKey nonce_key_;
    HmacKey verifier_key_;
    std::chrono::seconds life_;
};

}  // namespace kit::auth
