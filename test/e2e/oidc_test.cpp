// Signing in with providers, over the wire: across a restart, and where nobody answers.
#include "platform/core/encoding.hpp"
#include "support/account.hpp"
#include "support/json.hpp"
#include "support/oidc_provider.hpp"
#include "support/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

using namespace kit::test;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view google_login = "/api/v1/auth/google/login";
constexpr std::string_view google_callback = "/api/v1/auth/google/callback";

std::string path_of(const std::string& address)
{
    return address.substr(address.find('/', address.find("//") + 2));
}

class Oidc : public testing::TestWithParam<Engine> {};

INSTANTIATE_TEST_SUITE_P(
    Engines, Oidc, testing::Values(Engine::sqlite, Engine::postgres), testing::PrintToStringParamName()
);

TEST_P(Oidc, ASignInBegunBeforeARestartIsFinishedAfterIt)
{
    const Installation installation(
        GetParam(), {{"AUTH_DEV_PROVIDER", "true"}, {"HTTP_PORT", std::to_string(unused_port())}}
    );
    HttpClient::Jar jar;
    std::string back;
    {
        const auto server = installation.start();
        auto browser = server.client();
        const auto begun = browser.get(google_login);
        ASSERT_EQ(begun.status, 302) << begun.body;
        const auto location = begun.header("location").value();
        EXPECT_EQ(browser.get(path_of(location)).status, 200) << "the development provider's page";
        std::string form = "decision=allow&email=ada%40example.com&name=Ada&email_verified=true";
        for (const auto& [name, value] : query_of(location)) {
            form += "&" + name + "=" + kit::percent_encode(value);
        }
        const auto decided = browser.send({.method = "POST", .target = "/_dev/idp", .body = form});
        ASSERT_EQ(decided.status, 303) << decided.body;
        back = path_of(decided.header("location").value());
        jar = browser.jar();
    }
    const auto server = installation.start();
    auto browser = server.client();
    browser.set_jar(jar);
    const auto response = browser.get(back);
    ASSERT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(text_at(parse_json(response.body), "/data/user/email"), "ada@example.com");
    EXPECT_EQ(browser.get("/api/v1/me").status, 200);
    browser.set_jar(jar);
    EXPECT_EQ(browser.get(back).status, 401) << "once";
}

// How long it takes.
std::chrono::milliseconds sign_in_locally(const Server& server)
{
    auto client = server.client();
    const auto started = std::chrono::steady_clock::now();
    EXPECT_EQ(log_in(client, "ada@example.com").status, 200);
    EXPECT_EQ(client.get("/api/v1/me").status, 200);
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started);
}

TEST(OidcFaults, AProviderThatNeverAnswersHoldsUpNobodyElse)
{
    StubServer silent([](StubServer::Peer& peer) { peer.wait_for_end(); });
    const Installation installation(
        Engine::sqlite,
        {{"GOOGLE_OAUTH_CLIENT_ID", "client"},
         {"GOOGLE_OAUTH_CLIENT_SECRET", "secret"},
         {"GOOGLE_OAUTH_TOKEN_URL", silent.url("/token")},
         {"OIDC_PROVIDERS", "away"},
         {"OIDC_AWAY_ISSUER", silent.url("")},
         {"OIDC_AWAY_CLIENT_ID", "client"},
         {"OIDC_AWAY_CLIENT_SECRET", "secret"}}
    );
    const auto server = installation.start();
    auto local = server.client();
    ASSERT_EQ(sign_up(local, "ada@example.com").status, 201);

    const auto alone = sign_in_locally(server);

    constexpr int browsers = 16;
    std::vector<std::thread> waiting;
    std::vector<int> statuses(browsers * 2);
    std::vector<std::chrono::milliseconds> took(browsers * 2);
    for (int browser = 0; browser < browsers * 2; ++browser) {
        waiting.emplace_back([&, browser] {
            auto client = server.client();
            std::string target = "/api/v1/auth/oidc/away/login";
            if (browser < browsers) {
                const auto location = client.get(google_login).header("location").value_or("");
                target = std::string(google_callback) + "?code=x&state=" + query_of(location)["state"];
            }
            const auto started = std::chrono::steady_clock::now();
            statuses[browser] = client.get(target).status;
            took[browser] =
                std::chrono::floor<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started);
        });
    }
    EXPECT_TRUE(eventually([&] { return silent.connections() >= browsers; }));
    // As quick as without them, but for what a busy machine makes of it.
    EXPECT_LT(sign_in_locally(server), 3 * alone + 1s);
    for (auto& thread : waiting) {
        thread.join();
    }
    for (int browser = 0; browser < browsers * 2; ++browser) {
        EXPECT_EQ(statuses[browser], browser < browsers ? 401 : 503);
        EXPECT_LT(took[browser], 5s);
    }
}

}  // namespace
