#include "platform/config/environment.hpp"

#include "fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <unistd.h>

namespace kit::config {
namespace {

class EnvFile : public ::testing::Test {
protected:
    std::filesystem::path write(std::string_view content) const
    {
        const auto path = home.path() / "settings.env";
        std::ofstream(path) << content;
        return path;
    }

    TemporaryFolder home;
    Environment settings{Values{{"TAKEN", "environment"}, {"EMPTY", ""}}};
};

TEST_F(EnvFile, ReadsLinesByTheRules)
{
    const auto path = write(
        "# a comment\n"
        "\n"
        "  PLAIN = value with spaces  \n"
        "QUOTED=\" kept \"\n"
        "ONE_QUOTE=\"open\n"
        "SIGNS=a=b#c # no comment\n"
        "export NAMED=as is\n"
        "$RAW=${PLAIN}\n"
        "no equals sign\n"
        "=no name\n"
        "VOID=\n"
        "CRLF=yes\r\n"
        "TWICE=first\nTWICE=second\n"
        "LAST=no newline"
    );
    ASSERT_TRUE(settings.add_file(path));
    EXPECT_EQ(settings.find("PLAIN"), "value with spaces");
    EXPECT_EQ(settings.find("QUOTED"), " kept ");
    EXPECT_EQ(settings.find("ONE_QUOTE"), "\"open");
    EXPECT_EQ(settings.find("SIGNS"), "a=b#c # no comment");
    EXPECT_EQ(settings.find("export NAMED"), "as is");
    EXPECT_EQ(settings.find("$RAW"), "${PLAIN}");
    EXPECT_EQ(settings.find("VOID"), "");
    EXPECT_EQ(settings.find("CRLF"), "yes");
    EXPECT_EQ(settings.find("TWICE"), "first");
    EXPECT_EQ(settings.find("LAST"), "no newline");
    EXPECT_EQ(settings.find(""), std::nullopt);
    EXPECT_EQ(settings.find("no equals sign"), std::nullopt);
    EXPECT_TRUE(settings.from_file("PLAIN"));
}

TEST_F(EnvFile, TheEnvironmentWinsEvenWhenEmpty)
{
    ASSERT_TRUE(settings.add_file(write("TAKEN=file\nEMPTY=file\n")));
    EXPECT_EQ(settings.find("TAKEN"), "environment");
    EXPECT_EQ(settings.find("EMPTY"), "");
    EXPECT_FALSE(settings.from_file("TAKEN"));
}

TEST_F(EnvFile, AMissingFileIsFine)
{
    EXPECT_TRUE(settings.add_file(home.path() / "none"));
    EXPECT_TRUE(settings.add_file("/dev/null"));
}

TEST_F(EnvFile, OtherFailuresAreSaid)
{
    const auto folder = settings.add_file(home.path());
    ASSERT_FALSE(folder);
    EXPECT_EQ(folder.error(), "read env file: " + home.path().string() + ": Is a directory");

    const auto loop = home.path() / "loop";
    std::filesystem::create_symlink(loop, loop);
    const auto unopened = settings.add_file(loop);
    ASSERT_FALSE(unopened);
    EXPECT_THAT(unopened.error(), ::testing::StartsWith("open env file: "));

    const auto large = settings.add_file(write(std::string(Environment::file_bytes_max + 1, '#')));
    ASSERT_FALSE(large);
    EXPECT_THAT(large.error(), ::testing::EndsWith("File too large"));
    EXPECT_TRUE(settings.add_file(write(std::string(Environment::file_bytes_max, '#'))));
}

TEST(ProcessEnvironment, IsCaptured)
{
    ASSERT_EQ(::setenv("KIT_CONFIG_TEST", "a=b", 1), 0);
    const auto environment = Environment::from_process();
    ASSERT_EQ(::unsetenv("KIT_CONFIG_TEST"), 0);
    EXPECT_EQ(environment.find("KIT_CONFIG_TEST"), "a=b");
    EXPECT_FALSE(environment.from_file("KIT_CONFIG_TEST"));
}

}  // namespace
}  // namespace kit::config
