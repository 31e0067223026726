#include "platform/crypto/hash.hpp"

#include "platform/core/encoding.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace kit {
namespace {

std::string hex(const Digest& digest)
{
    return hex_encode(as_text(digest));
}

TEST(Hash, Sha256KnowsTheExamplesOfFips180)
{
    EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(
        sha256_hex(std::string(1'000'000, 'a')),
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    );
    EXPECT_EQ(hex(sha256("abc")), sha256_hex("abc"));
}

TEST(Hash, HmacKnowsTheExamplesOfRfc4231)
{
    EXPECT_EQ(
        hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")),
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    );
    EXPECT_EQ(
        hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
    EXPECT_EQ(
        hex(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")),
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
    );
}

TEST(Hash, HmacOfAnEmptyKeyAndTextIsDefined)
{
    EXPECT_EQ(hex(hmac_sha256({}, {})), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(Hash, AKeyIsUsedByManyThreadsAtOnce)
{
    const HmacKey key("Jefe");
    const auto work = [&key] {
        for (int i = 0; i < 1000; ++i) {
            ASSERT_EQ(
                hex(key.mac("what do ya want for nothing?")),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
            );
        }
    };
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back(work);
    }
    for (auto& thread : threads) {
        thread.join();
    }
}

TEST(Hash, TheOauthStateSignatureIsTheKnownOne)
{
    EXPECT_EQ(
        base64url_encode(as_text(hmac_sha256("state-secret-1234567890", "abc"))),
        "xVVrNJe39X1r2TigsXrd-l7ewY4MMqEAdPyKvVTtFeA"
    );
}

TEST(Hash, ThePepperedHashIsTheKnownOne)
{
    EXPECT_EQ(
        peppered_hash("abc", "pepper-1234567890123"),
        "4bc7bc8a6bf4c82c9cebc63af56b7093f041fb5a5a2d4ccc19ae6c5c58bf3849"
    );
}

TEST(Hash, ConstantTimeEqualComparesWholeTexts)
{
    EXPECT_TRUE(constant_time_equal("", ""));
    EXPECT_TRUE(constant_time_equal("abc", "abc"));
    EXPECT_FALSE(constant_time_equal("abc", "abd"));
    EXPECT_FALSE(constant_time_equal("abc", "ab"));
    EXPECT_FALSE(constant_time_equal("", "a"));
    EXPECT_FALSE(constant_time_equal({"a\0b", 3}, {"a\0c", 3}));
}

}  // namespace
}  // namespace kit
