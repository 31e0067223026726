// Accounts and sessions through cookies, as a browser sees them.
#include "support/account.hpp"
#include "support/json.hpp"
#include "support/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <barrier>
#include <set>
#include <thread>

using namespace kit::test;
using testing::Each;
using testing::IsEmpty;
using testing::Not;

namespace {

constexpr std::string_view email = "ada@example.com";
constexpr std::size_t tabs = 16;

class Sessions : public testing::TestWithParam<Engine> {
protected:
    Installation installation{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(
    Engines, Sessions, testing::Values(Engine::sqlite, Engine::postgres), testing::PrintToStringParamName()
);

void expect_refused(const HttpResponse& response, std::string_view message)
{
    EXPECT_EQ(response.status, 401) << response.body;
    EXPECT_EQ(text_at(parse_json(response.body), "/error/message"), message);
}

// A browser with another one's cookies.
HttpClient same_browser(const Server& server, const HttpClient& client)
{
    auto result = server.client();
    result.set_jar(client.jar());
    return result;
}

struct Tab {
    int status = 0;
    std::string refresh_token;
};

// One browser's tabs all refresh with the same cookie at the same moment.
std::vector<Tab> refresh_together(const Server& server, const HttpClient& client)
{
    std::vector<Tab> results(tabs);
    std::barrier start(static_cast<std::ptrdiff_t>(tabs));
    std::vector<std::jthread> threads;
    threads.reserve(tabs);
    for (auto& result : results) {
        threads.emplace_back([&server, &client, &start, &result] {
            auto tab = same_browser(server, client);
            // Connects before the race.
            tab.get("/health/live");
            start.arrive_and_wait();
            const auto response = refresh(tab);
            result = {.status = response.status, .refresh_token = tab.cookie("refresh_token")};
        });
    }
    threads.clear();
    return results;
}

TEST_P(Sessions, SignUpLoginRefreshLogout)
{
    auto server = installation.start();
    auto browser = server.client();

    const auto signed_up = sign_up(browser, email);
    ASSERT_EQ(signed_up.status, 201) << signed_up.body;
    const auto result = parse_json(signed_up.body);
    EXPECT_EQ(text_at(result, "/data/user/email"), email);
    EXPECT_EQ(text_at(result, "/data/user/roles/0/name"), "user");
    EXPECT_EQ(text_at(result, "/data/csrf_token"), browser.cookie("csrf_token"));
    EXPECT_EQ(browser.get("/api/v1/me").status, 200);

    auto phone = server.client();
    const auto logged_in = log_in(phone, email);
    ASSERT_EQ(logged_in.status, 200) << logged_in.body;
    EXPECT_NE(phone.cookie("refresh_token"), browser.cookie("refresh_token"));

    const auto before = browser.jar();
    const auto refreshed = refresh(browser);
    ASSERT_EQ(refreshed.status, 200) << refreshed.body;
    for (const auto* name : {"access_token", "refresh_token", "csrf_token"}) {
        EXPECT_NE(browser.cookie(name), before.at(name).value) << name;
    }
    EXPECT_EQ(browser.get("/api/v1/me").status, 200);

    const auto old = same_browser(server, browser).jar();
    const auto logged_out = browser.post("/api/v1/auth/logout");
    EXPECT_EQ(logged_out.status, 200) << logged_out.body;
    EXPECT_EQ(text_at(parse_json(logged_out.body), "/data/status"), "logged_out");
    EXPECT_THAT(browser.jar(), IsEmpty());
    expect_refused(browser.get("/api/v1/me"), "missing access token");

    browser.set_jar(old);
    expect_refused(browser.get("/api/v1/me"), "invalid access token");
    expect_refused(refresh(browser), "invalid refresh token");
    // Logout ends every session of the user.
    expect_refused(refresh(phone), "invalid refresh token");
    EXPECT_EQ(log_in(phone, email).status, 200);
}

TEST_P(Sessions, LogoutOfTheCurrentOneLeavesTheOthers)
{
    auto server = installation.start();
    auto browser = server.client();
    auto phone = server.client();
    ASSERT_EQ(sign_up(browser, email).status, 201);
    ASSERT_EQ(log_in(phone, email).status, 200);
    EXPECT_EQ(browser.post("/api/v1/auth/logout", R"({"scope":"current"})").status, 200);
    EXPECT_EQ(phone.get("/api/v1/me").status, 200);
    EXPECT_EQ(refresh(phone).status, 200);
}

TEST_P(Sessions, CookiesAreThoseOfTheContract)
{
    installation.set("COOKIE_SECURE", "true");
    auto server = installation.start();
    auto browser = server.client();
    const auto cookies = sign_up(browser, email).all("Set-Cookie");
    ASSERT_EQ(cookies.size(), 3U);
    EXPECT_THAT(
        cookies[0],
        testing::MatchesRegex(R"(access_token=[^;]+; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=Lax)")
    );
    EXPECT_THAT(
        cookies[1],
        testing::MatchesRegex(
            R"(refresh_token=[^;]+; Path=/api/v1/auth; Max-Age=604800; HttpOnly; Secure; SameSite=Lax)"
        )
    );
    EXPECT_THAT(
        cookies[2], testing::MatchesRegex(R"(csrf_token=[^;]+; Path=/; Max-Age=604800; Secure; SameSite=Lax)")
    );
}

TEST_P(Sessions, RefusesWrongCredentialsAndTakenAddresses)
{
    auto server = installation.start();
    auto client = server.client();
    ASSERT_EQ(sign_up(client, email).status, 201);
    auto stranger = server.client();
    expect_refused(log_in(stranger, email, "Wrong-Horse-7-Battery"), "invalid credentials");
    expect_refused(log_in(stranger, "nobody@example.com"), "invalid credentials");
    const auto taken = sign_up(stranger, "  ADA@example.com ");
    EXPECT_EQ(taken.status, 400);
    EXPECT_EQ(text_at(parse_json(taken.body), "/error/message"), "email already registered");
    EXPECT_THAT(stranger.jar(), IsEmpty());
}

TEST_P(Sessions, RefreshNeedsTheCsrfToken)
{
    auto server = installation.start();
    auto client = server.client();
    ASSERT_EQ(sign_up(client, email).status, 201);
    const auto refused = client.send({.method = "POST", .target = "/api/v1/auth/refresh"});
    EXPECT_EQ(refused.status, 403);
    EXPECT_EQ(text_at(parse_json(refused.body), "/error/message"), "invalid csrf token");
    EXPECT_EQ(refresh(client).status, 200);
}

TEST_P(Sessions, ParallelRefreshesMoveOneGeneration)
{
    auto server = installation.start();
    auto client = server.client();
    ASSERT_EQ(sign_up(client, email).status, 201);
    const auto results = refresh_together(server, client);

    std::set<std::string> tokens;
    for (const auto& tab : results) {
        EXPECT_EQ(tab.status, 200);
        tokens.insert(tab.refresh_token);
    }
    ASSERT_EQ(tokens.size(), 1U) << "a refresh token is a function of its session's generation";
    EXPECT_NE(*tokens.begin(), client.cookie("refresh_token"));

    // The first token is now the previous one: within the grace it still yields the very same.
    auto late = same_browser(server, client);
    EXPECT_EQ(refresh(late).status, 200);
    EXPECT_EQ(late.cookie("refresh_token"), *tokens.begin());
    EXPECT_EQ(refresh(late).status, 200);
    EXPECT_NE(late.cookie("refresh_token"), *tokens.begin());
}

TEST_P(Sessions, WithoutGraceOneOfManyParallelRefreshesSucceeds)
{
    installation.set("AUTH_REFRESH_GRACE", "0s");
    auto server = installation.start();
    auto client = server.client();
    ASSERT_EQ(sign_up(client, email).status, 201);
    const auto results = refresh_together(server, client);
    const auto succeeded = std::ranges::count(results, 200, &Tab::status);
    const auto refused = std::ranges::count(results, 401, &Tab::status);
    EXPECT_EQ(succeeded, 1);
    EXPECT_EQ(refused, static_cast<std::ptrdiff_t>(tabs) - 1);
}

TEST_P(Sessions, ReplayOfAnOldTokenEndsTheSession)
{
    auto server = installation.start();
    auto victim = server.client();
    ASSERT_EQ(sign_up(victim, email).status, 201);
    auto other_device = server.client();
    ASSERT_EQ(log_in(other_device, email).status, 200);
    auto thief = same_browser(server, victim);
    ASSERT_EQ(refresh(victim).status, 200);
    ASSERT_EQ(refresh(victim).status, 200);

    expect_refused(refresh(thief), "invalid refresh token");
    expect_refused(refresh(victim), "invalid refresh token");
    expect_refused(victim.get("/api/v1/me"), "invalid access token");
    // Reuse punishes one session, not the account.
    EXPECT_EQ(refresh(other_device).status, 200);
}

TEST_P(Sessions, WithoutGraceReplayOfTheLastTokenEndsTheSession)
{
    installation.set("AUTH_REFRESH_GRACE", "0s");
    auto server = installation.start();
    auto victim = server.client();
    ASSERT_EQ(sign_up(victim, email).status, 201);
    auto thief = same_browser(server, victim);
    ASSERT_EQ(refresh(victim).status, 200);
    expect_refused(refresh(thief), "invalid refresh token");
    expect_refused(refresh(victim), "invalid refresh token");
}

TEST_P(Sessions, SecretsNeverReachTheLog)
{
    auto server = installation.start();
    auto client = server.client();
    ASSERT_EQ(sign_up(client, email).status, 201);
    ASSERT_EQ(refresh(client).status, 200);
    ASSERT_EQ(log_in(client, email).status, 200);
    const auto jar = client.jar();
    ASSERT_EQ(server.stop(), 0);
    const auto said = server.process().output() + server.process().errors();
    std::vector<std::string> secrets{std::string(good_password)};
    for (const auto& [name, cookie] : jar) {
        secrets.push_back(cookie.value);
    }
    EXPECT_THAT(secrets, Each(Not(IsEmpty())));
    for (const auto& secret : secrets) {
        EXPECT_EQ(said.find(secret), std::string::npos);
    }
}

}  // namespace
