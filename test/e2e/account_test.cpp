// An account's life through its owner's mailbox.
#include "support/account.hpp"

#include "support/json.hpp"
#include "support/server.hpp"

#include <boost/json/array.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace kit::test;

namespace {

constexpr std::string_view email = "ada@example.com";
constexpr std::string_view new_password = "Another-Horse-8-Battery";

class Account : public testing::TestWithParam<Engine> {
protected:
    Installation installation{
        GetParam(),
        {{"AUTH_LOCAL_REQUIRE_EMAIL_VERIFICATION", "true"},
         {"AUTH_EMAIL_VERIFY_BASE_URL", "http://localhost:3000/verify-email"},
         {"AUTH_PASSWORD_RESET_BASE_URL", "http://localhost:3000/reset-password"}}
    };
};

INSTANTIATE_TEST_SUITE_P(
    Engines, Account, testing::Values(Engine::sqlite, Engine::postgres), testing::PrintToStringParamName()
);

// The mails of the development mailbox, newest first; the text of each.
std::vector<std::string> mails(HttpClient& client)
{
    const auto response = client.send({.target = "/_dev/mail", .headers = {{"Accept", "application/json"}}});
    EXPECT_EQ(response.status, 200) << response.body;
    std::vector<std::string> texts;
    for (const auto& item : at(parse_json(response.body), "/data/items").as_array()) {
        EXPECT_EQ(text_at(item, "/to"), email);
        texts.emplace_back(text_at(item, "/text"));
    }
    return texts;
}

// The token of the link in the mail that comes `count`th.
std::string token_of_mail(HttpClient& client, std::size_t count, std::string_view page)
{
    std::vector<std::string> texts;
    EXPECT_TRUE(eventually([&] {
        texts = mails(client);
        return texts.size() >= count;
    }));
    const auto link = std::string(page) + "?token=";
    const auto start = texts.empty() ? std::string::npos : texts.front().find(link);
    if (start == std::string::npos) {
        ADD_FAILURE() << "no link in the newest of " << texts.size() << " mails";
        return {};
    }
    return texts.front().substr(start + link.size(), 43);
}

int post_status(HttpClient& client, std::string_view path, const std::string& body)
{
    return client.post("/api/v1/auth/local/" + std::string(path), body).status;
}

TEST_P(Account, IsVerifiedAndFindsItsPasswordAgainByMail)
{
    auto server = installation.start();
    auto client = server.client();
    const auto address = R"("email":")" + std::string(email) + "\"";
    ASSERT_EQ(sign_up(client, email).status, 201);
    EXPECT_EQ(log_in(client, email).status, 403);

    ASSERT_EQ(post_status(client, "verify/request", "{" + address + "}"), 202);
    auto token = token_of_mail(client, 1, "http://localhost:3000/verify-email");
    ASSERT_EQ(post_status(client, "verify/confirm", R"({"token":")" + token + "\"}"), 200);
    ASSERT_EQ(log_in(client, email).status, 200);
    EXPECT_EQ(client.get("/api/v1/me").status, 200);

    auto other = server.client();
    ASSERT_EQ(post_status(other, "password/forgot", "{" + address + "}"), 200);
    token = token_of_mail(other, 2, "http://localhost:3000/reset-password");
    const auto reset = R"({"token":")" + token + R"(","new_password":")" + std::string(new_password) + "\"}";
    ASSERT_EQ(post_status(other, "password/reset", reset), 200);
    EXPECT_EQ(post_status(other, "password/reset", reset), 400);
    EXPECT_EQ(client.get("/api/v1/me").status, 401) << "signed out everywhere";
    EXPECT_EQ(log_in(other, email).status, 401);
    ASSERT_EQ(log_in(other, email, new_password).status, 200);
    EXPECT_EQ(mails(other).size(), 3) << "with the notice of the new password";
}

}  // namespace
