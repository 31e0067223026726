// Whatever is asked in whatever order, memory and Redis give the same answers.
#include "platform/limits/memory_store.hpp"
#include "platform/limits/redis_store.hpp"
#include "stores.hpp"

namespace kit::test {

namespace {

using limits::Charge;
using limits::Quota;
using limits::Verdict;

constexpr std::int64_t second = 1'000'000;

class Sequence {
public:
    Sequence(std::uint64_t seed, limits::MemoryStore& memory, limits::RedisStore& redis)
        : engine_(seed), memory_(memory), redis_(redis), name_(std::to_string(seed))
    {
    }

    // Empty, or what was different.
    Task<std::string> run()
    {
        std::array<Quota, 2> quotas{quota(), quota()};
        const bool two = below(2) == 1;
        const std::array<std::string, 2> clients{
            "sub:" + name_, below(4) == 0 ? "ip:" + name_ : "sub:" + name_
        };
        const auto steps = 3 + below(14);
        for (std::uint64_t step = 0; step < steps; ++step) {
            if (below(20) == 0) {
                replace(quotas[0]);
            }
            std::vector<Charge> charges;
            for (std::size_t each = 0; each < (two ? 2U : 1U); ++each) {
                charges.push_back(
                    {.quota = quotas[each], .suffix = each == 0 ? "api" : "auth", .client = clients[each]}
                );
            }
            const auto expected = from_memory(charges);
            const auto found = co_await redis_.take(charges, now_);
            if (found != expected) {
                co_return describe(step, expected, found);
            }
            pass_time(quotas[0], found.back());
        }
        co_return std::string();
    }

private:
    std::uint64_t below(std::uint64_t bound) { return engine_() % bound; }

    Quota quota()
    {
        constexpr std::array<std::chrono::milliseconds, 4> windows{
            std::chrono::seconds(10),
            std::chrono::seconds(61),
            std::chrono::minutes(1),
            std::chrono::minutes(15)
        };
        const auto rate = below(30) == 0 ? 70'000 + below(1'000'000) : 1 + below(12);
        return limits::make_quota(
            {.per_minute = static_cast<int>(rate),
             .window = windows[below(windows.size())],
             .burst_multiplier = 1.0 + static_cast<double>(below(91)) / 10.0}
        );
    }

    // By one of no longer memory: what Redis has forgotten, only its own clock tells.
    void replace(Quota& current)
    {
        const auto other = quota();
        if (other.expiry() <= current.expiry()) {
            current = other;
        }
    }

    std::vector<Verdict> from_memory(const std::vector<Charge>& charges)
    {
        std::vector<Verdict> verdicts;
        for (const auto& charge : charges) {
            verdicts.push_back(memory_.take(charge.quota, charge.suffix == "api" ? 0 : 1, charge.client, now_)
            );
            if (!verdicts.back().admitted) {
                break;
            }
        }
        return verdicts;
    }

    void pass_time(const Quota& quota, const Verdict& last)
    {
        switch (below(9)) {
            case 0:
            case 1:
            case 2:
                break;
            case 3:
                now_ += static_cast<std::int64_t>(below(1'000));
                break;
            case 4:
                now_ += static_cast<std::int64_t>(below(static_cast<std::uint64_t>(quota.window)));
                break;
            case 5:
                now_ += last.wait;
                break;
            case 6:
                now_ += last.reset > now_ ? last.reset - now_ - 1 : 0;
                break;
            case 7:  // nodes' clocks differ
                now_ -= static_cast<std::int64_t>(below(2'000'000));
                break;
            default:
                now_ += below(2) == 0 ? quota.expiry() : -61 * second;
        }
    }

    static std::string describe(
        std::uint64_t step, const std::vector<Verdict>& expected, const std::vector<Verdict>& found
    )
    {
        std::string text = "step " + std::to_string(step);
        for (const auto* side : {&expected, &found}) {
            text += side == &expected ? "\n memory:" : "\n redis: ";
            for (const auto& verdict : *side) {
                text += " admitted " + std::to_string(verdict.admitted) + " remaining " +
                        std::to_string(verdict.remaining) + " wait " + std::to_string(verdict.wait) +
                        " reset " + std::to_string(verdict.reset);
            }
        }
        return text;
    }

    std::mt19937_64 engine_;
    limits::MemoryStore& memory_;
    limits::RedisStore& redis_;
    std::string name_;
    std::int64_t now_ = 1'790'000'000 * second;
};

Task<void> run_sequences(limits::MemoryStore& memory, limits::RedisStore& redis)
{
    constexpr std::uint64_t sequences = 10'000;
    for (std::uint64_t seed = 1; seed <= sequences; ++seed) {
        Sequence sequence(seed, memory, redis);
        const auto difference = co_await sequence.run();
        EXPECT_EQ(difference, "") << "seed " << seed;
        if (!difference.empty()) {
            co_return;
        }
    }
}

TEST(SameAnswersTest, TenThousandRandomSequences)
{
    RedisSide side;
    limits::MemoryStore memory(side.random);
    limits::RedisStore redis(*side.client, "same-answers");
    side.run(run_sequences(memory, redis));
}

}  // namespace

}  // namespace kit::test
