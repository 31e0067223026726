#include "modules/sessions/sessions.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace kit::sessions {
namespace {

constexpr Timestamp noon = std::chrono::sys_days(std::chrono::year(2026) / 3 / 1) + std::chrono::hours(12);

TEST(RevokedSessions, LastsForOneAccessTokenLifetime)
{
    RevokedSessions revoked;
    EXPECT_FALSE(revoked.contains("a"));
    revoked.add("a", noon);
    revoked.add("a", noon);
    revoked.add("b", noon + std::chrono::seconds(1));
    EXPECT_TRUE(revoked.contains("a"));
    revoked.purge(noon);
    EXPECT_FALSE(revoked.contains("a"));
    EXPECT_TRUE(revoked.contains("b"));
    revoked.purge(noon + std::chrono::seconds(1));
    EXPECT_FALSE(revoked.contains("b"));
}

TEST(RevokedSessions, WhatOneThreadAddsAnotherSees)
{
    RevokedSessions revoked;
    std::vector<std::thread> threads;
    for (int number = 0; number < 4; ++number) {
        threads.emplace_back([&revoked, number] {
            for (int index = 0; index < 1000; ++index) {
                const auto name = std::to_string(number * 1000 + index);
                revoked.add(name, noon);
                EXPECT_TRUE(revoked.contains(name));
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    EXPECT_TRUE(revoked.contains("3999"));
    EXPECT_FALSE(revoked.contains("4000"));
}

}  // namespace
}  // namespace kit::sessions
