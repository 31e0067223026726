// `keys`, and a running server that learns what the command has made.
#include "support/account.hpp"
#include "support/json.hpp"
#include "support/server.hpp"

#include <boost/json/array.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace kit::test;
using testing::HasSubstr;

namespace {

class Keys : public testing::TestWithParam<Engine> {
protected:
    Finished command(std::vector<std::string> arguments) const
    {
        return run(installation.command(std::move(arguments)));
    }

    // "kid state" of each.
    std::vector<std::string> listed() const
    {
        const auto finished = command({"keys", "list", "--json"});
        EXPECT_EQ(finished.exit_code, 0) << finished.output << finished.errors;
        std::vector<std::string> keys;
        for (const auto& key : at(parse_json(finished.output), "/data").as_array()) {
            keys.push_back(std::string(text_at(key, "/kid")) + " " + std::string(text_at(key, "/state")));
        }
        return keys;
    }

    Installation installation{GetParam(), {{"JWT_SIGNING", "ES256"}, {"JWT_JWKS_CACHE", "1s"}}};
};

INSTANTIATE_TEST_SUITE_P(
    Engines, Keys, testing::Values(Engine::sqlite, Engine::postgres), testing::PrintToStringParamName()
);

TEST_P(Keys, ACommandsKeyIsPublishedByTheRunningServer)
{
    auto server = installation.start();
    auto client = server.client();
    ASSERT_EQ(sign_up(client, "ada@example.com").status, 201);
    EXPECT_EQ(client.get("/api/v1/me").status, 200);
    const auto set = client.get("/.well-known/jwks.json");
    EXPECT_EQ(set.status, 200);
    EXPECT_EQ(set.header("cache-control"), "public, max-age=1");
    EXPECT_EQ(at(parse_json(set.body), "/keys").as_array().size(), 1U);

    const auto rotated = command({"keys", "rotate"});
    EXPECT_EQ(rotated.exit_code, 0) << rotated.output << rotated.errors;
    EXPECT_THAT(rotated.output, HasSubstr("ES256 upcoming, made "));
    const auto keys = listed();
    ASSERT_EQ(keys.size(), 2U);
    EXPECT_THAT(keys[0], testing::EndsWith(" signing"));
    EXPECT_THAT(keys[1], testing::EndsWith(" upcoming"));
    const auto kid = keys[1].substr(0, keys[1].find(' '));
    EXPECT_THAT(rotated.output, HasSubstr(kid));
    EXPECT_TRUE(eventually([&] { return client.get("/.well-known/jwks.json").body.contains(kid); }));
    EXPECT_EQ(client.get("/api/v1/me").status, 200);
    EXPECT_THAT(command({"keys", "list"}).output, HasSubstr(keys[0].substr(0, 16) + " ES256 signing, made "));
}

TEST_P(Keys, SurviveARestart)
{
    {
        auto server = installation.start();
        server.stop();
    }
    const auto before = listed();
    auto server = installation.start();
    EXPECT_EQ(listed(), before);
}

TEST(KeysCommand, ThereAreNoneWithHs256)
{
    const Installation installation(Engine::sqlite);
    const auto finished = run(installation.command({"keys", "rotate", "--json"}));
    EXPECT_EQ(finished.exit_code, 3);
    EXPECT_THAT(finished.output, HasSubstr("JWT_SIGNING is HS256"));
}

}  // namespace
