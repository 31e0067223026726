#include "platform/mail/dispatcher.hpp"
#include "support/manual_clock.hpp"

#include <gtest/gtest.h>

namespace kit::mail {
namespace {

using namespace std::chrono_literals;
using outbound::SmtpOutcome;

TEST(MailDelivery, AMessageIsGivenUpOnlyForWhatIsSaidOfIt)
{
    const auto judged = [](SmtpOutcome outcome, int code) {
        return judge({.outcome = outcome, .reply_code = code, .reason = "r"}).outcome;
    };
    EXPECT_EQ(judged(SmtpOutcome::accepted, 250), Outcome::accepted);
    EXPECT_EQ(judged(SmtpOutcome::permanent, 550), Outcome::rejected);
    EXPECT_EQ(judged(SmtpOutcome::temporary, 451), Outcome::refused);
    EXPECT_EQ(judged(SmtpOutcome::temporary, 535), Outcome::unreachable);  // our credentials
    EXPECT_EQ(judged(SmtpOutcome::temporary, 0), Outcome::unreachable);
    EXPECT_EQ(judged(SmtpOutcome::temporary, 220), Outcome::unreachable);  // a time-out after the greeting
}

TEST(MailDelivery, WaitsDoubleUpToTheLongest)
{
    test::SeededRandom random;
    const BackOff back_off{.first = 1s, .longest = 1min};
    for (int round = 0; round < 100; ++round) {
        for (const auto& [tries, full] :
             {std::pair{1, 1s}, {2, 2s}, {3, 4s}, {6, 32s}, {7, 60s}, {1'000'000, 60s}}) {
            const auto wait = back_off.wait(tries, random);
            EXPECT_GE(wait, full / 2) << tries;
            EXPECT_LE(wait, full) << tries;
        }
    }
}

}  // namespace
}  // namespace kit::mail
