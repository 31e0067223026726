#include "modules/auth/auth_oidc_state_service.hpp"
#include "support/manual_clock.hpp"

#include <gtest/gtest.h>

namespace kit::auth {
namespace {

using namespace std::chrono_literals;

constexpr Timestamp now = std::chrono::sys_days(std::chrono::year(2026) / 3 / 1);

const States states("state-secret-1234567890", 300s);

TEST(States, CookieIsTheContracts)
{
    EXPECT_EQ(states.cookie("abc"), "abc.xVVrNJe39X1r2TigsXrd-l7ewY4MMqEAdPyKvVTtFeA");
    EXPECT_TRUE(states.owns("abc.xVVrNJe39X1r2TigsXrd-l7ewY4MMqEAdPyKvVTtFeA", "abc"));
    for (const char* cookie :
         {"",
          "abc",
          "abc.",
          "abc.xVVrNJe39X1r2TigsXrd-l7ewY4MMqEAdPyKvVTtFeB",
          "abc.xVVrNJe39X1r2TigsXrd-l7ewY4MMqEAdPyKvVTtFeA.",
          ".xVVrNJe39X1r2TigsXrd-l7ewY4MMqEAdPyKvVTtFeA"}) {
        EXPECT_FALSE(states.owns(cookie, "abc")) << cookie;
    }
    EXPECT_FALSE(states.owns("abc.xVVrNJe39X1r2TigsXrd-l7ewY4MMqEAdPyKvVTtFeA", "abd"));
}

TEST(States, LiveForTheirTimeAtTheirProvider)
{
    test::SeededRandom random;
    const auto state = states.issue("google", now, random);
    EXPECT_EQ(state.size(), 32) << "24 bytes";
    EXPECT_NE(states.issue("google", now, random), state);
    EXPECT_TRUE(states.good(state, "google", now));
    EXPECT_TRUE(states.good(state, "google", now + 300s));
    EXPECT_FALSE(states.good(state, "google", now + 301s));
    EXPECT_TRUE(states.good(state, "google", now - 60s)) << "another node's clock";
    EXPECT_FALSE(states.good(state, "google", now - 61s));
    EXPECT_FALSE(states.good(state, "keycloak", now));
    EXPECT_FALSE(States("another-secret-1234567890", 300s).good(state, "google", now));
    EXPECT_FALSE(states.good("abc", "google", now));
    EXPECT_FALSE(states.good("", "google", now));
    for (std::size_t at = 0; at < state.size(); ++at) {
        auto changed = state;
        changed[at] = changed[at] == 'A' ? 'B' : 'A';
        EXPECT_FALSE(states.good(changed, "google", now)) << at;
    }
    const States elsewhere("state-secret-1234567890", 300s);
    EXPECT_TRUE(elsewhere.good(state, "google", now)) << "another node, or after a restart";
}

TEST(States, WhatBelongsToThemIsDerived)
{
    EXPECT_EQ(states.code_verifier("a", "google").size(), 43) << "RFC 7636 section 4.1: 43 at least";
    EXPECT_EQ(states.code_verifier("a", "google"), states.code_verifier("a", "google"));
    EXPECT_NE(states.code_verifier("a", "google"), states.code_verifier("b", "google"));
    EXPECT_NE(states.code_verifier("a", "google"), states.code_verifier("a", "keycloak"));
    EXPECT_NE(states.code_verifier("a", "google"), states.nonce("a", "google"));
    EXPECT_NE(states.nonce("a", "google"), states.nonce("b", "google"));
    // RFC 7636 appendix B.
    EXPECT_EQ(
        States::code_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    );
}

}  // namespace
}  // namespace kit::auth
