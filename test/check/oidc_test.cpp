// A provider that is not ours: npm's oidc-provider, started by KIT_OIDC_PROVIDER, a script beside its
// packages.
#include "platform/core/encoding.hpp"
#include "support/json.hpp"
#include "support/oidc_provider.hpp"
#include "support/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace kit::test {
namespace {

using testing::StartsWith;

std::string path_of(const std::string& address)
{
    return address.starts_with("http") ? address.substr(address.find('/', address.find("//") + 2)) : address;
}

// A browser at the provider's pages: from the authorization request to the address that leads back.
std::string sign_in_at_provider(HttpClient& browser, const std::string& location, const std::string& callback)
{
    auto next = location;
    for (int step = 0; step < 10; ++step) {
        if (next.starts_with(callback)) {
            return next;
        }
        auto response = browser.get(path_of(next));
        if (response.status == 200) {
            const bool login = response.body.contains("name=\"login\"");
            response = browser.send(
                {.method = "POST",
                 .target = path_of(next),
                 .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
                 .body = login ? "prompt=login&login=ada&password=any" : "prompt=consent"}
            );
        }
        const auto target = response.header("location");
        if (!target) {
            ADD_FAILURE() << response.status << response.body;
            return {};
        }
        next = *target;
    }
    ADD_FAILURE() << "still at " << next;
    return {};
}

TEST(NpmOidcProvider, SignsInAndOut)
{
    const char* const script = std::getenv("KIT_OIDC_PROVIDER");
    if (script == nullptr) {
        GTEST_SKIP() << "KIT_OIDC_PROVIDER names no provider";
    }
    const auto port = unused_port();
    const auto issuer = "http://127.0.0.1:" + std::to_string(port);
    const auto own_port = std::to_string(unused_port());
    const auto callback = "http://127.0.0.1:" + own_port + "/api/v1/auth/oidc/npm/callback";
    const Installation installation(
        Engine::sqlite,
        {{"HTTP_PORT", own_port},
         {"OIDC_PROVIDERS", "npm"},
         {"OIDC_NPM_REDIRECT_URL", callback},
         {"OIDC_NPM_ISSUER", issuer},
         {"OIDC_NPM_CLIENT_ID", "web"},
         {"OIDC_NPM_CLIENT_SECRET", "a secret: with+signs%"}}
    );
    const auto server = installation.start();
    const Process provider({.command = {"/usr/bin/env", "node", script, std::to_string(port), callback}});
    ASSERT_TRUE(provider.wait_for_line("provider ready")) << provider.errors();

    HttpClient at_provider({.port = port});
    auto client = server.client();
    const auto sign_in = [&] {
        const auto begun = client.get("/api/v1/auth/oidc/npm/login");
        EXPECT_EQ(begun.status, 302) << begun.body;
        const auto location = begun.header("location").value_or("");
        EXPECT_THAT(location, StartsWith(issuer + "/auth?"));
        return client.get(path_of(sign_in_at_provider(at_provider, location, callback)));
    };
    const auto response = sign_in();
    ASSERT_EQ(response.status, 200) << response.body;
    const auto answer = parse_json(response.body);
    EXPECT_EQ(text_at(answer, "/data/user/email"), "ada@example.com");
    EXPECT_EQ(text_at(answer, "/data/user/name"), "Ada of npm");
    EXPECT_EQ(client.get("/api/v1/me").status, 200);
    EXPECT_EQ(client.post("/api/v1/auth/logout").status, 200);
    EXPECT_EQ(client.get("/api/v1/me").status, 401);
    EXPECT_EQ(sign_in().status, 200) << "the provider still knows him";
    EXPECT_EQ(client.get("/api/v1/me").status, 200);
}

}  // namespace
}  // namespace kit::test
