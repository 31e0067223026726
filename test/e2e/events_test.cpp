// The stream of a session's end, over the wire.
#include "support/account.hpp"
#include "support/json.hpp"
#include "support/raw_client.hpp"
#include "support/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace kit::test;
using testing::HasSubstr;

namespace {

using namespace std::chrono_literals;

constexpr std::string_view email = "ada@example.com";

class Events : public testing::TestWithParam<Engine> {
protected:
    Installation installation{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(
    Engines, Events, testing::Values(Engine::sqlite, Engine::postgres), testing::PrintToStringParamName()
);

// A browser's EventSource; once this returns, the stream is open.
RawClient open_events(const Server& server, const HttpClient& browser)
{
    RawClient stream(server.endpoint());
    stream.send(
        "GET /api/v1/me/events HTTP/1.1\r\nHost: localhost\r\nCookie: access_token=" +
        browser.cookie("access_token") + "\r\n\r\n"
    );
    const auto head = stream.read_response(true);
    EXPECT_EQ(head.ended, Ended::got_it);
    EXPECT_EQ(head.response->status, 200);
    return stream;
}

TEST_P(Events, ABrowserHearsThatItsSessionEnded)
{
    auto server = installation.start();
    auto laptop = server.client();
    auto phone = server.client();
    ASSERT_EQ(sign_up(laptop, email).status, 201);
    ASSERT_EQ(log_in(phone, email).status, 200);
    auto stream = open_events(server, phone);
    EXPECT_EQ(laptop.post("/api/v1/me/sessions/revoke-others").status, 200);
    EXPECT_EQ(stream.read_to_end(), Ended::closed);
    EXPECT_THAT(
        stream.received(), HasSubstr("event: session.ended\ndata: {\"reason\":\"user_revoke_others\"}\n\n")
    );
    EXPECT_EQ(server.stop(), 0);
}

TEST_P(Events, AnotherNodeTellsIt)
{
    if (GetParam() == Engine::sqlite) {
        GTEST_SKIP() << "one node";
    }
    auto server = installation.start();
    auto laptop = server.client();
    ASSERT_EQ(sign_up(laptop, email).status, 201);
    auto other = installation.start();
    auto stream = open_events(other, laptop);
    EXPECT_EQ(laptop.post("/api/v1/auth/logout").status, 200);
    EXPECT_EQ(stream.read_to_end(), Ended::closed);
    EXPECT_THAT(stream.received(), HasSubstr("{\"reason\":\"logout\"}"));
}

TEST_P(Events, ACommandDisablesAUserWhileTheServerRuns)
{
    auto server = installation.start();
    auto browser = server.client();
    ASSERT_EQ(sign_up(browser, email).status, 201);
    auto stream = open_events(server, browser);
    const auto disable =
        run(installation.command({"users", "set-status", "Ada@Example.com", "disabled", "--json"}));
    EXPECT_EQ(disable.exit_code, 0);
    EXPECT_THAT(disable.output, HasSubstr("ada@example.com is now disabled"));
    EXPECT_EQ(stream.read_to_end(), Ended::closed);
    EXPECT_THAT(stream.received(), HasSubstr("{\"reason\":\"user_inactive\"}"));
    EXPECT_EQ(browser.get("/api/v1/me").status, 401);
    EXPECT_EQ(log_in(browser, email).status, 401);
    const auto enable = run(installation.command({"users", "set-status", std::string(email), "active"}));
    EXPECT_EQ(enable.exit_code, 0);
    EXPECT_EQ(log_in(browser, email).status, 200);
    const auto nobody =
        run(installation.command({"users", "set-status", "nobody@example.com", "active", "--json"}));
    EXPECT_EQ(nobody.exit_code, 3);
    EXPECT_THAT(nobody.output, HasSubstr("user not found"));
}

TEST_P(Events, TheServersEndDoesNotWaitForThem)
{
    auto server = installation.start();
    auto browser = server.client();
    ASSERT_EQ(sign_up(browser, email).status, 201);
    auto stream = open_events(server, browser);
    const auto before = std::chrono::steady_clock::now();
    EXPECT_EQ(server.stop(), 0);
    EXPECT_LT(std::chrono::steady_clock::now() - before, 5s);
    EXPECT_EQ(stream.read_to_end(), Ended::closed);
    EXPECT_THAT(server.process().errors() + server.process().output(), testing::Not(HasSubstr("cancelled")));
}

}  // namespace
