#include "platform/crypto/password_policy.hpp"

#include "platform/crypto/common_passwords.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace kit {
namespace {

TEST(PasswordPolicy, AcceptsHonestPasswords)
{
    for (const auto* password :
         {"Str0ng!Passw0rd123",
          "ValidPass123!",
          "Password123!Strong",
          "StrongPass1!xyz",
          "Sup3rSecret!Pass",
          "Correct-Horse-42",
          "Correct-Horse-Battery-9",
          "Tr0ub4dor&3xyz",
          "aB3 aB3 aB3 "}) {
        EXPECT_TRUE(password_acceptable(password)) << password;
    }
}

TEST(PasswordPolicy, CountsBytesAndClasses)
{
    EXPECT_FALSE(password_acceptable(""));
    EXPECT_FALSE(password_acceptable("aB3-aB3-aB3"));   // 11
    EXPECT_TRUE(password_acceptable("aB3-aB3-aB3-"));   // 12
    EXPECT_FALSE(password_acceptable("ab3-ab3-ab3-"));  // no capital
    EXPECT_FALSE(password_acceptable("AB3-AB3-AB3-"));  // no small letter
    EXPECT_FALSE(password_acceptable("aBc-aBc-aBc-"));  // no digit
    EXPECT_FALSE(password_acceptable("aB3aB3aB3aB3"));  // no sign
    EXPECT_FALSE(password_acceptable("Äb3äb3äb3äb3"));  // Ä is no capital
    EXPECT_TRUE(password_acceptable("aB3aB3aB3 aB"));   // a space is a sign
    EXPECT_TRUE(password_acceptable("aB3aB3aB3aö"));    // so is what is not ASCII; 12 bytes, 11 characters
}

TEST(PasswordPolicy, LongPassphrasesNeedNoClasses)
{
    EXPECT_TRUE(password_acceptable("twelve green bottles"));      // 20
    EXPECT_FALSE(password_acceptable("eleven green bottle"));      // 19
    EXPECT_FALSE(password_acceptable("öööööööööööööööööäö\xcc"));  // characters count in valid UTF-8 only
    EXPECT_FALSE(password_acceptable("öäüöäüöäüöäüöäüöäü!"));      // 19 characters, 37 bytes
    EXPECT_TRUE(password_acceptable("öäüöäüöäüöäüöäüöäü!?"));      // 20 characters
}

TEST(PasswordPolicy, HasAMaximum)
{
    const std::string start = "aB3-";
    EXPECT_TRUE(password_acceptable(start + std::string(password_bytes_max - start.size(), 'x')));
    EXPECT_FALSE(password_acceptable(start + std::string(password_bytes_max - start.size() + 1, 'x')));
}

TEST(PasswordPolicy, RefusesTheCommonest)
{
    for (const auto* password :
         {"Password123!",
          "P@ssw0rd1234",
          "P4$$w0rd!!!!",
          "Welcome-2026",
          "Qwerty123456!",
          "1Q2w3e4r5t6y!",
          "Iloveyou!!!1",
          "Liverpool2024!",
          "Dr4g0n-2024!!",
          "Michael#12345",
          "Hell0!!!!!!!",
          "abcdefghijklmnopqrstuvwx",
          "aaaaaaaaaaaaaaaaaaaa",
          "12345678901234567890",
          "Administrator1!"}) {
        EXPECT_TRUE(is_common_password(password)) << password;
        EXPECT_FALSE(password_acceptable(password)) << password;
    }
}

TEST(PasswordPolicy, ComparesWholePasswordsOnly)
{
    EXPECT_FALSE(is_common_password("123Password"));
    EXPECT_FALSE(is_common_password("Passwords are common"));
    EXPECT_FALSE(is_common_password("Password123!x"));
    EXPECT_FALSE(is_common_password("passwordé"));
    EXPECT_FALSE(is_common_password("monkey dragon"));
    EXPECT_FALSE(is_common_password(""));
    EXPECT_FALSE(is_common_password("!!!!!!!!!!!!"));
}

TEST(CommonPasswords, EveryEntryIsInOrderNormalisedAndFound)
{
    const auto list = common_password_list();
    ASSERT_TRUE(list.starts_with(' ') && list.ends_with(' '));
    std::size_t count = 0;
    std::string_view previous;
    for (std::size_t begin = 1; begin < list.size(); ++count) {
        const auto end = list.find(' ', begin);
        const auto entry = list.substr(begin, end - begin);
        EXPECT_LT(previous, entry);
        EXPECT_LE(entry.size(), common_password_bytes_max);
        EXPECT_EQ(entry.find_first_not_of("abcdefghijklmnopqrstuvwxyz2689"), std::string_view::npos) << entry;
        EXPECT_TRUE(in_common_password_list(entry)) << entry;
        EXPECT_FALSE(in_common_password_list(std::string(entry) + "~")) << entry;
        previous = entry;
        begin = end + 1;
    }
    EXPECT_GE(count, 3000U);
    EXPECT_FALSE(in_common_password_list(""));
    EXPECT_FALSE(in_common_password_list(" "));
    EXPECT_FALSE(in_common_password_list("0"));
    EXPECT_FALSE(in_common_password_list("~"));
}

}  // namespace
}  // namespace kit
