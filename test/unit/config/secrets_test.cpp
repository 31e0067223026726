#include "platform/config/secrets.hpp"

#include "fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <fstream>
#include <random>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace kit::config {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// Distinct bytes for every instance; a test needs no more.
RandomBytes seeded(unsigned seed)
{
    return [engine = std::mt19937(seed)](std::span<std::byte> bytes) mutable {
        for (auto& byte : bytes) {
            byte = static_cast<std::byte>(engine());
        }
    };
}

mode_t mode_of(const fs::path& path)
{
    struct stat status{};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 07777;
}

std::string content_of(const fs::path& path)
{
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

class SecretsFile : public ::testing::Test {
protected:
    fs::path data() const { return home.path() / "deep" / "data"; }

    fs::path file() const { return data() / "secrets.env"; }

    TemporaryFolder home;
};

TEST_F(SecretsFile, IsMadeOnceForItsOwnerAlone)
{
    const auto first = load_or_create_secrets(data(), seeded(1));
    ASSERT_TRUE(first) << first.error().message;
    EXPECT_EQ(first->size(), 4U);
    for (const auto& [name, secret] : *first) {
        EXPECT_EQ(secret.size(), 64U) << name;
    }
    EXPECT_NE(first->at("JWT_ACCESS_SECRET"), first->at("JWT_REFRESH_SECRET"));
    EXPECT_EQ(mode_of(file()), 0600U);
    EXPECT_EQ(mode_of(data()), 0700U);

    EXPECT_EQ(load_or_create_secrets(data(), seeded(2)).value(), *first);
    EXPECT_EQ(load_or_create_secrets(data(), {}).value(), *first);
    EXPECT_EQ(std::distance(fs::directory_iterator(data()), {}), 1) << "a draft was left behind";
}

TEST_F(SecretsFile, ModeDoesNotDependOnTheUmask)
{
    const auto before = ::umask(0);
    const auto made = load_or_create_secrets(data(), seeded(1));
    ::umask(before);
    ASSERT_TRUE(made);
    EXPECT_EQ(mode_of(file()), 0600U);
    EXPECT_EQ(mode_of(data()), 0700U);
}

TEST_F(SecretsFile, WithoutRandomNothingIsWritten)
{
    const auto none = load_or_create_secrets(data(), {});
    ASSERT_TRUE(none);
    EXPECT_TRUE(none->empty());
    EXPECT_FALSE(fs::exists(home.path() / "deep"));
}

TEST_F(SecretsFile, OpenToOthersIsRefused)
{
    ASSERT_TRUE(load_or_create_secrets(data(), seeded(1)));
    for (const mode_t mode : {0640, 0604, 0620, 0602, 0610}) {
        ASSERT_EQ(::chmod(file().c_str(), mode), 0);
        const auto refused = load_or_create_secrets(data(), seeded(2));
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().variable, "DATA_DIR");
        EXPECT_THAT(refused.error().message, HasSubstr("only its owner can read"));
        EXPECT_THAT(refused.error().mend, HasSubstr("chmod 600 " + file().string()));
    }
    ASSERT_EQ(::chmod(file().c_str(), 0400), 0);
    EXPECT_TRUE(load_or_create_secrets(data(), {}));
}

TEST_F(SecretsFile, IncompleteIsRefusedWithoutShowingIt)
{
    ASSERT_TRUE(load_or_create_secrets(data(), seeded(1)));
    std::ofstream(file(), std::ios::trunc) << "JWT_ACCESS_SECRET=too-short-but-secret\n";
    const auto refused = load_or_create_secrets(data(), seeded(2));
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("JWT_ACCESS_SECRET with at least 32 chars"));
    EXPECT_THAT(refused.error().message + refused.error().mend, ::testing::Not(HasSubstr("too-short")));
}

TEST_F(SecretsFile, AnUnusableFolderIsSaid)
{
    std::ofstream(home.path() / "plain") << "x";
    for (const auto& folder : {home.path() / "plain", home.path() / "plain" / "below"}) {
        const auto refused = load_or_create_secrets(folder, seeded(1));
        ASSERT_FALSE(refused);
        EXPECT_THAT(refused.error().message, HasSubstr(folder.string()));
        EXPECT_THAT(refused.error().mend, HasSubstr("DATA_DIR"));
    }
}

TEST_F(SecretsFile, RacingThreadsAgree)
{
    constexpr unsigned racers = 8;
    std::vector<std::expected<Secrets, Fault>> seen(racers);
    std::barrier start(racers);
    {
        std::vector<std::jthread> threads;
        threads.reserve(racers);
        for (unsigned racer = 0; racer < racers; ++racer) {
            threads.emplace_back([&, racer] {
                start.arrive_and_wait();
                seen[racer] = load_or_create_secrets(data(), seeded(racer));
            });
        }
    }
    for (const auto& secrets : seen) {
        ASSERT_TRUE(secrets) << secrets.error().message;
        EXPECT_EQ(*secrets, *seen.front());
    }
    EXPECT_EQ(std::distance(fs::directory_iterator(data()), {}), 1);
}

TEST_F(SecretsFile, RacingProcessesAgree)
{
    constexpr unsigned racers = 6;
    int gate[2];
    ASSERT_EQ(::pipe(gate), 0);
    std::vector<pid_t> children;
    for (unsigned racer = 0; racer < racers; ++racer) {
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            ::close(gate[1]);
            char byte = 0;
            [[maybe_unused]] const auto released =
                ::read(gate[0], &byte, 1);  // until the parent closes its end
            const auto secrets = load_or_create_secrets(data(), seeded(racer));
            std::ofstream out(home.path() / fmt::format("seen-{}", racer));
            for (const auto& [name, secret] : secrets.value_or(Secrets{})) {
                out << name << '=' << secret.reveal() << '\n';
            }
            out.close();
            ::_exit(secrets ? 0 : 1);
        }
        children.push_back(child);
    }
    ::close(gate[0]);
    ::close(gate[1]);
    for (const pid_t child : children) {
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }
    const auto first = content_of(home.path() / "seen-0");
    EXPECT_THAT(first, HasSubstr("JWT_ACCESS_SECRET="));
    for (unsigned racer = 1; racer < racers; ++racer) {
        EXPECT_EQ(content_of(home.path() / fmt::format("seen-{}", racer)), first);
    }
}

TEST_F(SecretsFile, FillsWhatTheEnvironmentLeavesOut)
{
    const Environment environment(Values{{"DATA_DIR", data().string()}, {"JWT_ACCESS_SECRET", secret_a}});
    const auto config = load(environment, {.random = seeded(1)});
    ASSERT_TRUE(config);
    EXPECT_EQ(config->tokens.access_secret.reveal(), secret_a);
    EXPECT_EQ(config->tokens.refresh_secret.size(), 64U);
    EXPECT_EQ(config->sources.at("JWT_ACCESS_SECRET"), Source::environment);
    EXPECT_EQ(config->sources.at("JWT_REFRESH_SECRET"), Source::generated);

    const auto again = load(environment, {});
    ASSERT_TRUE(again);
    EXPECT_EQ(again->tokens.refresh_secret, config->tokens.refresh_secret);
    EXPECT_EQ(again->tokens.oauth_state_secret, config->tokens.oauth_state_secret);
}

TEST_F(SecretsFile, IsNotMadeForRefusedSettings)
{
    const Environment environment(Values{{"DATA_DIR", data().string()}, {"HTTP_PORT", "x"}});
    EXPECT_FALSE(load(environment, {.random = seeded(1)}));
    EXPECT_FALSE(fs::exists(data()));
}

TEST_F(SecretsFile, ItsFaultIsReportedBesideTheOthers)
{
    ASSERT_TRUE(load_or_create_secrets(data(), seeded(1)));
    ASSERT_EQ(::chmod(file().c_str(), 0644), 0);
    const auto refused = load(Environment(Values{{"DATA_DIR", data().string()}, {"HTTP_PORT", "x"}}), {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().size(), 2U);
}

TEST_F(SecretsFile, IsNeitherReadNorMadeOutsideLocalProfiles)
{
    for (const char* profile : {"qa", "production"}) {
        auto values = production() + Values{{"APP_ENV", profile}, {"DATA_DIR", data().string()}};
        values.erase("JWT_ACCESS_SECRET");
        const auto refused = load(Environment(values), {.random = seeded(1)});
        ASSERT_FALSE(refused);
        EXPECT_EQ(
            format_faults(refused.error()), "validate config: JWT_ACCESS_SECRET must be at least 32 chars"
        );
        EXPECT_FALSE(fs::exists(data()));
    }
}

}  // namespace
}  // namespace kit::config
