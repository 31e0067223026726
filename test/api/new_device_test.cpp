// The owner of an account hears of sign-ins on devices that it was not used on before.
#include "api_fixture.hpp"

namespace kit::test {

namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

struct From {
    std::string peer = "192.0.2.7";
    std::string user_agent{};
    std::string password = Api::password;
};

ApiRequest login(From from)
{
    return {
        .method = "POST",
        .path = "/api/v1/auth/local/login",
        .headers = {{"User-Agent", std::move(from.user_agent)}},
        .body = R"({"email":"ada@example.com","password":")" + from.password + R"("})",
        .peer = std::move(from.peer)
    };
}

class NewDeviceApi : public ApiTest {
protected:
    static void guarded(config::Config& config) { config.abuse.enabled = true; }

    static std::vector<mail::Stored> mails(Api& api)
    {
        return api.run(api.product().outbox().newest(api.database(), 100));
    }
};

KIT_BOTH_ENGINES(NewDeviceApi);

TEST_P(NewDeviceApi, IsToldToTheOwnerOnce)
{
    Api api(GetParam(), guarded);
    CookieJar browser;
    ASSERT_EQ(api.sign_up(browser).status, 201);
    ASSERT_EQ(api.send(browser, login({.peer = "198.51.100.1", .user_agent = firefox})).status, 200);
    EXPECT_THAT(mails(api), IsEmpty()) << "the device of the registration, wherever it is now";

    CookieJar other;
    ASSERT_EQ(api.send(other, login({.peer = "203.0.113.9", .user_agent = firefox})).status, 200);
    ASSERT_THAT(mails(api), SizeIs(1));
    const auto mail = mails(api).front();
    EXPECT_EQ(mail.to, "ada@example.com");
    EXPECT_THAT(mail.subject, HasSubstr("New sign-in"));
    EXPECT_THAT(mail.text, AllOf(HasSubstr("Firefox on Linux"), HasSubstr("203.0.113.9")));

    ASSERT_EQ(api.send(other, login({.peer = "203.0.113.10", .user_agent = firefox})).status, 200);
    EXPECT_THAT(mails(api), SizeIs(1)) << "known by its cookie";
    ASSERT_EQ(api.send(login({.peer = "203.0.113.9", .user_agent = firefox})).status, 200);
    EXPECT_THAT(mails(api), SizeIs(1)) << "looks as one that is known: programs keep no cookies";
    ASSERT_EQ(api.send(login({.peer = "203.0.113.11", .user_agent = firefox})).status, 200);
    EXPECT_THAT(mails(api), SizeIs(2));
}

TEST_P(NewDeviceApi, TheFirstSignInOfAnAccountIsNone)
{
    Api api(GetParam(), [](config::Config& config) {
        guarded(config);
        config.auth.require_email_verification = true;
    });
    CookieJar browser;
    ASSERT_EQ(api.sign_up(browser).status, 201);
    api.script("UPDATE local_credentials SET email_verified = true");
    ASSERT_EQ(api.send(login({})).status, 200);
    EXPECT_THAT(mails(api), IsEmpty());
    api.script("DELETE FROM sessions");
    ASSERT_EQ(api.send(login({.peer = "203.0.113.9"})).status, 200);
    EXPECT_THAT(mails(api), SizeIs(1)) << "used before, however long ago";
}

TEST_P(NewDeviceApi, NothingIsToldOfWhatIsNoSignIn)
{
    Api api(GetParam(), guarded);
    CookieJar browser;
    ASSERT_EQ(api.sign_up(browser).status, 201);
    ASSERT_EQ(api.send(login({.peer = "203.0.113.9", .password = "wrong"})).status, 401);
    EXPECT_THAT(mails(api), IsEmpty());
    // And no sign-in without its notice.
    api.script("ALTER TABLE mail_outbox RENAME COLUMN html TO htmls");
    EXPECT_EQ(api.send(login({.peer = "203.0.113.9"})).status, 500);
    api.script("ALTER TABLE mail_outbox RENAME COLUMN htmls TO html");
    ASSERT_EQ(api.send(login({.peer = "203.0.113.9"})).status, 200);
    EXPECT_THAT(mails(api), SizeIs(1));
}

TEST_P(NewDeviceApi, WithoutTheGuardNoDeviceIsKnownAndNoneNew)
{
    Api api(GetParam());
    CookieJar browser;
    ASSERT_EQ(api.sign_up(browser).status, 201);
    ASSERT_EQ(api.send(login({.peer = "203.0.113.9", .user_agent = firefox})).status, 200);
    EXPECT_THAT(mails(api), IsEmpty());
}

}  // namespace

}  // namespace kit::test
