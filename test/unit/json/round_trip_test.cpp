// What write() prints, read() reads back as the same value; random values from fixed seeds.
#include "platform/core/encoding.hpp"
#include "unit/json/samples.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

namespace kit::json {
namespace {

using samples::Color;
using samples::Everything;
using samples::Item;

class Generator {
public:
    explicit Generator(std::uint64_t seed) : random_(seed) {}

    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

    bool coin() { return below(2) == 0; }

    double number()
    {
        const auto value =
            coin() ? std::bit_cast<double>(random_()) : static_cast<double>(below(1'000'000)) / 100;
        return std::isfinite(value) ? value : 0;
    }

    // Any Unicode text but U+0000, which is refused when read.
    std::string text()
    {
        std::string bytes;
        for (auto length = below(20); length > 0; --length) {
            bytes.push_back(static_cast<char>(coin() ? 1 + below(127) : 128 + below(128)));
        }
        return to_valid_utf8(bytes) + (coin() ? "\u2028" : "😀");
    }

    Timestamp time() { return never + std::chrono::microseconds(below(300'000'000'000'000'000)); }

    Item item() { return {.name = text(), .price = number()}; }

    Everything everything()
    {
        Everything value;
        value.id = static_cast<std::int64_t>(random_());
        value.flag = coin();
        value.count = random_();
        value.tiny = static_cast<std::int8_t>(random_());
        value.ratio = number();
        value.text = text();
        value.at = time();
        value.color = detail::enumerator_values<Color>[below(3)];
        value.item = item();
        for (auto n = below(4); n > 0; --n) {
            value.items.push_back(item());
            value.holes.push_back(
                coin() ? std::optional(static_cast<std::int32_t>(random_())) : std::nullopt
            );
            value.prices[text()] = number();
            value.votes[text()] = coin() ? std::optional(coin()) : std::nullopt;
        }
        if (coin()) {
            value.note = text();
            value.ids = {1, 0, 0xFFFFFFFF};
            value.extra.text = to_text(std::vector<std::string>{text(), text()});
        }
        return value;
    }

private:
    std::mt19937_64 random_;
};

TEST(JsonRoundTrip, RandomValuesComeBack)
{
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
        const auto value = Generator(seed).everything();
        const auto text = to_text(value);
        const auto again = read_detailed<Everything>(text);
        ASSERT_TRUE(again) << "seed " << seed << ' ' << again.error().pointer << ' ' << again.error().reason
                           << ' ' << text;
        ASSERT_EQ(*again, value) << "seed " << seed << ' ' << text;
    }
}

TEST(JsonRoundTrip, RandomDoublesComeBackToTheBit)
{
    std::mt19937_64 random(7);
    for (int i = 0; i < 50'000; ++i) {
        const auto value = std::bit_cast<double>(random());
        if (!std::isfinite(value)) {
            continue;
        }
        const auto again = read_detailed<double>(to_text(value));
        ASSERT_TRUE(again) << to_text(value);
        ASSERT_EQ(std::bit_cast<std::uint64_t>(*again), std::bit_cast<std::uint64_t>(value))
            << to_text(value);
    }
}

// Damaged documents are refused or read, never misread: what is accepted prints and reads back as itself.
TEST(JsonRoundTrip, DamagedDocumentsDoNoHarm)
{
    std::mt19937_64 random(11);
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
        auto text = to_text(Generator(seed).everything());
        for (int i = 0; i < 3; ++i) {
            text[random() % text.size()] = static_cast<char>(random());
        }
        if (const auto value = read_detailed<Everything>(text)) {
            const auto again = read_detailed<Everything>(to_text(*value));
            ASSERT_TRUE(again) << text;
            ASSERT_EQ(*again, *value) << text;
        }
    }
}

}  // namespace
}  // namespace kit::json
