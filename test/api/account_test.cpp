// Verification, forgotten and changed passwords on the contract's wire, on both engines.
#include "api_fixture.hpp"
#include "platform/core/encoding.hpp"
#include "platform/crypto/password.hpp"
#include "platform/json/json.hpp"
#include "support/temp_dir.hpp"

#include <algorithm>
#include <atomic>
#include <fcntl.h>
#include <fstream>
#include <latch>
#include <thread>
#include <unistd.h>

namespace kit::test {

namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* login_path = "/api/v1/auth/local/login";
constexpr const char* refresh_path = "/api/v1/auth/refresh";
constexpr const char* verify_request_path = "/api/v1/auth/local/verify/request";
constexpr const char* verify_confirm_path = "/api/v1/auth/local/verify/confirm";
constexpr const char* forgot_path = "/api/v1/auth/local/password/forgot";
constexpr const char* reset_path = "/api/v1/auth/local/password/reset";
constexpr const char* change_path = "/api/v1/auth/local/change-password";
constexpr const char* weak_password =
    "password must be 12+ chars and include upper, lower, number, and special char";
constexpr const char* new_password = "Another-Horse-43";

constexpr db::Query stored_mails{"test.mails", "SELECT text, sealed FROM mail_outbox"};

ApiRequest post(std::string path, std::string body)
{
    return {
        .method = "POST", .path = std::move(path), .headers = {new_idempotency_key()}, .body = std::move(body)
    };
}

ApiRequest ask(const char* path, const std::string& email = "ada@example.com")
{
    return post(path, R"({"email":")" + email + R"("})");
}

ApiRequest confirm(const std::string& token)
{
    return post(verify_confirm_path, R"({"token":")" + token + R"("})");
}

ApiRequest reset(const std::string& token, const std::string& password = new_password)
{
    return post(reset_path, R"({"token":")" + token + R"(","new_password":")" + password + R"("})");
}

ApiRequest change(const std::string& current, const std::string& next = new_password)
{
    return post(change_path, R"({"current_password":")" + current + R"(","new_password":")" + next + R"("})");
}

ApiRequest login(const std::string& password, const std::string& email = "ada@example.com")
{
    return post(login_path, R"({"email":")" + email + R"(","password":")" + password + R"("})");
}

struct Scenario {
    const char* name;
    ApiRequest request;
    int status;
    std::vector<std::string> contains;
};

class AccountApi : public ApiTest {
protected:
    static void strict(config::Config& config) { config.auth.require_email_verification = true; }

    static void expect(Api& api, const std::vector<Scenario>& scenarios)
    {
        for (const auto& scenario : scenarios) {
            const auto response = api.send(scenario.request);
            EXPECT_EQ(response.status, scenario.status) << scenario.name << ": " << response.body;
            for (const auto& text : scenario.contains) {
                EXPECT_THAT(response.body, HasSubstr(text)) << scenario.name;
            }
            EXPECT_TRUE(response.all("set-cookie").empty()) << scenario.name;
        }
    }

    static std::vector<mail::Stored> mails(Api& api)
    {
        return api.run(api.product().outbox().newest(api.database(), 100));
    }

    // The token of the newest mail, once what was asked for has been sent.
    static std::string newest_token(Api& api)
    {
        api.run(api.product().links().issue_requested());
        const auto all = mails(api);
        if (all.empty()) {
            ADD_FAILURE() << "no mail";
            return {};
        }
        const auto& text = all.front().text;
        const auto start = text.find("token=");
        EXPECT_NE(start, std::string::npos) << text;
        return text.substr(start + 6, 43);
    }

    static std::string token_for(Api& api, const char* path)
    {
        const auto response = api.send(ask(path));
        EXPECT_LT(response.status, 300) << response.body;
        return newest_token(api);
    }

    // How many of the parallel requests succeed.
    static int succeed_together(Api& api, const ApiRequest& request, int clients = 2)
    {
        std::latch together(clients);
        std::atomic<int> succeeded = 0;
        std::vector<std::jthread> threads;
        threads.reserve(static_cast<std::size_t>(clients));
        for (int client = 0; client < clients; ++client) {
            threads.emplace_back([&] {
                auto own = request;
                own.headers = {new_idempotency_key()};
                together.arrive_and_wait();
                const auto status = api.send(own).status;
                EXPECT_TRUE(status < 300 || status == 400) << status;
                succeeded += status < 300 ? 1 : 0;
            });
        }
        threads.clear();
        return succeeded;
    }
};

KIT_BOTH_ENGINES(AccountApi);

TEST_P(AccountApi, VerifyRequestRows)
{
    Api api(GetParam(), strict);
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    const std::vector<std::string> requested{R"({"success":true,"data":{"status":"verification_requested"})"};
    expect(
        api,
        {
            {"not JSON", post(verify_request_path, "{"), 400, {"BAD_REQUEST", "invalid payload"}},
            {"wrong type", post(verify_request_path, R"({"email":1})"), 400, {"invalid payload"}},
            {"none", post(verify_request_path, "{}"), 400, {"BAD_REQUEST", "email is required"}},
            {"blank", ask(verify_request_path, "  "), 400, {"email is required"}},
            {"malformed", ask(verify_request_path, "Ada <ada@example.com>"), 400, {"invalid email"}},
            {"unknown", ask(verify_request_path, "nobody@example.com"), 202, requested},
            {"known, in other case", ask(verify_request_path, " ADA@Example.com "), 202, requested},
        }
    );
    api.run(api.product().links().issue_requested());
    const auto sent = mails(api);
    ASSERT_EQ(sent.size(), 1) << "to the one who has an account";
    EXPECT_EQ(sent[0].to, "ada@example.com");
    ASSERT_EQ(api.send(confirm(newest_token(api))).status, 200);
    expect(api, {{"verified already", ask(verify_request_path), 202, requested}});
    api.run(api.product().links().issue_requested());
    EXPECT_EQ(mails(api).size(), 1) << "needs no link any more";
}

TEST_P(AccountApi, VerifyConfirmRows)
{
    Api api(GetParam(), strict);
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    const std::vector<std::string> invalid{
        R"("code":"INVALID_OR_EXPIRED_TOKEN","message":"invalid or expired token")"
    };
    const auto superseded = token_for(api, verify_request_path);
    const auto token = token_for(api, verify_request_path);
    const auto for_reset = token_for(api, forgot_path);
    EXPECT_EQ(token.size(), 43);
    EXPECT_TRUE(base64url_decode(token));
    expect(
        api,
        {
            {"not JSON", post(verify_confirm_path, "{"), 400, {"BAD_REQUEST", "invalid payload"}},
            {"blank", confirm("  "), 400, invalid},
            {"none", post(verify_confirm_path, "{}"), 400, invalid},
            {"unknown", confirm("x"), 400, invalid},
            {"replaced by a newer one", confirm(superseded), 400, invalid},
            {"of another purpose", confirm(for_reset), 400, invalid},
            {"good, untrimmed",
             confirm(" " + token + " "),
             200,
             {R"({"success":true,"data":{"status":"email_verified"})"}},
            {"used", confirm(token), 400, invalid},
        }
    );
    EXPECT_EQ(api.send(login(Api::password)).status, 200);
}

TEST_P(AccountApi, AVerificationLinkExpires)
{
    Api api(GetParam(), strict);
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    const auto token = token_for(api, verify_request_path);
    api.clock().advance(std::chrono::minutes(30));
    EXPECT_EQ(api.send(confirm(token)).status, 400);
    EXPECT_EQ(api.send(login(Api::password)).status, 403);
}

TEST_P(AccountApi, RegistrationSendsNoMail)
{
    Api api(GetParam(), strict);
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    api.run(api.product().links().issue_requested());
    EXPECT_TRUE(mails(api).empty()) << "the client asks for it";
}

TEST_P(AccountApi, ForgotRows)
{
    Api api(GetParam());
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    const std::vector<std::string> sent{
        R"({"success":true,"data":{"status":"if the account exists, reset instructions were sent"})"
    };
    expect(
        api,
        {
            {"not JSON", post(forgot_path, "{"), 400, {"BAD_REQUEST", "invalid payload"}},
            {"none", post(forgot_path, "{}"), 200, sent},
            {"blank", ask(forgot_path, " "), 200, sent},
            {"malformed", ask(forgot_path, "ada"), 200, sent},
            {"unknown", ask(forgot_path, "nobody@example.com"), 200, sent},
            {"known", ask(forgot_path), 200, sent},
        }
    );
    api.run(api.product().links().issue_requested());
    EXPECT_EQ(mails(api).size(), 1);
}

TEST_P(AccountApi, ResetRows)
{
    Api api(GetParam());
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    const std::vector<std::string> invalid{
        R"("code":"INVALID_OR_EXPIRED_TOKEN","message":"invalid or expired token")"
    };
    const auto superseded = token_for(api, forgot_path);
    const auto token = token_for(api, forgot_path);
    expect(
        api,
        {
            {"not JSON", post(reset_path, "{"), 400, {"BAD_REQUEST", "invalid payload"}},
            {"weak, whatever the token", reset("x", "short"), 400, {"BAD_REQUEST", weak_password}},
            {"weak leaves the token good", reset(token, "short"), 400, {weak_password}},
            {"common", reset(token, "P@ssw0rd1234"), 400, {weak_password}},
            {"no token", reset(""), 400, invalid},
            {"unknown", reset("x"), 400, invalid},
            {"replaced by a newer one", reset(superseded), 400, invalid},
            {"not for a confirmation", confirm(token), 400, invalid},
            {"good", reset(token), 200, {R"({"success":true,"data":{"status":"password_reset"})"}},
            {"used", reset(token, "Third-Horse-44-x"), 400, invalid},
        }
    );
    EXPECT_EQ(api.send(login(Api::password)).status, 401);
    EXPECT_EQ(api.send(login(new_password)).status, 200);
}

TEST_P(AccountApi, AResetLinkExpires)
{
    Api api(GetParam());
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    const auto token = token_for(api, forgot_path);
    api.clock().advance(std::chrono::minutes(15));
    EXPECT_EQ(api.send(reset(token)).status, 400);
}

TEST_P(AccountApi, AResetEndsAllSessionsAndSaysSo)
{
    Api api(GetParam(), strict);
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    ASSERT_EQ(api.send(confirm(token_for(api, verify_request_path))).status, 200);
    CookieJar phone;
    ASSERT_EQ(api.send(phone, login(Api::password)).status, 200);
    const auto token = token_for(api, forgot_path);
    ASSERT_EQ(api.send(reset(token)).status, 200);
    EXPECT_EQ(api.send(phone, {.path = "/api/v1/me"}).status, 401);
    EXPECT_EQ(api.send(phone, {.method = "POST", .path = refresh_path}).status, 401);
    const auto notice = mails(api).front();
    EXPECT_EQ(notice.to, "ada@example.com");
    EXPECT_THAT(notice.text, Not(HasSubstr("token=")));
    EXPECT_EQ(api.send(login(new_password)).status, 200) << "still verified";
}

TEST_P(AccountApi, ChangePasswordRows)
{
    Api api(GetParam());
    CookieJar jar;
    CookieJar laptop;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    ASSERT_EQ(api.send(laptop, login(Api::password)).status, 200);
    EXPECT_EQ(api.send(change(Api::password)).status, 403) << "no pair";
    CookieJar nobody;
    nobody.take(api.send(login(Api::password)));
    const auto by_bearer = [&jar](ApiRequest request) {
        request.headers.emplace_back("Authorization", "Bearer " + jar.value("access_token"));
        return request;
    };
    auto forged = change(Api::password);
    forged.headers.emplace_back("Authorization", "Bearer x");
    expect(
        api,
        {
            {"no good token", forged, 401, {"invalid access token"}},
            {"not JSON", by_bearer(post(change_path, "{")), 400, {"BAD_REQUEST", "invalid payload"}},
            {"weak, before all else", by_bearer(change("wrong", "short")), 400, {weak_password}},
            {"wrong", by_bearer(change("wrong")), 401, {"UNAUTHORIZED", "invalid credentials"}},
            {"wrong, before unchanged",
             by_bearer(change(new_password, new_password)),
             401,
             {"invalid credentials"}},
            {"unchanged",
             by_bearer(change(Api::password, Api::password)),
             400,
             {"BAD_REQUEST", "new password must differ from current password"}},
        }
    );
    EXPECT_EQ(api.send(jar, {.path = "/api/v1/me"}).status, 200) << "refusals end nothing";
    const auto stolen = jar;
    const auto response = api.send(jar, change(Api::password));
    EXPECT_EQ(response.status, 200) << response.body;
    EXPECT_THAT(response.body, HasSubstr(R"("data":{"status":"password_changed"})"));
    const auto cookies = response.all("set-cookie");
    ASSERT_EQ(cookies.size(), 4);
    EXPECT_EQ(cookies[0], "access_token=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    EXPECT_EQ(cookies[3], "oauth_state=; Path=/api/v1/auth/google; Max-Age=0; HttpOnly; SameSite=Lax");
    for (auto old : {stolen, laptop}) {
        EXPECT_EQ(api.send(old, {.path = "/api/v1/me"}).status, 401);
        EXPECT_EQ(api.send(old, {.method = "POST", .path = refresh_path}).status, 401);
    }
    EXPECT_EQ(api.send(login(Api::password)).status, 401);
    EXPECT_EQ(api.send(login(new_password)).status, 200);
    EXPECT_EQ(mails(api).size(), 1) << "a notice";
}

TEST_P(AccountApi, WithoutAPasswordThereIsNoneToChangeOrReset)
{
    Api api(GetParam());
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    api.script("DELETE FROM local_credentials");
    EXPECT_EQ(api.send(jar, change(Api::password)).status, 401);
    EXPECT_EQ(api.send(ask(forgot_path)).status, 200);
    EXPECT_EQ(api.send(ask(verify_request_path)).status, 202);
    api.run(api.product().links().issue_requested());
    EXPECT_TRUE(mails(api).empty());
}

TEST_P(AccountApi, LocalAccountsCanBeSwitchedOff)
{
    Api api(GetParam());
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    Api off(GetParam(), [](config::Config& config) { config.auth.local_enabled = false; });
    for (const auto* path : {verify_request_path, verify_confirm_path, forgot_path, reset_path}) {
        const auto response = off.send(post(path, "{}"));
        EXPECT_EQ(response.status, 404) << path;
        EXPECT_THAT(response.body, HasSubstr(R"("code":"NOT_ENABLED","message":"local auth is disabled")"));
    }
    const auto refused = off.send(
        {.method = "POST",
         .path = change_path,
         .headers = {{"Authorization", "Bearer " + jar.value("access_token")}},
         .body = "{}"}
    );
    EXPECT_EQ(refused.status, 404) << refused.body;
}

TEST_P(AccountApi, ParallelConfirmsOfOneTokenSucceedOnce)
{
    Api api(GetParam(), strict);
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    for (int round = 0; round < 10; ++round) {
        api.script("UPDATE local_credentials SET email_verified = false");
        EXPECT_EQ(succeed_together(api, confirm(token_for(api, verify_request_path))), 1);
    }
}

TEST_P(AccountApi, ParallelResetsByOneTokenSucceedOnce)
{
    Api api(GetParam());
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    for (int round = 0; round < 3; ++round) {
        EXPECT_EQ(succeed_together(api, reset(token_for(api, forgot_path))), 1);
    }
}

TEST_P(AccountApi, ParallelRegistrationsMakeOneAccount)
{
    Api api(GetParam());
    const auto request = post(
        "/api/v1/auth/local/register",
        R"({"email":"bob@example.com","name":"Bob","password":"Correct-Horse-42"})"
    );
    EXPECT_EQ(succeed_together(api, request, 4), 1);
}

// Each of them wants to replace the hash that the others have verified.
TEST_P(AccountApi, ParallelSignInsRenewAnOldHashAndAllSucceed)
{
    Api api(GetParam());
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    PasswordHasher cheap({.memory_kib = 1'024, .passes = 1}, api.random());
    const auto old = api.run(cheap.hash(Api::password));
    api.script("UPDATE local_credentials SET password_hash = '" + old + "'");
    EXPECT_EQ(succeed_together(api, login(Api::password), 3), 3);
    EXPECT_NE(api.run(auth::Repository::find_holder(api.database(), 1)).value().password_hash, old);
}

TEST_P(AccountApi, ParallelRequestsLeaveOneGoodToken)
{
    Api api(GetParam());
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    for (int request = 0; request < 8; ++request) {
        ASSERT_EQ(api.send(ask(forgot_path)).status, 200);
    }
    const auto other = api.second_node();
    {
        std::jthread second([&] { api.run(other->links().issue_requested()); });
        api.run(api.product().links().issue_requested());
    }
    EXPECT_EQ(mails(api).size(), 8) << "each request once, whoever took it";
    int good = 0;
    for (const auto& sent : mails(api)) {
        const auto token = sent.text.substr(sent.text.find("token=") + 6, 43);
        good += api.send(reset(token)).status == 200 ? 1 : 0;
    }
    EXPECT_EQ(good, 1);
}

TEST_P(AccountApi, AnOldRequestIsNotAnswered)
{
    Api api(GetParam());
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    ASSERT_EQ(api.send(ask(forgot_path)).status, 200);
    api.clock().advance(std::chrono::hours(2));
    api.run(api.product().links().issue_requested());
    EXPECT_TRUE(mails(api).empty());
}

TEST_P(AccountApi, AnAddressThatNoEnvelopeCarriesHoldsUpNobody)
{
    Api api(GetParam());
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    CookieJar odd;
    ASSERT_EQ(api.sign_up(odd, R"(\"a b\"@example.com)").status, 201);
    ASSERT_EQ(api.send(ask(forgot_path, R"(\"a b\"@example.com)")).status, 200);
    ASSERT_EQ(api.send(ask(forgot_path)).status, 200);
    api.run(api.product().links().issue_requested());
    ASSERT_EQ(mails(api).size(), 1);
    EXPECT_EQ(mails(api)[0].to, "ada@example.com");
    EXPECT_EQ(api.send(odd, change(Api::password)).status, 200) << "without a notice";
}

TEST_P(AccountApi, EffectMailAndRowAreOne)
{
    Api api(GetParam(), strict);
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    const auto verification = token_for(api, verify_request_path);
    const auto for_reset = token_for(api, forgot_path);
    api.script("ALTER TABLE audit_events RENAME COLUMN reason TO reasons");
    EXPECT_EQ(api.send(confirm(verification)).status, 500);
    EXPECT_EQ(api.send(reset(for_reset)).status, 500);
    EXPECT_EQ(api.send(ask(forgot_path)).status, 500);
    api.script("ALTER TABLE audit_events RENAME COLUMN reasons TO reason");
    api.script("ALTER TABLE mail_outbox RENAME COLUMN html TO htmls");
    EXPECT_EQ(api.send(reset(for_reset)).status, 500);
    api.script("ALTER TABLE mail_outbox RENAME COLUMN htmls TO html");
    EXPECT_EQ(api.send(confirm(verification)).status, 200) << "not used up by what failed";
    EXPECT_EQ(api.send(login(Api::password)).status, 200) << "nor was the password replaced";
    EXPECT_EQ(api.send(reset(for_reset)).status, 200);
    api.run(api.product().links().issue_requested());
    EXPECT_EQ(mails(api).size(), 3) << "nobody asked for another link";
}

TEST_P(AccountApi, OnlyHashesOfTokensAreStored)
{
    Api api(ApiEngine::postgres);
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    const auto token = token_for(api, forgot_path);
    const auto rows = api.postgres("SELECT token_hash, purpose FROM verification_tokens");
    ASSERT_EQ(rows.size(), 1);
    EXPECT_THAT(rows[0][0], testing::MatchesRegex("[0-9a-f]{64}"));
    EXPECT_EQ(rows[0][1], "password_reset");
    EXPECT_TRUE(api.postgres("SELECT id FROM token_requests").empty());
}

// What this node writes to its log while it sends a reset link.
std::string lines_of_a_reset(Api& api, const config::Config& config)
{
    const TempDir folder;
    const auto path = folder.path() / "log";
    {
        const auto descriptor = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        {
            telemetry::Logger logger({.descriptor = descriptor, .readable = false}, api.clock());
            SystemRandom random;
            telemetry::Registry metrics({.workers = 1});
            app::Product node(
                config,
                {.clock = api.clock(), .random = random, .logger = logger, .metrics = metrics},
                api.database()
            );
            api.send(ask(forgot_path));
            api.run(node.links().issue_requested());
        }
        ::close(descriptor);
    }
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

TEST_P(AccountApi, Q19LinksAreLoggedInLocalProfilesOnly)
{
    Api api(GetParam());
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    config::Config config;
    config.tokens.access_secret = config::Secret("test-access-secret-0123456789abcdef");
    config.tokens.refresh_secret = config::Secret("test-refresh-secret-0123456789abcde");
    config.tokens.refresh_pepper = config::Secret("test-pepper-0123456789");
    config.auth.password_reset_base_url = "http://localhost:3000/reset?from=mail";
    EXPECT_THAT(
        lines_of_a_reset(api, config),
        testing::ContainsRegex(
            R"("msg":"password reset token issued","user_id":1,"email":"ada@example.com",)"
            R"("expires_at":"2026-03-01T00:15:00Z",)"
            R"("reset":"http://localhost:3000/reset\?from=mail(&|\\u0026)token=[A-Za-z0-9_-]{43}")"
        )
    );
    config.process.environment = "production";
    EXPECT_EQ(lines_of_a_reset(api, config), "");
    const auto rows = api.run(api.database().run({&stored_mails, {}}));
    for (std::size_t row = 0; row < rows.size(); ++row) {
        EXPECT_EQ(rows.cell(row, 0).text.contains("token="), rows.cell(row, 1).integer == 0);
    }
}

// The faults of the reference, and what is done instead.

TEST_P(AccountApi, Q8BootstrapAdminOnceTheAddressIsVerified)
{
    Api api(GetParam(), [](config::Config& config) {
        config.auth.require_email_verification = true;
        config.auth.bootstrap_admin_email = "ADA@example.com";
        config.process.environment = "production";
    });
    CookieJar ada;
    CookieJar bob;
    ASSERT_THAT(api.sign_up(ada).body, Not(HasSubstr("Administrator")));
    ASSERT_EQ(api.sign_up(bob, "bob@example.com").status, 201);
    ASSERT_EQ(api.send(ask(verify_request_path, "bob@example.com")).status, 202);
    ASSERT_EQ(api.send(confirm(newest_token(api))).status, 200);
    EXPECT_THAT(api.send(login(Api::password, "bob@example.com")).body, Not(HasSubstr("Administrator")))
        << "another one's address";
    ASSERT_EQ(api.send(confirm(token_for(api, verify_request_path))).status, 200);
    EXPECT_THAT(api.send(login(Api::password)).body, HasSubstr("Administrator"));
}

TEST_P(AccountApi, Q13ADisabledUserNeitherSignsInNorActsByLinks)
{
    Api api(GetParam());
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    const auto for_reset = token_for(api, forgot_path);
    const auto good = jar;
    api.script("UPDATE users SET status = 'disabled'");
    const auto refused = api.send(login(Api::password));
    EXPECT_EQ(refused.status, 401);
    EXPECT_THAT(refused.body, HasSubstr(R"("code":"UNAUTHORIZED","message":"invalid credentials")"));
    auto refresher = good;
    const auto stale = api.send(refresher, {.method = "POST", .path = refresh_path});
    EXPECT_EQ(stale.status, 401);
    EXPECT_THAT(stale.body, HasSubstr("invalid refresh token"));
    EXPECT_EQ(api.send(reset(for_reset)).status, 400);
    EXPECT_EQ(api.send(ask(forgot_path)).status, 200);
    api.run(api.product().links().issue_requested());
    EXPECT_EQ(mails(api).size(), 1) << "the one of before";
}

TEST_P(AccountApi, Q16LogoutEndsEverySession)
{
    Api api(GetParam());
    CookieJar phone;
    CookieJar laptop;
    ASSERT_EQ(api.sign_up(phone).status, 201);
    ASSERT_EQ(api.send(laptop, login(Api::password)).status, 200);
    ASSERT_EQ(api.send(phone, {.method = "POST", .path = "/api/v1/auth/logout"}).status, 200);
    EXPECT_EQ(api.send(laptop, {.method = "POST", .path = refresh_path}).status, 401);
}

TEST_P(AccountApi, Q17ANewPasswordEndsAccessTokensAtOnce)
{
    Api api(GetParam());
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    ASSERT_EQ(api.send(reset(token_for(api, forgot_path))).status, 200);
    EXPECT_EQ(api.send(jar, {.path = "/api/v1/me"}).status, 401);
}

TEST_P(AccountApi, Q21AccessCookieLivesAsLongAsItsToken)
{
    Api api(GetParam(), [](config::Config& config) { config.tokens.access_ttl = std::chrono::minutes(5); });
    CookieJar jar;
    EXPECT_THAT(
        api.sign_up(jar).all("set-cookie").at(0), testing::MatchesRegex("access_token=.*; Max-Age=300; .*")
    );
}

TEST_P(AccountApi, Q28LoginSetsLastLogin)
{
    Api api(GetParam());
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    EXPECT_THAT(api.send(login(Api::password)).body, HasSubstr(R"("last_login_at":"2026-03-01T00:00:00Z")"));
}

TEST_P(AccountApi, Q29AnOutageIsNoWrongPassword)
{
    Api api(GetParam());
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    api.database().close();
    for (const auto& request : {login(Api::password), ask(verify_request_path), confirm("x"), reset("x")}) {
        const auto response = api.send(request);
        EXPECT_EQ(response.status, 503) << request.path;
        EXPECT_THAT(response.body, Not(HasSubstr("database"))) << request.path;
    }
    EXPECT_EQ(api.send(ask(forgot_path)).status, api.keeps_keys_itself() ? 500 : 503)
        << "the contract's answer where keys cannot be asked";
    EXPECT_EQ(api.send(jar, change(Api::password)).status, 503);
    EXPECT_EQ(api.send(jar, {.path = "/api/v1/me"}).status, 503);
}

TEST_P(AccountApi, Q30AGoodBearerOutweighsAStaleCookie)
{
    Api api(GetParam());
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    const auto response = api.send(
        {.path = "/api/v1/me",
         .headers =
             {{"Cookie", "access_token=stale"}, {"Authorization", "Bearer " + jar.value("access_token")}}}
    );
    EXPECT_EQ(response.status, 200);
}

TEST_P(AccountApi, Q31LongUserAgentsAreCut)
{
    Api api(GetParam());
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    auto request = login(Api::password);
    request.headers.emplace_back("User-Agent", std::string(2'000, 'u'));
    EXPECT_EQ(api.send(request).status, 200);
}

TEST_P(AccountApi, Q33EndedTokensArePurged)
{
    Api api(GetParam());
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    for (int token = 0; token < 70; ++token) {
        ASSERT_EQ(api.send(ask(forgot_path)).status, 200);
    }
    api.run(api.product().links().issue_requested());
    auto& links = api.product().links();
    EXPECT_EQ(api.run(links.purge()), 0) << "not at once";
    api.clock().advance(auth::Links::kept_after_end + std::chrono::seconds(1));
    EXPECT_EQ(api.run(links.purge()), 69) << "the used ones, in more than one batch";
    api.clock().advance(std::chrono::minutes(15));
    EXPECT_EQ(api.run(links.purge()), 1) << "the expired one";
}

TEST_P(AccountApi, Q52RegistrationIsOneTransaction)
{
    Api api(GetParam());
    CookieJar jar;
    api.script("ALTER TABLE local_credentials RENAME COLUMN password_hash TO hash");
    EXPECT_EQ(api.sign_up(jar).status, 500);
    api.script("ALTER TABLE local_credentials RENAME COLUMN hash TO password_hash");
    EXPECT_EQ(api.sign_up(jar).status, 201) << "the address is not taken";
}

TEST_P(AccountApi, Q53OnlyABareAddressIsOne)
{
    Api api(GetParam());
    CookieJar jar;
    for (const auto* email : {"bob <bob@x.y>", "<a@b.c>"}) {
        const auto response = api.sign_up(jar, email);
        EXPECT_EQ(response.status, 400) << email;
        EXPECT_THAT(response.body, HasSubstr(R"("code":"BAD_REQUEST","message":"invalid email")"));
    }
}

TEST_P(AccountApi, Q54AnswersTellNothingOfAnAccount)
{
    Api api(GetParam());
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    const auto body_of = [&api](ApiRequest request) {
        request.headers.emplace_back("X-Request-Id", "same");
        auto response = api.send(request);
        return std::to_string(response.status) + response.body;
    };
    for (const auto* path : {forgot_path, verify_request_path}) {
        EXPECT_EQ(body_of(ask(path)), body_of(ask(path, "nobody@example.com"))) << path;
    }
    EXPECT_EQ(body_of(login("Wrong-Horse-42")), body_of(login("Wrong-Horse-42", "nobody@example.com")));
    const auto huge = post(
        "/api/v1/auth/local/register",
        R"({"email":"b@example.com","name":"B","password":")" + std::string(1'020, 'x') + R"(Aa1-!"})"
    );
    EXPECT_THAT(api.send(huge).body, HasSubstr(weak_password)) << "more than 1024 bytes";
}

TEST_P(AccountApi, Q60PermissionsOfATokenAreSorted)
{
    Api api(GetParam(), [](config::Config& config) {
        config.auth.bootstrap_admin_email = "ada@example.com";
    });
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    const auto token = jar.value("access_token");
    const auto first = token.find('.') + 1;
    const auto claims = base64url_decode(token.substr(first, token.find('.', first) - first)).value();
    std::vector<std::string> permissions;
    for (const auto& permission : rbac::default_permissions()) {
        permissions.push_back(std::string(permission.resource) + ":" + std::string(permission.action));
    }
    std::ranges::sort(permissions);
    EXPECT_THAT(claims, HasSubstr(R"("permissions":)" + json::to_text(permissions)));
}

TEST_P(AccountApi, NamesAndAddressesAreNormalised)
{
    Api api(GetParam());
    const auto response = api.send(post(
        "/api/v1/auth/local/register",
        R"({"email":"\uff21DA@\u00c4pfel.example","name":"\u3000A\u030angstro\u0308m \ufb01\u00a0",)"
        R"("password":"Correct-Horse-42"})"
    ));
    ASSERT_EQ(response.status, 201) << response.body;
    EXPECT_THAT(
        response.body, HasSubstr("\"email\":\"ada@\u00e4pfel.example\",\"name\":\"\u00c5ngstr\u00f6m fi\"")
    );
    EXPECT_EQ(api.send(login(Api::password, "ADA@a\u0308PFEL.example")).status, 200);
}

}  // namespace

}  // namespace kit::test
