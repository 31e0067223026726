// The store of one process: how much it holds, what it forgets, and many threads at once.
#include "platform/limits/memory_store.hpp"
#include "support/manual_clock.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <malloc.h>
#include <thread>

namespace kit::test {

namespace {

using namespace std::chrono_literals;

constexpr std::int64_t second = 1'000'000;
constexpr std::int64_t start = 1'790'000'000 * second;

TEST(MemoryStoreTest, AMillionKeysFitIn64MB)
{
    constexpr std::size_t million = 1'000'000;
    constexpr std::size_t mib_64 = 64UL * 1024 * 1024;
    SeededRandom random;
    const auto quota = limits::make_quota({120, 1min, 1.5});
#ifndef KIT_SANITIZED
    const auto before = ::mallinfo2().uordblks;
#endif
    limits::MemoryStore store(random);
    std::size_t admitted = 0;
    for (std::size_t key = 0; key < million; ++key) {
        const auto text = "sub:" + std::to_string(key);
        admitted += store.take(quota, 0, text, start).admitted ? 1U : 0U;
    }
    EXPECT_EQ(admitted, million);
    EXPECT_EQ(store.keys(), million);
    EXPECT_LE(store.bytes(), mib_64);
#ifndef KIT_SANITIZED
    EXPECT_LE(::mallinfo2().uordblks - before, mib_64);
#endif
    // None was forgotten: each has one request less.
    for (std::size_t key = 0; key < million; key += 997) {
        EXPECT_EQ(store.take(quota, 0, "sub:" + std::to_string(key), start).remaining, 118);
    }
    // More keys take no more memory.
    for (std::size_t key = 0; key < million / 2; ++key) {
        store.take(quota, 1, "sub:" + std::to_string(key), start);
    }
    EXPECT_LE(store.bytes(), mib_64);
    EXPECT_GE(store.keys(), million);
}

TEST(MemoryStoreTest, ManyAdmissionsAreBoundedToo)
{
    constexpr std::size_t bytes_max = 4UL * 1024 * 1024;
    SeededRandom random;
    const auto quota = limits::make_quota({30'000, 1min, 1.0});
    limits::MemoryStore store(random, bytes_max);
    for (int key = 0; key < 200; ++key) {
        for (int request = 0; request < 1'000; ++request) {
            store.take(quota, 0, "sub:" + std::to_string(key), start);
        }
    }
    EXPECT_LE(store.bytes(), bytes_max);
    EXPECT_GT(store.keys(), 100U);
}

TEST(MemoryStoreTest, ForgetsWhatHasExpiredWhereThereAreRequests)
{
    SeededRandom random;
    const auto quota = limits::make_quota({120, 1min, 1.5});
    limits::MemoryStore store(random);
    for (int key = 0; key < 10'000; ++key) {
        store.take(quota, 0, "ip:" + std::to_string(key), start);
    }
    for (int key = 0; key < 10'000; ++key) {
        store.take(quota, 0, "sub:" + std::to_string(key % 1000), start + (91 * second));
    }
    EXPECT_LE(store.keys(), 1'200U);
}

TEST(MemoryStoreTest, WhenFullTheLongestUnseenOfAFewGoes)
{
    SeededRandom random;
    const auto quota = limits::make_quota({1, 1min, 1.0});
    limits::MemoryStore store(random, 1024UL * 1024);
    for (int key = 0; key < 100'000; ++key) {
        store.take(quota, 0, "ip:" + std::to_string(key), start + key);
        // Whoever keeps asking is not forgotten.
        if (key % 50 == 0) {
            EXPECT_EQ(store.take(quota, 0, "sub:7", start + key).admitted, key == 0) << key;
        }
    }
}

TEST(MemoryStoreTest, ThreadsTogetherNeverExceedTheLimit)
{
    SeededRandom random;
    const auto quota = limits::make_quota({500, 1min, 1.5});
    limits::MemoryStore store(random);
    std::atomic<int> admitted{0};
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&] {
            for (int request = 0; request < 1'000; ++request) {
                admitted += store.take(quota, 0, "sub:1", start + request).admitted ? 1 : 0;
                store.take(quota, 0, "ip:" + std::to_string(request), start + request);
            }
        });
    }
    threads.clear();
    EXPECT_EQ(admitted, 500);
}

}  // namespace

}  // namespace kit::test
