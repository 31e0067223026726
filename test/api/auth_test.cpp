// The wire contract of registration, login, refresh, logout and /me, on both engines.
#include "api_fixture.hpp"
#include "platform/core/encoding.hpp"

#include <atomic>
#include <latch>
#include <thread>

namespace kit::test {

namespace {

using testing::HasSubstr;

constexpr const char* register_path = "/api/v1/auth/local/register";
constexpr const char* login_path = "/api/v1/auth/local/login";
constexpr const char* refresh_path = "/api/v1/auth/refresh";
constexpr const char* logout_path = "/api/v1/auth/logout";
constexpr const char* weak_password =
    "password must be 12+ chars and include upper, lower, number, and special char";

struct Scenario {
    const char* name;
    ApiRequest request;
    int status;
    std::vector<std::string> contains;
    std::vector<std::string> absent{};
};

ApiRequest post(std::string path, std::string body)
{
    return {
        .method = "POST", .path = std::move(path), .headers = {new_idempotency_key()}, .body = std::move(body)
    };
}

std::string payload_of(std::string_view token)
{
    const auto first = token.find('.');
    const auto second = token.find('.', first + 1);
    return base64url_decode(token.substr(first + 1, second - first - 1)).value_or("");
}

class AuthApi : public ApiTest {};

KIT_BOTH_ENGINES(AuthApi);

TEST_P(AuthApi, RefusalsOfRegistration)
{
    Api api(GetParam());
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    const std::string good = api.password;
    const std::vector<Scenario> scenarios{
        {"empty body", post(register_path, ""), 400, {"BAD_REQUEST", "invalid payload"}},
        {"not JSON", post(register_path, "{"), 400, {"invalid payload"}},
        {"array", post(register_path, "[]"), 400, {"invalid payload"}},
        {"trailing bytes", post(register_path, "{} x"), 400, {"invalid payload"}},
        {"wrong type", post(register_path, R"({"email":1})"), 400, {"invalid payload"}},
        {"NUL in a text", post(register_path, R"({"email":"a\u0000@b.c"})"), 400, {"invalid payload"}},
        {"null is {}", post(register_path, "null"), 400, {"email is required"}},
        {"blank address", post(register_path, R"({"email":"  "})"), 400, {"email is required"}},
        {"no at sign", post(register_path, R"({"email":"ada"})"), 400, {"invalid email"}},
        {"display name", post(register_path, R"({"email":"Ada <ada@example.com>"})"), 400, {"invalid email"}},
        {"angle form", post(register_path, R"({"email":"<ada@example.com>"})"), 400, {"invalid email"}},
        {"double dot", post(register_path, R"({"email":"a..b@example.com"})"), 400, {"invalid email"}},
        {"no name", post(register_path, R"({"email":"b@example.com","name":" "})"), 400, {"name is required"}
        },
        {"long name",
         post(register_path, R"({"email":"b@example.com","name":")" + std::string(256, 'n') + R"("})"),
         400,
         {"name must be at most 255 characters"}},
        {"weak password",
         post(register_path, R"({"email":"b@example.com","name":"B","password":"short"})"),
         400,
         {weak_password}},
        {"common password",
         post(register_path, R"({"email":"b@example.com","name":"B","password":"P@ssw0rd1234"})"),
         400,
         {weak_password}},
        {"taken, in other case",
         post(register_path, R"({"email":" ADA@example.com ","name":"B","password":")" + good + R"("})"),
         400,
         {"BAD_REQUEST", "email already registered"}},
    };
    for (const auto& scenario : scenarios) {
        const auto response = api.send(scenario.request);
        EXPECT_EQ(response.status, scenario.status) << scenario.name << ": " << response.body;
        for (const auto& text : scenario.contains) {
            EXPECT_THAT(response.body, HasSubstr(text)) << scenario.name;
        }
        EXPECT_TRUE(response.all("set-cookie").empty()) << scenario.name;
    }
}

TEST_P(AuthApi, RegistrationSignsIn)
{
    Api api(GetParam());
    CookieJar jar;
    const auto response = api.sign_up(jar, " Ada@Example.com ");
    ASSERT_EQ(response.status, 201) << response.body;
    EXPECT_THAT(response.body, testing::StartsWith(R"({"success":true,"data":{"csrf_token":")"));
    EXPECT_THAT(
        response.body,
        HasSubstr(R"("email":"ada@example.com","name":"Ada","avatar_url":"","status":"active")")
    );
    EXPECT_THAT(response.body, HasSubstr(R"("last_login_at":"0001-01-01T00:00:00Z")"));
    EXPECT_THAT(
        response.body,
        HasSubstr(R"("roles":[{"id":1,"name":"user","description":"Default user role","created_at")")
    );
    EXPECT_THAT(response.body, HasSubstr(R"("expires_at":"2026-03-01T00:15:00Z")"));
    EXPECT_EQ(response.header("cache-control"), "no-store");
    const auto cookies = response.all("set-cookie");
    ASSERT_EQ(cookies.size(), 3);
    EXPECT_THAT(
        cookies[0], testing::MatchesRegex("access_token=[^;]+; Path=/; Max-Age=900; HttpOnly; SameSite=Lax")
    );
    EXPECT_THAT(
        cookies[1],
        testing::MatchesRegex("refresh_token=[^;]+; Path=/api/v1/auth; Max-Age=604800; HttpOnly; SameSite=Lax"
        )
    );
    EXPECT_THAT(
        cookies[2],
        testing::MatchesRegex("csrf_token=[A-Za-z0-9_-]{32}; Path=/; Max-Age=604800; SameSite=Lax")
    );
    const auto access = payload_of(jar.value("access_token"));
    EXPECT_THAT(
        access,
        testing::MatchesRegex(
            R"(\{"token_type":"access","roles":\["user"\],"iss":"everything-backend-starter-kit","sub":"1",)"
            R"("aud":\["everything-backend-starter-kit-api"\],"exp":1772324100,"iat":1772323200,"jti":"[0-9a-f-]{36}","sid":"[0-9a-f-]{36}"\})"
        )
    );
    EXPECT_THAT(payload_of(jar.value("refresh_token")), HasSubstr(R"("token_type":"refresh")"));
    const auto me = api.send(jar, {.path = "/api/v1/me"});
    EXPECT_EQ(me.status, 200);
    EXPECT_THAT(me.body, HasSubstr(R"("email":"ada@example.com")"));
}

TEST_P(AuthApi, RegistrationThatMustBeVerifiedHasNoSession)
{
    Api api(GetParam(), [](config::Config& config) { config.auth.require_email_verification = true; });
    CookieJar jar;
    const auto response = api.sign_up(jar);
    EXPECT_EQ(response.status, 201);
    EXPECT_THAT(response.body, HasSubstr(R"("data":{"requires_verification":true,"user":{)"));
    EXPECT_TRUE(response.all("set-cookie").empty());
    const auto login =
        api.send(post(login_path, R"({"email":"ada@example.com","password":"Correct-Horse-42"})"));
    EXPECT_EQ(login.status, 403);
    EXPECT_THAT(
        login.body, HasSubstr(R"("code":"EMAIL_UNVERIFIED","message":"email verification required")")
    );
}

TEST_P(AuthApi, LocalAccountsCanBeSwitchedOff)
{
    Api api(GetParam(), [](config::Config& config) { config.auth.local_enabled = false; });
    for (const auto* path : {register_path, login_path}) {
        const auto response = api.send(post(path, "{}"));
        EXPECT_EQ(response.status, 404);
        EXPECT_THAT(response.body, HasSubstr(R"("code":"NOT_ENABLED","message":"local auth is disabled")"));
    }
}

TEST_P(AuthApi, LoginTellsNobodyWhy)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    for (const auto* body :
         {R"({"email":"ada@example.com","password":"wrong"})",
          R"({"email":"nobody@example.com","password":"Correct-Horse-42"})",
          "{}"}) {
        const auto response = api.send(post(login_path, body));
        EXPECT_EQ(response.status, 401) << body;
        EXPECT_THAT(response.body, HasSubstr(R"("code":"UNAUTHORIZED","message":"invalid credentials")"))
            << body;
        EXPECT_EQ(response.header("www-authenticate"), "Bearer");
    }
}

TEST_P(AuthApi, AStormBeyondTheHashingQueueIs503WithRetryAfter)
{
    Api api(GetParam(), [](config::Config& config) {
        config.auth.password_hash_workers = 1;
        config.auth.password_hash_queue_max = 1;
    });
    static constexpr int storm = 8;
    std::latch together(storm);
    std::atomic<int> refused = 0;
    std::atomic<int> answered = 0;
    std::vector<std::thread> clients;
    for (int client = 0; client < storm; ++client) {
        clients.emplace_back([&] {
            together.arrive_and_wait();
            const auto response =
                api.send(post(login_path, R"({"email":"nobody@example.com","password":"x"})"));
            if (response.status == 503) {
                EXPECT_EQ(response.header("retry-after"), "1");
                ++refused;
            } else {
                EXPECT_EQ(response.status, 401);
                ++answered;
            }
        });
    }
    for (auto& client : clients) {
        client.join();
    }
    EXPECT_GE(answered, 2) << "one runs and one waits";
    EXPECT_GE(refused, 1);
}

TEST_P(AuthApi, LoginSetsLastLogin)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    api.clock().advance(std::chrono::hours(1));
    const auto response =
        api.send(jar, post(login_path, R"({"email":"ADA@example.com","password":"Correct-Horse-42"})"));
    EXPECT_EQ(response.status, 200);
    EXPECT_THAT(response.body, HasSubstr(R"("last_login_at":"2026-03-01T01:00:00Z")"));
    const auto me = api.send(jar, {.path = "/api/v1/me"});
    EXPECT_THAT(me.body, HasSubstr(R"("last_login_at":"2026-03-01T01:00:00Z")"));
}

TEST_P(AuthApi, BootstrapAddressIsAdminInLocalProfiles)
{
    Api api(GetParam(), [](config::Config& config) {
        config.auth.bootstrap_admin_email = "ada@example.com";
    });
    CookieJar jar;
    const auto response = api.sign_up(jar);
    EXPECT_THAT(
        response.body,
        HasSubstr(
            R"("name":"admin","description":"Administrator role","permissions":[{"id":1,"resource":"users","action":"read")"
        )
    );
    EXPECT_THAT(
        payload_of(jar.value("access_token")),
        HasSubstr(R"("roles":["user","admin"],"permissions":["audit:read","feature_flags:read")")
    );
}

TEST_P(AuthApi, BootstrapAddressMustBeVerifiedElsewhere)
{
    Api api(GetParam(), [](config::Config& config) {
        config.auth.bootstrap_admin_email = "ada@example.com";
        config.process.environment = "production";
    });
    CookieJar jar;
    EXPECT_THAT(api.sign_up(jar).body, testing::Not(HasSubstr("Administrator")));
}

TEST_P(AuthApi, AccessTokenSources)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    const auto token = jar.value("access_token");
    const std::vector<Scenario> scenarios{
        {"none", {.path = "/api/v1/me"}, 401, {"missing access token"}},
        {"garbage cookie",
         {.path = "/api/v1/me", .headers = {{"Cookie", "access_token=x.y.z"}}},
         401,
         {"invalid access token"}},
        {"garbage bearer",
         {.path = "/api/v1/me", .headers = {{"Authorization", "Bearer x"}}},
         401,
         {"invalid access token"}},
        {"basic",
         {.path = "/api/v1/me", .headers = {{"Authorization", "Basic eDp5"}}},
         401,
         {"missing access token"}},
        {"refresh token",
         {.path = "/api/v1/me", .headers = {{"Cookie", "access_token=" + jar.value("refresh_token")}}},
         401,
         {"invalid"}},
        {"bearer",
         {.path = "/api/v1/me", .headers = {{"Authorization", "bEaReR " + token}}},
         200,
         {"ada@example.com"}},
        {"bearer rescues a bad cookie",
         {.path = "/api/v1/me",
          .headers = {{"Cookie", "access_token=bad"}, {"Authorization", "Bearer " + token}}},
         200,
         {"ada@example.com"}},
        {"HEAD",
         {.method = "HEAD", .path = "/api/v1/me", .headers = {{"Cookie", "a=b; access_token=" + token}}},
         200,
         {}},
    };
    for (const auto& scenario : scenarios) {
        const auto response = api.send(scenario.request);
        EXPECT_EQ(response.status, scenario.status) << scenario.name << ": " << response.body;
        for (const auto& text : scenario.contains) {
            EXPECT_THAT(response.body, HasSubstr(text)) << scenario.name;
        }
        EXPECT_EQ(response.header("www-authenticate").has_value(), scenario.status == 401) << scenario.name;
    }
    api.clock().advance(std::chrono::minutes(15));
    EXPECT_EQ(api.send(jar, {.path = "/api/v1/me"}).status, 401);
}

TEST_P(AuthApi, CsrfPairMustBeOursAndTheSessions)
{
    Api api(GetParam());
    CookieJar ada;
    CookieJar bob;
    api.sign_up(ada);
    api.sign_up(bob, "bob@example.com");
    const auto refresh = ada.value("refresh_token");
    const auto attempt = [&](const std::string& cookies, const std::string& header) {
        ApiRequest request{.method = "POST", .path = refresh_path, .headers = {{"Cookie", cookies}}};
        if (!header.empty()) {
            request.headers.emplace_back("X-CSRF-Token", header);
        }
        return api.send(request);
    };
    const auto csrf = ada.value("csrf_token");
    const auto foreign = bob.value("csrf_token");
    const std::string invented(32, 'A');
    EXPECT_EQ(attempt("", "").status, 403);
    EXPECT_EQ(attempt("refresh_token=" + refresh, csrf).status, 403) << "no cookie";
    EXPECT_EQ(attempt("refresh_token=" + refresh + "; csrf_token=" + csrf, "").status, 403) << "no header";
    EXPECT_EQ(attempt("refresh_token=" + refresh + "; csrf_token=" + csrf, foreign).status, 403) << "unequal";
    EXPECT_EQ(attempt("refresh_token=" + refresh + "; csrf_token=" + foreign, foreign).status, 403)
        << "another session's";
    EXPECT_EQ(attempt("csrf_token=" + invented, invented).status, 403) << "not issued by us";
    const auto unnamed = attempt("csrf_token=" + foreign, foreign);
    EXPECT_EQ(unnamed.status, 401) << "no session named: the route's own refusal";
    EXPECT_THAT(unnamed.body, HasSubstr("missing refresh token"));
    const auto refused = attempt("", "");
    EXPECT_THAT(refused.body, HasSubstr(R"("code":"FORBIDDEN","message":"invalid csrf token")"));
    EXPECT_EQ(attempt("refresh_token=" + refresh + "; csrf_token=" + csrf, csrf).status, 200);
}

TEST_P(AuthApi, RefreshMovesTheSessionByOneGeneration)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    const auto old_payload = payload_of(jar.value("refresh_token"));
    const auto old_refresh = jar.value("refresh_token");
    api.clock().advance(std::chrono::minutes(1));
    const auto response = api.send(jar, {.method = "POST", .path = refresh_path});
    ASSERT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(response.all("set-cookie").size(), 3);
    EXPECT_NE(jar.value("refresh_token"), old_refresh);
    const auto sid = old_payload.substr(old_payload.find("\"sid\""), 44);
    EXPECT_THAT(payload_of(jar.value("refresh_token")), HasSubstr(sid));
    EXPECT_THAT(payload_of(jar.value("refresh_token")), HasSubstr(R"("gen":1)"));
    EXPECT_EQ(api.send(jar, {.path = "/api/v1/me"}).status, 200);
}

TEST_P(AuthApi, TheTokenJustReplacedYieldsTheSameSuccessorWithinTheGrace)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    auto other_tab = jar;
    ASSERT_EQ(api.send(jar, {.method = "POST", .path = refresh_path}).status, 200);
    api.clock().advance(std::chrono::seconds(9));
    ASSERT_EQ(api.send(other_tab, {.method = "POST", .path = refresh_path}).status, 200);
    EXPECT_EQ(jar.value("refresh_token"), other_tab.value("refresh_token"));
}

TEST_P(AuthApi, TheTokenJustReplacedEndsTheSessionAfterTheGrace)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    auto thief = jar;
    ASSERT_EQ(api.send(jar, {.method = "POST", .path = refresh_path}).status, 200);
    api.clock().advance(std::chrono::seconds(11));
    const auto refused = api.send(thief, {.method = "POST", .path = refresh_path});
    EXPECT_EQ(refused.status, 401);
    EXPECT_THAT(refused.body, HasSubstr(R"("code":"UNAUTHORIZED","message":"invalid refresh token")"));
    EXPECT_TRUE(refused.all("set-cookie").empty());
    EXPECT_EQ(api.send(jar, {.method = "POST", .path = refresh_path}).status, 401) << "the session is over";
    EXPECT_EQ(api.send(jar, {.path = "/api/v1/me"}).status, 401) << "its access tokens too";
}

TEST_P(AuthApi, AnOlderTokenEndsTheSessionEvenWithinTheGrace)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    auto thief = jar;
    ASSERT_EQ(api.send(jar, {.method = "POST", .path = refresh_path}).status, 200);
    ASSERT_EQ(api.send(jar, {.method = "POST", .path = refresh_path}).status, 200);
    EXPECT_EQ(api.send(thief, {.method = "POST", .path = refresh_path}).status, 401);
    EXPECT_EQ(api.send(jar, {.method = "POST", .path = refresh_path}).status, 401);
}

TEST_P(AuthApi, WithoutGraceAReplayEndsTheSession)
{
    Api api(GetParam(), [](config::Config& config) {
        config.tokens.refresh_grace = std::chrono::milliseconds(0);
    });
    CookieJar jar;
    api.sign_up(jar);
    auto replay = jar;
    ASSERT_EQ(api.send(jar, {.method = "POST", .path = refresh_path}).status, 200);
    EXPECT_EQ(api.send(replay, {.method = "POST", .path = refresh_path}).status, 401);
    EXPECT_EQ(api.send(jar, {.method = "POST", .path = refresh_path}).status, 401);
}

TEST_P(AuthApi, ASessionEndsWhenItsRefreshTokenExpires)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    api.clock().advance(std::chrono::hours(168));
    EXPECT_EQ(api.send(jar, {.method = "POST", .path = refresh_path}).status, 401);
}

TEST_P(AuthApi, OneUsersReuseLeavesHisOtherDevicesAlone)
{
    Api api(GetParam());
    CookieJar phone;
    CookieJar laptop;
    api.sign_up(phone);
    ASSERT_EQ(
        api.send(laptop, post(login_path, R"({"email":"ada@example.com","password":"Correct-Horse-42"})"))
            .status,
        200
    );
    auto thief = phone;
    api.send(phone, {.method = "POST", .path = refresh_path});
    api.clock().advance(std::chrono::seconds(11));
    api.send(thief, {.method = "POST", .path = refresh_path});
    EXPECT_EQ(api.send(laptop, {.method = "POST", .path = refresh_path}).status, 200);
}

TEST_P(AuthApi, LogoutEndsAllSessions)
{
    Api api(GetParam());
    CookieJar phone;
    CookieJar laptop;
    api.sign_up(phone);
    api.send(laptop, post(login_path, R"({"email":"ada@example.com","password":"Correct-Horse-42"})"));
    auto stolen = phone;
    const auto response = api.send(phone, {.method = "POST", .path = logout_path});
    EXPECT_EQ(response.status, 200);
    EXPECT_THAT(response.body, HasSubstr(R"("data":{"status":"logged_out"})"));
    const auto cookies = response.all("set-cookie");
    ASSERT_EQ(cookies.size(), 4);
    EXPECT_EQ(cookies[0], "access_token=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    EXPECT_EQ(cookies[1], "refresh_token=; Path=/api/v1/auth; Max-Age=0; HttpOnly; SameSite=Lax");
    EXPECT_EQ(cookies[2], "csrf_token=; Path=/; Max-Age=0; SameSite=Lax");
    EXPECT_EQ(cookies[3], "oauth_state=; Path=/api/v1/auth/google; Max-Age=0; HttpOnly; SameSite=Lax");
    EXPECT_EQ(api.send(stolen, {.path = "/api/v1/me"}).status, 401)
        << "the access token ends with its session";
    EXPECT_EQ(api.send(stolen, {.method = "POST", .path = refresh_path}).status, 401);
    EXPECT_EQ(api.send(laptop, {.method = "POST", .path = refresh_path}).status, 401);
}

TEST_P(AuthApi, OtherNodesLearnThatASessionHasEnded)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    const auto token = jar.value("access_token");
    const auto other = api.second_node();
    api.run(other->sessions().learn_revocations());
    EXPECT_TRUE(other->sessions().authenticate(token));
    api.send(jar, {.method = "POST", .path = logout_path});
    api.run(other->sessions().learn_revocations());
    EXPECT_FALSE(other->sessions().authenticate(token));
    const auto restarted = api.second_node();
    api.run(restarted->sessions().learn_revocations());
    EXPECT_FALSE(restarted->sessions().authenticate(token)) << "a restart forgets nothing";
}

TEST_P(AuthApi, LogoutOfTheCurrentSessionLeavesTheOthers)
{
    Api api(GetParam());
    CookieJar phone;
    CookieJar laptop;
    api.sign_up(phone);
    api.send(laptop, post(login_path, R"({"email":"ada@example.com","password":"Correct-Horse-42"})"));
    auto wrong = phone;
    EXPECT_EQ(api.send(wrong, post(logout_path, R"({"scope":"other"})")).status, 400);
    EXPECT_EQ(api.send(phone, post(logout_path, R"({"scope":"current"})")).status, 200);
    EXPECT_EQ(api.send(laptop, {.path = "/api/v1/me"}).status, 200);
}

TEST_P(AuthApi, LogoutAsksForTheCsrfPairFirst)
{
    Api api(GetParam());
    EXPECT_EQ(api.send({.method = "POST", .path = logout_path}).status, 403);
    CookieJar jar;
    api.sign_up(jar);
    const auto by_bearer = api.send(
        {.method = "POST",
         .path = logout_path,
         .headers = {{"Authorization", "Bearer " + jar.value("access_token")}}}
    );
    EXPECT_EQ(by_bearer.status, 200) << "a bearer token without cookies cannot be forged by another site";
}

TEST_P(AuthApi, ALongUserAgentIsCut)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    auto login = post(login_path, R"({"email":"ada@example.com","password":"Correct-Horse-42"})");
    login.headers.emplace_back("User-Agent", std::string(5000, 'u') + "\xff");
    EXPECT_EQ(api.send(login).status, 200);
}

TEST_P(AuthApi, TheFirstVisitorOfTheClaimLinkIsAdmin)
{
    Api api(GetParam());
    const auto token = api.run(api.product().rbac().issue_admin_claim());
    ASSERT_TRUE(token);
    EXPECT_EQ(api.send({.path = "/setup/admin?token=" + *token}).status, 401);
    CookieJar ada;
    CookieJar bob;
    api.sign_up(ada);
    api.sign_up(bob, "bob@example.com");
    const auto bad = api.send(ada, {.path = "/setup/admin?token=x"});
    EXPECT_EQ(bad.status, 400);
    EXPECT_THAT(bad.body, HasSubstr("INVALID_OR_EXPIRED_TOKEN"));
    EXPECT_EQ(api.send(ada, {.path = "/setup/admin?token=" + *token}).status, 200);
    EXPECT_THAT(api.send(ada, {.path = "/api/v1/me"}).body, HasSubstr(R"("name":"admin")"));
    EXPECT_EQ(api.send(bob, {.path = "/setup/admin?token=" + *token}).status, 400);
    EXPECT_FALSE(api.run(api.product().rbac().issue_admin_claim())) << "there is an administrator";
}

}  // namespace

}  // namespace kit::test
