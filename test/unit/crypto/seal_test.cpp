#include "platform/crypto/seal.hpp"

#include "platform/core/encoding.hpp"
#include "support/manual_clock.hpp"

#include <gtest/gtest.h>

namespace kit {
namespace {

TEST(Seal, DerivesKeysAsRfc5869)
{
    // Appendix A.3, its first block.
    EXPECT_EQ(
        hex_encode(as_text(derive_key(std::string(22, '\x0b'), ""))),
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
    );
}

TEST(Seal, OpensAtItsPlaceOnly)
{
    test::SeededRandom random;
    const Sealer sealer("secret", "test");
    const auto sealed = sealer.seal("hello", "here", random);
    EXPECT_EQ(sealer.open(sealed, "here"), "hello");
    EXPECT_EQ(sealer.open(sealed, "there"), std::nullopt);
    EXPECT_EQ(Sealer("other", "test").open(sealed, "here"), std::nullopt);
    EXPECT_EQ(Sealer("secret", "other").open(sealed, "here"), std::nullopt);
    EXPECT_EQ(sealer.open(sealer.seal("", "here", random), "here"), "");
}

TEST(Seal, NoticesEveryChange)
{
    test::SeededRandom random;
    const Sealer sealer("secret", "test");
    const auto sealed = sealer.seal("hello", "here", random);
    EXPECT_NE(sealed, sealer.seal("hello", "here", random));
    for (std::size_t index = 0; index < sealed.size(); ++index) {
        auto changed = sealed;
        changed[index] = changed[index] == 'A' ? 'B' : 'A';
        EXPECT_EQ(sealer.open(changed, "here"), std::nullopt) << index;
        EXPECT_EQ(sealer.open(sealed.substr(0, index), "here"), std::nullopt) << index;
    }
}

}  // namespace
}  // namespace kit
