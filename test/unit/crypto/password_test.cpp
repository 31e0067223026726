#include "platform/crypto/password.hpp"

#include "platform/core/error.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <exception>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace kit {
namespace {

// Of the argon2 reference tool: echo -n Correct-Horse-42 | argon2 somesalt12345678 -id -t T -k M -p P -l 32
// -e
constexpr std::string_view full_cost_two_lanes =
    "$argon2id$v=19$m=65536,t=3,p=2$c29tZXNhbHQxMjM0NTY3OA$SjPKR2oxoROYXMK0vY90GEIMPoPMhJDD8SmgxmfvhZo";
constexpr std::string_view full_cost_one_lane =
    "$argon2id$v=19$m=65536,t=3,p=1$c29tZXNhbHQxMjM0NTY3OA$V7oU6gEz8L4LsfGRKYfW1MvySV97WZIdgyxLrvQSfk4";

class CountingRandom final : public Random {
public:
    void fill(std::span<std::byte> bytes) override
    {
        for (auto& byte : bytes) {
            byte = static_cast<std::byte>(next_++);
        }
    }

private:
    unsigned next_ = 0;
};

template <class T>
T run(Task<T> task)
{
    asio::io_context loop(1);
    std::optional<T> result;
    std::exception_ptr failed;
    asio::co_spawn(loop, std::move(task), [&](std::exception_ptr error, T value) {
        failed = error;
        result = std::move(value);
    });
    loop.run();
    if (failed) {
        std::rethrow_exception(failed);
    }
    return std::move(*result);
}

void run(Task<void> task)
{
    asio::io_context loop(1);
    std::exception_ptr failed;
    asio::co_spawn(loop, std::move(task), [&](std::exception_ptr error) { failed = error; });
    loop.run();
    if (failed) {
        std::rethrow_exception(failed);
    }
}

struct Fixture {
    CountingRandom random;
    PasswordHasher::Options options{.memory_kib = 64, .passes = 1, .threads_max = 2, .queue_max = 64};
    PasswordHasher hasher{options, random};
};

TEST(PasswordHasher, HashesAndVerifies)
{
    Fixture f;
    const auto phc = run(f.hasher.hash("Correct-Horse-42"));
    EXPECT_TRUE(phc.starts_with("$argon2id$v=19$m=64,t=1,p=1$AAECAwQFBgcICQoLDA0ODw$")) << phc;
    EXPECT_EQ(phc.find('='), phc.find("=19"));
    EXPECT_EQ(phc.size(), std::string_view("$argon2id$v=19$m=64,t=1,p=1$").size() + 22 + 1 + 43);
    EXPECT_TRUE(run(f.hasher.verify("Correct-Horse-42", phc)));
    EXPECT_FALSE(run(f.hasher.verify("Correct-Horse-43", phc)));
    EXPECT_FALSE(run(f.hasher.verify("", phc)));
}

TEST(PasswordHasher, SaltsEveryHash)
{
    Fixture f;
    EXPECT_NE(run(f.hasher.hash("Correct-Horse-42")), run(f.hasher.hash("Correct-Horse-42")));
}

TEST(PasswordHasher, TakesEveryByteOfAPassword)
{
    Fixture f;
    const std::string with_nul("Correct\0Horse-42", 16);
    const auto phc = run(f.hasher.hash(with_nul));
    EXPECT_TRUE(run(f.hasher.verify(with_nul, phc)));
    EXPECT_FALSE(run(f.hasher.verify("Correct", phc)));
    const std::string longest(1024, 'x');
    const auto long_phc = run(f.hasher.hash(longest));
    EXPECT_TRUE(run(f.hasher.verify(longest, long_phc)));
    EXPECT_FALSE(run(f.hasher.verify(longest.substr(1), long_phc)));
}

TEST(PasswordHasher, VerifiesHashesOfTheReferenceToolWithOneLaneAndTwo)
{
    Fixture f;
    for (const auto phc : {full_cost_one_lane, full_cost_two_lanes}) {
        EXPECT_TRUE(run(f.hasher.verify("Correct-Horse-42", std::string(phc)))) << phc;
        EXPECT_FALSE(run(f.hasher.verify("Correct-Horse-43", std::string(phc)))) << phc;
    }
}

TEST(PasswordHasher, NothingMatchesWhatIsNoHash)
{
    Fixture f;
    for (const auto* phc :
         {"",
          "x",
          "$2b$10$abcdefghijklmnopqrstuv",
          "$argon2i$v=19$m=64,t=1,p=1$AAECAwQFBgcICQoLDA0ODw$AAAA",
          "$argon2id$v=19$m=64,t=1,p=1",
          "$argon2id$v=19$m=64,t=1,p=1$",
          "$argon2id$v=19$m=64,t=1,p=1$$",
          "$argon2id$v=16$m=64,t=1,p=1$AAECAwQFBgcICQoLDA0ODw$AAAA",
          "$argon2id$v=19$m=-1,t=1,p=1$AAECAwQFBgcICQoLDA0ODw$AAAA",
          "$argon2id$v=19$m=64,t=0,p=1$AAECAwQFBgcICQoLDA0ODw$AAAA",
          "$argon2id$v=19$m=64,t=1,p=0$AAECAwQFBgcICQoLDA0ODw$AAAA",
          "$argon2id$v=19$m=1048577,t=1,p=1$AAECAwQFBgcICQoLDA0ODw$AAAA",
          "$argon2id$v=19$m=64,t=65,p=1$AAECAwQFBgcICQoLDA0ODw$AAAA",
          "$argon2id$v=19$m=640,t=1,p=65$AAECAwQFBgcICQoLDA0ODw$AAAA"}) {
        EXPECT_FALSE(run(f.hasher.verify("Correct-Horse-42", phc))) << phc;
    }
    auto cut = run(f.hasher.hash("Correct-Horse-42"));
    cut += std::string("\0x", 2);
    EXPECT_FALSE(run(f.hasher.verify("Correct-Horse-42", cut)));
}

TEST(PasswordHasher, RehashesWhatIsCheaper)
{
    CountingRandom random;
    const PasswordHasher hasher({}, random);
    EXPECT_FALSE(hasher.needs_rehash(full_cost_one_lane));
    EXPECT_FALSE(hasher.needs_rehash(full_cost_two_lanes));
    EXPECT_FALSE(hasher.needs_rehash("$argon2id$v=19$m=131072,t=4,p=1$c29tZXNhbHQxMjM0NTY3OA$AAAA"));
    EXPECT_TRUE(hasher.needs_rehash("$argon2id$v=19$m=32768,t=3,p=1$c29tZXNhbHQxMjM0NTY3OA$AAAA"));
    EXPECT_TRUE(hasher.needs_rehash("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQxMjM0NTY3OA$AAAA"));
    EXPECT_TRUE(hasher.needs_rehash("$2b$10$abcdefghijklmnopqrstuv"));
}

TEST(PasswordHasher, ADummyVerificationRunsLikeAnother)
{
    Fixture f;
    run(f.hasher.verify_dummy("Correct-Horse-42"));
    PasswordHasher full({}, f.random);
    run(full.verify_dummy("Correct-Horse-42"));
}

TEST(PasswordHasher, RefusesCostsOutOfRange)
{
    CountingRandom random;
    EXPECT_THROW(PasswordHasher({.memory_kib = 7}, random), std::invalid_argument);
    EXPECT_THROW(PasswordHasher({.passes = 0}, random), std::invalid_argument);
    EXPECT_THROW(
        PasswordHasher({.memory_kib = PasswordHasher::stored_memory_kib_max + 1}, random),
        std::invalid_argument
    );
}

// All are submitted before the first can end; whether the second still finds room depends on the pool's
// thread having started.
TEST(PasswordHasher, ShedsBeyondItsQueue)
{
    CountingRandom random;
    PasswordHasher hasher({.memory_kib = 65536, .passes = 3, .threads_max = 1, .queue_max = 1}, random);
    asio::io_context loop(1);
    int done = 0;
    int shed = 0;
    for (int i = 0; i < 4; ++i) {
        asio::co_spawn(
            loop,
            hasher.hash("Correct-Horse-42"),
            [&](std::exception_ptr error, const std::string& phc) {
                if (!error) {
                    EXPECT_FALSE(phc.empty());
                    ++done;
                    return;
                }
                try {
                    std::rethrow_exception(error);
                } catch (const Overloaded&) {
                    ++shed;
                }
            }
        );
    }
    loop.run();
    EXPECT_EQ(done + shed, 4);
    EXPECT_GE(done, 1);
    EXPECT_GE(shed, 2);
}

#ifndef KIT_SANITIZED
std::size_t resident_kib()
{
    std::ifstream statm("/proc/self/statm");
    std::size_t size = 0;
    std::size_t resident = 0;
    statm >> size >> resident;
    return resident * 4;
}

TEST(PasswordHasher, GivesItsMemoryBack)
{
    CountingRandom random;
    PasswordHasher hasher({.threads_max = 2}, random);
    run(hasher.verify_dummy("Correct-Horse-42"));
    const auto before = resident_kib();
    for (int i = 0; i < 4; ++i) {
        run(hasher.verify_dummy("Correct-Horse-42"));
    }
    EXPECT_LT(resident_kib(), before + 1024);
    EXPECT_LT(resident_kib(), 65536U);
}
#endif

}  // namespace
}  // namespace kit
