// SIGHUP: other limits without a restart.
#include "support/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

namespace kit::test {

namespace {

void write_settings(const Installation& installation, const std::string& text)
{
    std::ofstream(installation.data_dir() / ".env", std::ios::trunc) << text;
}

std::string limit_of(Server& server)
{
    return std::string(server.client().get("/nowhere").header("X-RateLimit-Limit").value_or(""));
}

TEST(ReloadTest, NewLimitsHoldAndFaultsChangeNothing)
{
    const Installation installation(Engine::sqlite);
    auto server = installation.start();
    EXPECT_EQ(limit_of(server), "1000000");

    write_settings(installation, "RATE_LIMIT_SUSTAINED_WINDOW=2m\n");
    server.process().signal(SIGHUP);
    ASSERT_TRUE(server.process().wait_for_line("limits reloaded"));
    EXPECT_EQ(limit_of(server), "2000000");

    write_settings(installation, "RATE_LIMIT_SUSTAINED_WINDOW=2h\n");
    server.process().signal(SIGHUP);
    const auto line = server.process().wait_for_line("settings not reloaded");
    ASSERT_TRUE(line);
    EXPECT_THAT(*line, testing::HasSubstr("RATE_LIMIT_SUSTAINED_WINDOW must be between 1s and 15m"));
    EXPECT_EQ(limit_of(server), "2000000");
    EXPECT_EQ(server.stop(), 0) << server.process().errors();
}

}  // namespace

}  // namespace kit::test
